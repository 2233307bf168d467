"""What all sections of the page Inside have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.ui.kit import cache, messages, state
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.state import Selection

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.analysis.inside.ablation import Ablation
    from explorer.analysis.inside.activations import Activation
    from explorer.analysis.inside.arithmetic import Arithmetic, Position
    from explorer.analysis.inside.kernels import Kernels
    from explorer.analysis.inside.steps import LayerCall
    from explorer.analysis.inside.units import Activity, Strongest
    from explorer.store.checkpoints import Checkpoint


@dataclass(frozen=True, eq=False)
class InspectedModel:
    """A checkpoint and a split.

    Attributes
    ----------
    selection : Selection
        What the sidebar says.
    checkpoint : Checkpoint
    """

    selection: Selection
    checkpoint: "Checkpoint"

    @property
    def split(self) -> Split:
        """The images of the sidebar's split."""
        return load_split(self.selection.dataset, self.selection.split)

    @property
    def images_key(self) -> tuple[str, str, str]:
        """What tells the images from others: data set, its checksum, split."""
        dataset = self.selection.dataset
        return dataset, catalog.get(dataset).checksum, self.selection.split

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the network's outputs."""
        return self.checkpoint.classes


def subject() -> InspectedModel:
    """Return what the sidebar says, or stop and say what to do.

    Raises
    ------
    ExplorerError
        The checkpoint cannot be used.
    """
    selection = state.selection()
    if selection.checkpoint is None:
        messages.no_checkpoint()
    return InspectedModel(selection, cache.checkpoint(selection))


Show = Callable[[InspectedModel], None]


def section(show: Show) -> Show:
    """Make a function a section: a fragment, in which links are followed and errors become messages."""

    @st.fragment
    @wraps(show)
    def shown(subject: InspectedModel) -> None:
        state.follow()
        with messages.shown():
            show(subject)

    return shown


Images = tuple[str, str, str]
Kept = TypeVar("Kept")

STRONGEST = 12
BUDGET = 5e9
"""Multiply-adds that a sample may cost by default: on one core of 2020 about a second."""
SIZES = (250, 500, 1_000, 2_000)


def sample(images: Images, count: int) -> tuple[Split, NDArray[np.int64]]:
    """Return some images of a split, and their rows."""
    from explorer.analysis.inside.units import sampled

    return sampled(load_split(images[0], images[2]), count)


def steps(subject: InspectedModel) -> "tuple[LayerCall, ...]":
    """Return the steps of the network."""
    return _steps(subject.checkpoint.digest, subject.checkpoint)


@st.cache_data(max_entries=16, show_spinner=False)
def _steps(digest: str, _chosen: "Checkpoint") -> "tuple[LayerCall, ...]":
    from explorer.analysis.inside.steps import steps

    with computing():
        return steps(classifier(_chosen))


def default_size(subject: InspectedModel) -> int:
    """Return how many images are taken by default, so that one pass takes about a second."""
    cost = _cost(subject.checkpoint.digest, subject.checkpoint)
    return max((size for size in SIZES if size * cost <= BUDGET), default=SIZES[0])


@st.cache_data(max_entries=16, show_spinner=False)
def _cost(digest: str, _chosen: "Checkpoint") -> int:
    from models.registry import InputShape
    from models.summary import layer_table

    layers = layer_table(classifier(_chosen).network, InputShape(classes=len(_chosen.classes)))
    return sum(layer.multiply_adds for layer in layers)


def kernels(subject: InspectedModel, key: str) -> "Kernels":
    """Return the weights of a layer."""
    return _kernels(subject.checkpoint.digest, key, subject.checkpoint)


@st.cache_data(max_entries=8, show_spinner=False)
def _kernels(digest: str, key: str, _chosen: "Checkpoint") -> "Kernels":
    from explorer.analysis.inside.kernels import kernels

    with computing():
        return kernels(classifier(_chosen), key)


def activations(subject: InspectedModel, image: NDArray[np.uint8]) -> "tuple[Activation, ...]":
    """Return what each layer makes of an image."""
    return _activations(subject.checkpoint.digest, image.tobytes(), image, subject.checkpoint)


@st.cache_data(max_entries=32, show_spinner=False)
def _activations(
    digest: str, pixels: bytes, _image: NDArray[np.uint8], _chosen: "Checkpoint"
) -> "tuple[Activation, ...]":
    from explorer.analysis.inside.activations import activations

    with computing():
        return activations(classifier(_chosen), _image)


