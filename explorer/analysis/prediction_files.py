"""Predictions on disk: one safetensors file for each epoch and split, small enough to keep them all."""

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.analysis._output import atomic_output
from explorer.analysis.predictions import Predictions
from explorer.errors import RunError

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


def _smallest(values: NDArray[np.int64]) -> NDArray[np.generic]:
    """Store non-negative integers in the smallest unsigned type that holds them."""
    return np.ascontiguousarray(values, dtype=np.min_scalar_type(int(values.max(initial=0))))


def _finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(logits).all():
        raise ValueError("logits are not finite")
    return logits
