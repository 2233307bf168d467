"""Results kept between reruns and shared by all sessions.

They are keyed by the checkpoint's digest, the data set's checksum and the split, so they are never stale.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog as datasets
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store import catalog, runs
from explorer.ui.kit import answers, checkpoints
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.state import Selection

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.store.checkpoints import Checkpoint


def checkpoint(selection: Selection) -> "Checkpoint":
    """Return the chosen checkpoint.

    Raises
    ------
    CheckpointError, RunError
        There is none, or it cannot be used.
    """
    path = catalog.resolve_name(selection.reference or "")
    if path is None:
        raise CheckpointError("No checkpoint is chosen. Choose one in the sidebar.")
    return checkpoints.describe(path)


def predictions(selection: Selection) -> "Predictions":
    """Return what the chosen checkpoint says of every image of the chosen split.

    Predictions that a run has stored are read, others computed. Of an epoch whose weights are not kept there are only
    those stored ones, with probabilities in half precision.

    Raises
    ------
    ExplorerError
        The checkpoint or the data set cannot be used, or they do not fit together.
    """
    if rewound := _without_weights(selection):
        return rewound
    chosen = checkpoint(selection)
    checksum = datasets.get(selection.dataset).checksum
    return _predictions(chosen.digest, checksum, selection.dataset, selection.split, chosen)


def _without_weights(selection: Selection) -> "Predictions | None":
    """Return the stored predictions of an epoch whose weights are not kept; None where they are."""
    if selection.checkpoint is None or selection.epoch is None:
        return None
    run = runs.get(selection.checkpoint)
    path = run.predictions(selection.split, selection.epoch)
    if run.weights(selection.epoch).is_file():
        return None
    if not path.is_file() or run.config.get("dataset") != selection.dataset:
        raise CheckpointError(
            f"The weights of epoch {selection.epoch} are not kept, only its predictions of the validation and test "
            "images of its own data set. Choose one of these splits, or an epoch with weights."
        )
    return _rewound(str(path), path.stat().st_mtime_ns)


@st.cache_data(max_entries=24, show_spinner=False)
def _rewound(path: str, modified: int) -> "Predictions":
    from explorer.analysis.evaluation.prediction_files import load_predictions

    return load_predictions(path)


@st.cache_data(max_entries=24, show_spinner="Predicting every image of the split …")
def _predictions(digest: str, checksum: str, dataset: str, split: str, _chosen: "Checkpoint") -> "Predictions":
    from explorer.analysis.evaluation.prediction_files import load_stored
    from explorer.analysis.evaluation.predictions import Predictions

    images = load_split(dataset, split)
    if stored := load_stored(_chosen, images):
        return stored
    with computing():
        return Predictions.compute(_chosen, images, classifier(_chosen))


def probabilities(selection: Selection, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the probabilities (C,) of one image (H, W), without predicting the others of its split.

    Raises
    ------
    CheckpointError
        They are not finite numbers.
    """
    chosen = checkpoint(selection)
    return _probabilities(chosen.digest, image.tobytes(), chosen, image)


@st.cache_data(max_entries=512, show_spinner=False)
def _probabilities(
    digest: str, content: bytes, _chosen: "Checkpoint", _image: NDArray[np.uint8]
) -> NDArray[np.float64]:
    return answers.probabilities(_chosen, _image)


def attribution(selection: Selection, row: int, method: str, target: int) -> NDArray[np.float32]:
    """Return the attribution map (H, W) of one image of the chosen split, in units of the target's logit.

    Raises
    ------
    ConfigError
        There is no such method, or it does not suit the model.
    """
    return explained(selection, load_split(selection.dataset, selection.split).images[row], method, target).values


def explained(
    selection: Selection,
    image: NDArray[np.uint8],
    method: str,
    target: int,
    against: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> answers.Explained:
    """Return the map of one image, of a split or not; the parameters are those of `answers.explain`.

    Raises
    ------
    ExplorerError
        There is no such method, option or class, the method does not suit the model, or its outputs are not finite.
    """
    chosen = checkpoint(selection)
    aim = (method, target, against, json.dumps(dict(options or {}), sort_keys=True))
    needs_mean = (options or {}).get("baseline") == "mean"
    trained_on = datasets.get(selection.dataset).checksum if needs_mean else ""
    mean = mean_image(selection.dataset) if needs_mean else None
    return _explained(chosen.digest, trained_on, image.tobytes(), aim, chosen, image, mean)


@st.cache_data(max_entries=512, show_spinner=False)
def _explained(
    digest: str,
    trained_on: str,
    content: bytes,
    aim: tuple[str, int, int | None, str],
    _chosen: "Checkpoint",
    _image: NDArray[np.uint8],
    _mean: "Tensor | None",
) -> answers.Explained:
    method, target, against, options = aim
    return answers.explain(_chosen, _image, method, target, against, json.loads(options), _mean)


def mean_image(dataset: str) -> "Tensor":
    """Return the mean training image, pixels in [0, 1], shape (1, 1, H, W)."""
    return _mean_image(datasets.get(dataset).checksum, dataset)


@st.cache_resource(max_entries=8, show_spinner=False)
def _mean_image(checksum: str, dataset: str) -> "Tensor":
    from explorer.analysis.attribution import baselines

    return baselines.mean_image(load_split(dataset, "train").images)
