"""How weights and biases are spread, and how that moves over the epochs of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.errors import CheckpointError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Of the values that lie below each quantile."""
BINS = 60
"""Most bins of a histogram; of few values there are fewer, by Rice's rule: twice the cube root of their number."""


@dataclass(frozen=True, eq=False)
class WeightHistogram:
    """How the values of one tensor are spread.

    Attributes
    ----------
    name : str
        In the state dict, such as `0.weight`.
    edges : ndarray
        float64, shape (B + 1,): ends of the bins, evenly spaced.
    counts : ndarray
        int64, shape (B,): values in each.
    mean, std : float
    near_zero : float
        Share of the values that are nearer to zero than a tenth of `std`.
    """

    name: str
    edges: FloatArray
    counts: IntArray
    mean: float
    std: float
    near_zero: float

    @property
    def n(self) -> int:
        """Number of values."""
        return int(self.counts.sum())


@dataclass(frozen=True, eq=False)
class Movement:
    """How the values of one tensor moved.

    Attributes
    ----------
    name : str
    epochs : tuple of int
    quantiles : ndarray
        float64, shape (E, 7): for each epoch the values below which the `SHARES` of all values lie.
    std : ndarray
        float64, shape (E,).
    """

    name: str
    epochs: tuple[int, ...]
    quantiles: FloatArray
    std: FloatArray


def histograms(file: Path, bins: int = BINS) -> tuple[WeightHistogram, ...]:
    """Return the histogram, of at most so many bins, of each weight and bias in a checkpoint file, ordered by name.

    Raises
    ------
    CheckpointError
        The file cannot be read, or holds values that are not finite.
    """
    return tuple(_histogram(name, values, bins) for name, values in _parameters(file).items())


def movements(files: Mapping[int, Path]) -> dict[str, Movement]:
    """Return how every weight and bias moved over the epochs of a run.

    Parameters
    ----------
    files : mapping of int to Path
        Checkpoint file by epoch; only tensors that all of them have are returned.

    Raises
    ------
    CheckpointError
        A file cannot be read, or holds values that are not finite.
    """
    epochs = tuple(sorted(files))
    found: dict[str, list[tuple[FloatArray, float]]] = {}
    for epoch in epochs:
        for name, values in _parameters(files[epoch]).items():
            quantiles = np.quantile(values, SHARES).astype(np.float64)
            found.setdefault(name, []).append((quantiles, float(values.std(dtype=np.float64))))
    return {
        name: Movement(name, epochs, np.stack([q for q, _ in rows]), np.array([s for _, s in rows]))
        for name, rows in found.items()
        if len(rows) == len(epochs)
    }


def _parameters(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read weights and biases, flat; what batch normalisation has counted is neither."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            names = [name for name in opened.keys() if name.rpartition(".")[2] in ("weight", "bias")]  # noqa: SIM118
            tensors = {name: opened.get_tensor(name) for name in sorted(names, key=_natural)}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file.name} is not a readable checkpoint file ({error}).") from None
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            raise CheckpointError(f"{file.name}: the weights {name!r} hold NaN or infinite values. Choose another.")
    return {name: tensor.float().numpy().ravel() for name, tensor in tensors.items() if tensor.numel()}


def _natural(name: str) -> list[tuple[int, Any]]:
    """Sort numbers by value, and a layer's weight before its bias."""
    *path, kind = name.split(".")
    return [(0, int(part)) if part.isdigit() else (1, part) for part in path] + [(2, kind != "weight")]


def _histogram(name: str, values: NDArray[np.float32], bins: int) -> WeightHistogram:
    counts, edges = np.histogram(values, min(bins, max(4, round(2 * len(values) ** (1 / 3)))))
    mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    near = float((np.abs(values) < std / 10).mean())
    return WeightHistogram(name, edges.astype(np.float64), counts.astype(np.int64), mean, std, near)
