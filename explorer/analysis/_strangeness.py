"""Single scores of how strange an input is, and what of them is usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.predictions import FloatArray
from explorer.data.splits import stratify
from explorer.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from explorer.data.splits import Split

SHARE = 0.99
NEIGHBOUR = 5
REMEMBERED = 5_400
_CHUNK = 256
_ALONE = 2
"""Up to so many images NumPy multiplies itself: the threads of a BLAS cost them more than they save, on a busy machine
ten times as much."""
_LEAST = 1e-9


def energy(logits: NDArray[Any]) -> FloatArray:
    """Return the energy, minus the logarithm of the sum of the exponentials of the logits: (N, C) to float64 (N,).

    The higher, the less of any class there is.

    Raises
    ------
    CheckpointError
        A logit is not finite.
    """
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    highest = values.max(axis=1)
    result: FloatArray = -highest - np.log(np.exp(values - highest[:, None]).sum(axis=1))
    return result


@dataclass(frozen=True, eq=False)
class Memory:
    """Training images to compare with.

    Attributes
    ----------
    points : ndarray
        float32, shape (M, P): their pixels in [0, 1].
    squares : ndarray
        float32, shape (M,): squared length of each.
    """

    points: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, training: Split, count: int = REMEMBERED) -> Memory:
        """Keep so many images of a split, of every class in proportion, the same ones every time."""
        images = training.images
        if len(training) > count:
            images = images[stratify(training.labels, count)[1]]
        if not len(images):
            raise DataError("There are no training images to compare with.")
        points = _points(images)
        return cls(points, np.einsum("ij,ij->i", points, points))

    def distances(self, images: NDArray[np.uint8]) -> FloatArray:
        """Return each image's Euclidean distance to the fifth nearest one: uint8 (N, H, W) to float64 (N,)."""
        rank = min(NEIGHBOUR, len(self.points)) - 1
        found = np.empty(len(images))
        for start in range(0, len(images), _CHUNK):
            rows = slice(start, start + _CHUNK)
            queries = _points(images[rows])
            alone = len(queries) <= _ALONE
            products = np.einsum("qp,mp->qm", queries, self.points) if alone else queries @ self.points.T
            squares = self.squares - 2 * products
            nearest = np.partition(squares, rank, axis=1)[:, rank] + np.einsum("ij,ij->i", queries, queries)
            found[rows] = np.sqrt(np.maximum(nearest, 0))
        return found


@dataclass(frozen=True, eq=False)
class Usual:
    """What values of a score are usual: those of the validation images, float64, shape (V,), sorted."""

    values: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Usual:
        """Take note of the values of the validation images, in any order."""
        return cls(np.sort(values))

    def excess(self, values: FloatArray) -> FloatArray:
        """Return 0 up to the median, 1 at the 99th percentile, and on in proportion: (N,) to (N,)."""
        middle, high = np.quantile(self.values, [0.5, SHARE])
        excess: FloatArray = np.maximum(values - middle, 0) / max(high - middle, _LEAST)
        return excess

    def percentile(self, value: float) -> float:
        """Return the percentage of the validation images that have a lower value."""
        return 100 * float(np.searchsorted(self.values, value, side="left")) / len(self.values)


def _points(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