def arithmetic(
    subject: InspectedModel, image: NDArray[np.uint8], key: str, unit: int, position: "Position | None"
) -> "Arithmetic":
    """Spell out one output."""
    from explorer.analysis.inside.arithmetic import arithmetic

    model = classifier(subject.checkpoint)
    with computing():
        return arithmetic(model, image, key, unit, position)


def fields(subject: InspectedModel, key: str) -> NDArray[np.int64]:
    """Return the receptive fields of a layer with maps, int64 (height, width, 4)."""
    return _fields(subject.checkpoint.digest, key, subject.checkpoint)


@st.cache_data(max_entries=32, show_spinner=False)
def _fields(digest: str, key: str, _chosen: "Checkpoint") -> NDArray[np.int64]:
    from explorer.analysis.inside.kernels import receptive_fields

    with computing():
        return receptive_fields(classifier(_chosen), key)


def activity(subject: InspectedModel, count: int) -> "tuple[Activity, ...]":
    """Return how the units behave over a sample."""
    return _activity(subject.checkpoint.digest, subject.images_key, count, subject.checkpoint)


@st.cache_data(max_entries=16, show_spinner="Looking at what every unit answers …")
def _activity(digest: str, images: Images, count: int, _chosen: "Checkpoint") -> "tuple[Activity, ...]":
    from explorer.analysis.inside.units import activity

    with computing():
        return activity(classifier(_chosen), sample(images, count)[0].images)


def strongest(subject: InspectedModel, key: str, count: int) -> "Strongest":
    """Return the images that excite each unit of a layer most; its rows are those of the sample."""
    return _strongest(subject.checkpoint.digest, subject.images_key, key, count, subject.checkpoint)


@st.cache_data(max_entries=16, show_spinner="Looking for the strongest images …")
def _strongest(digest: str, images: Images, key: str, count: int, _chosen: "Checkpoint") -> "Strongest":
    from explorer.analysis.inside.units import strongest

    with computing():
        return strongest(classifier(_chosen), sample(images, count)[0].images, key, STRONGEST)


def predictions(subject: InspectedModel, count: int) -> "Predictions":
    """Return the predictions of the whole network for a sample."""
    return _predictions(subject.checkpoint.digest, subject.images_key, count, subject.checkpoint)


@st.cache_data(max_entries=16, show_spinner=False)
def _predictions(digest: str, images: Images, count: int, _chosen: "Checkpoint") -> "Predictions":
    from explorer.analysis.evaluation.predictions import Predictions

    with computing():
        return Predictions.compute(_chosen, sample(images, count)[0], classifier(_chosen))


def ablation(subject: InspectedModel, count: int, key: str, units: tuple[int, ...]) -> "Ablation":
    """Return what the network says of a sample with and without some units."""
    before = predictions(subject, count)
    return _ablation(subject.checkpoint.digest, subject.images_key, count, key, units, subject.checkpoint, before)


@st.cache_data(max_entries=32, show_spinner="Predicting without these units …")
def _ablation(
    digest: str,
    images: Images,
    count: int,
    key: str,
    units: tuple[int, ...],
    _chosen: "Checkpoint",
    _before: "Predictions",
) -> "Ablation":
    from explorer.analysis.inside.ablation import ablate

    with computing():
        return ablate(classifier(_chosen), sample(images, count)[0], _before, key, units)


def features(subject: InspectedModel, count: int) -> NDArray[np.float32]:
    """Return what the last layer is given for each image of a sample, float32 (N, D)."""
    return _features(subject.checkpoint.digest, subject.images_key, count, subject.checkpoint)


@st.cache_data(max_entries=4, show_spinner="Asking the network for its features …")
def _features(digest: str, images: Images, count: int, _chosen: "Checkpoint") -> NDArray[np.float32]:
    from explorer.analysis.drawings.neighbours import features

    with computing():
        return features(classifier(_chosen), sample(images, count)[0].images)


def kept(name: str, key: tuple[object, ...]) -> object | None:
    """Return what this session last computed under a name, if it was for this key."""
    found: tuple[tuple[object, ...], object] | None = st.session_state.get(f"inside:{name}")
    return found[1] if found and found[0] == key else None


def keep(name: str, key: tuple[object, ...], make: Callable[[], Kept]) -> Kept:
    """Compute with a sign of progress and keep the result for this session; a rerun meanwhile ends the work."""
    made = make()
    st.session_state[f"inside:{name}"] = (key, made)
    return made
