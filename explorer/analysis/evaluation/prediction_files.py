"""Predictions on disk, small enough to keep them all.

Of a run there is one safetensors file for each epoch and split; beside a shipped checkpoint one file for both splits.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.files import atomic_output
from explorer.data import catalog
from explorer.errors import RunError
from explorer.store import runs

if TYPE_CHECKING:
    from explorer.data.splits import Split
    from explorer.store.checkpoints import Checkpoint

FORMAT = 1
_LARGEST_HALF = float(np.finfo(np.float16).max)
_IDENTITY = ("checkpoint", "dataset", "split")


def save_predictions(path: str | os.PathLike[str], predictions: Predictions, full: bool) -> None:
    """Write predictions, completely or not at all.

    Parameters
    ----------
    path : path-like
        The file; an existing one is replaced.
    predictions : Predictions
        What to write.
    full : bool
        True keeps the logits in float32, and every result is exact. False keeps them in half precision with
        the exact predicted classes: half the size, accuracy and confusion matrix exact, probabilities to
        about 1 in 1,000.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    from safetensors.numpy import save

    tensors: dict[str, NDArray[np.generic]] = {
        "labels": _smallest(predictions.labels),
        "indices": _smallest(predictions.indices),
    }
    if full:
        tensors["logits"] = np.ascontiguousarray(predictions.logits)
    else:
        tensors["logits"] = predictions.logits.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    if not full or predictions.exact_predicted is not None:
        tensors["predicted"] = _smallest(predictions.predicted)
    identity = {"format": FORMAT, "classes": predictions.classes}
    identity |= {key: getattr(predictions, key) for key in _IDENTITY}
    with atomic_output(path) as stream:
        stream.write(save(tensors, {"predictions": json.dumps(identity)}))


def load_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read what `save_predictions` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Predictions
        With `exact_predicted` where the logits had been rounded.

    Raises
    ------
    RunError
        The file is missing, damaged or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(Path(path), framework="numpy") as file:
            identity = json.loads((file.metadata() or {})["predictions"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if identity["format"] != FORMAT:
            raise ValueError(f"format {identity['format']}")
        exact = tensors.get("predicted")
        return Predictions(
            logits=_finite(tensors["logits"].astype(np.float32)),
            labels=tensors["labels"].astype(np.int64),
            indices=tensors["indices"].astype(np.int64),
            classes=tuple(str(name) for name in identity["classes"]),
            exact_predicted=None if exact is None else exact.astype(np.int64),
            **{key: str(identity[key]) for key in _IDENTITY},
        )
    except FileNotFoundError as error:
        raise RunError(f"No predictions are stored as {path}. Evaluate this epoch again.") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged or holds no predictions. Evaluate this epoch again.") from error


def round_predictions(path: str | os.PathLike[str]) -> None:
    """Bring stored predictions to half precision, unless they are already; a file that is gone is left alone.

    Raises
    ------
    RunError, OutputError
        The file is damaged or cannot be written.
    """
    if not Path(path).exists():
        return
    predictions = load_predictions(path)
    if predictions.exact_predicted is None:
        save_predictions(path, predictions, full=False)


def shipped_file(checkpoint: Path) -> Path:
    """Return where the predictions of a shipped checkpoint lie."""
    return checkpoint.with_suffix(".predictions.npz")


def save_shipped(
    checkpoint: Checkpoint, predictions: Iterable[Predictions], pictures: tuple[int, int] | None = None
) -> None:
    """Write predictions of whole splits beside their checkpoint.

    Logits are kept in half precision, with what that leaves out in half precision too, so that all figures are the
    exact ones; and the predicted classes. Labels are those of the data set.

    Parameters
    ----------
    checkpoint : Checkpoint
    predictions : iterable of Predictions
        Its own, of whole splits.
    pictures : tuple of int, optional
        Of so many pictures from elsewhere it classified so many correctly: right ones, and all.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    if pictures is not None:
        arrays |= {"pictures": np.array(pictures), "pictures_of": np.array(checkpoint.digest)}
    for found in predictions:
        half = found.logits.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
        about = {"format": FORMAT, "checkpoint": found.checkpoint, "dataset": found.dataset}
        about["checksum"] = catalog.get(found.dataset).checksum
        arrays |= {
            f"{found.split}_about": np.array(json.dumps(about)),
            f"{found.split}_logits": half,
            f"{found.split}_remainder": (found.logits - half).astype(np.float16),
            f"{found.split}_predicted": _smallest(found.predicted),
        }
    with atomic_output(shipped_file(checkpoint.path)) as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def load_shipped(checkpoint: Checkpoint, split: Split) -> Predictions | None:
    """Return what `save_shipped` wrote for these very weights and images; None where there is no such thing."""
    wanted = {"format": FORMAT, "checkpoint": checkpoint.digest, "dataset": split.dataset}
    wanted["checksum"] = catalog.get(split.dataset).checksum
    try:
        with shipped_file(checkpoint.path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if json.loads(str(file[f"{split.name}_about"])) != wanted:
                return None
            logits = file[f"{split.name}_logits"].astype(np.float32) + file[f"{split.name}_remainder"]
            predicted = file[f"{split.name}_predicted"].astype(np.int64)
        return Predictions(
            logits=_finite(logits.astype(np.float32)),
            labels=split.labels,
            indices=split.indices,
            classes=tuple(checkpoint.classes),
            checkpoint=checkpoint.digest,
            dataset=split.dataset,
            split=split.name,
            exact_predicted=None if np.array_equal(logits.argmax(1), predicted) else predicted,
        )
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def load_pictures(checkpoint: Checkpoint) -> tuple[int, int] | None:
    """Return how many pictures from elsewhere a shipped checkpoint got right, and of how many; None if unknown."""
    try:
        with shipped_file(checkpoint.path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if str(file["pictures_of"]) != checkpoint.digest:
                return None
            right, count = (int(number) for number in file["pictures"])
            return (right, count) if 0 <= right <= count and count else None
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def load_stored(checkpoint: Checkpoint, split: Split) -> Predictions | None:
    """Return the predictions that are stored for these very weights and images in full precision, shipped or by a run.

    Those of a run in half precision would move an AUC in its last shown digit; the weights are there for exact ones.
    """
    if shipped := load_shipped(checkpoint, split):
        return shipped
    folder = checkpoint.path.parent
    if folder.name != "weights" or not runs.RUN_ID.fullmatch(folder.parent.name):
        return None
    run = runs.Run(folder.parent.name, folder.parent)
    try:
        found = load_predictions(run.predictions(split.name, int(checkpoint.path.stem.removeprefix("epoch-"))))
    except (RunError, ValueError):
        return None
    fits = found.checkpoint == checkpoint.digest and (found.dataset, found.split) == (split.dataset, split.name)
    exact = found.exact_predicted is None
    return found if exact and fits and np.array_equal(found.indices, split.indices) else None


def _smallest(values: NDArray[np.int64]) -> NDArray[np.generic]:
    """Store non-negative integers in the smallest unsigned type that holds them."""
    return np.ascontiguousarray(values, dtype=np.min_scalar_type(int(values.max(initial=0))))


def _finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(logits).all():
        raise ValueError("logits are not finite")
    return logits
