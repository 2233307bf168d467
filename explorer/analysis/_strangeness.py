"""Single scores of how strange an input is, and what of them is usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from explorer.analysis.predictions import FloatArray
from explorer.data.splits import stratify
from explorer.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from explorer.data.splits import Split

SHARE = 0.99
NEIGHBOUR = 5
REMEMBERED = 5_400
"""Training images whose pixels are kept; of three times as many the outlines are, which take a third of the room."""
_CHUNK = 256
_ALONE = 2
"""Up to so many images NumPy multiplies itself: the threads of a BLAS cost them more than they save, on a busy machine
ten times as much."""
_LEAST = 1e-9
"""A measure that never differs has this range, which is as good as none."""
DIRECTIONS = 8
CELLS = 7
"""Along each side."""
_INK = 64
"""Grey level from which a pixel belongs to a piece."""


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


def outlines(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe where outlines run in which direction: uint8 (N, H, W) to float32 (N, 392), each of length 1.

    Histograms of oriented gradients (Dalal & Triggs, CVPR 2005) of 7 x 7 overlapping cells and 8 directions, as one
    block. They say little of a stroke's width and hardly anything of its contrast.
    """
    size = images.shape[1]
    places, centres = np.arange(size), (np.arange(CELLS) + 0.5) * size / CELLS - 0.5
    pool = np.maximum(0, 1 - np.abs(places - centres[:, None]) * CELLS / size / 1.5).astype(np.float32)
    smooth = np.maximum(0, 2 - np.abs(places - places[:, None])).astype(np.float32) / 4
    slope = (np.eye(size, k=1) - np.eye(size, k=-1)).astype(np.float32) / 2
    found = np.empty((len(images), DIRECTIONS, CELLS, CELLS), np.float32)
    for start in range(0, len(images), _CHUNK):
        pixels = smooth @ (images[start : start + _CHUNK].astype(np.float32) / np.float32(255)) @ smooth.T
        down, right = slope @ pixels, pixels @ slope.T
        strength, turn = np.hypot(down, right), np.arctan2(down, right) % np.pi * np.float32(DIRECTIONS / np.pi)
        for direction in range(DIRECTIONS):
            apart = np.abs(turn - direction)
            near = np.maximum(0, 1 - np.minimum(apart, DIRECTIONS - apart))
            found[start : start + _CHUNK, direction] = pool @ (strength * near) @ pool.T
    flat = found.reshape(len(images), -1)
    result: NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(_LEAST))
    return result


def apart(images: NDArray[np.uint8]) -> FloatArray:
    """Return the share of ink that lies apart from the largest piece: uint8 (N, H, W) to float64 (N,).

    Pieces are apart where more than two pixels of ground lie between them.
    """
    shares = np.zeros(len(images))
    around = np.ones((3, 3))
    for row, image in enumerate(images):
        ink = image >= _INK
        pieces, count = ndimage.label(ndimage.binary_dilation(ink, around), around)
        if count > 1:
            weights = np.bincount(pieces[ink], image[ink], count + 1)
            shares[row] = 1 - weights.max() / weights.sum()
    return shares


@dataclass(frozen=True, eq=False)
class Memory:
    """Training images to compare with.

    Attributes
    ----------
    points : ndarray
        float32, shape (M, P): their pixels in [0, 1].
    squares : ndarray
        float32, shape (M,): squared length of each.
    shapes : ndarray
        float32, shape (S, 392): the `outlines` of these and others.
    labels : ndarray
        int64, shape (S,): the classes of the latter.
    """

    points: NDArray[np.float32]
    squares: NDArray[np.float32]
    shapes: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, training: Split, count: int = REMEMBERED) -> Memory:
        """Keep so many images of a split, of every class in proportion, the same ones every time."""
        if not len(training):
            raise DataError("There are no training images to compare with.")
        points = _points(training.images[_some(training, count)])
        rows = _some(training, 3 * count)
        shapes = outlines(training.images[rows])
        return cls(points, np.einsum("ij,ij->i", points, points), shapes, training.labels[rows])

    def unlikeness(self, images: NDArray[np.uint8], predicted: NDArray[np.int64]) -> FloatArray:
        """Return how far outlines are from those of the fifth nearest one of the predicted class: (N,) to float64 (N,).

        The Euclidean distance between `outlines`, from 0 to 1.42; of a class without images, among all.
        """
        found, shapes = np.empty(len(images)), outlines(images)
        for label in np.unique(predicted):
            rows, same = predicted == label, self.labels == label
            among = self.shapes[same] if same.any() else self.shapes
            rank = min(NEIGHBOUR, len(among))
            likeness = np.partition(shapes[rows] @ among.T, -rank, axis=1)[:, -rank]
            found[rows] = np.sqrt(np.maximum(2 - 2 * likeness.astype(np.float64), 0))
        return found

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
    """What values of a score are usual.

    Attributes
    ----------
    values : ndarray
        float64, shape (V,): those of the validation images, sorted.
    least : float
        The smallest range from their median to their 99th percentile that counts as one.
    """

    values: FloatArray
    least: float = _LEAST

    @classmethod
    def of(cls, values: FloatArray, least: float = _LEAST) -> Usual:
        """Take note of the values of the validation images, in any order."""
        return cls(np.sort(values), least)

    def excess(self, values: FloatArray) -> FloatArray:
        """Return 0 up to the median, 1 at the 99th percentile, and on in proportion: (N,) to (N,)."""
        middle, high = np.quantile(self.values, [0.5, SHARE])
        excess: FloatArray = np.maximum(values - middle, 0) / max(high - middle, self.least)
        return excess

    def percentile(self, value: float) -> float:
        """Return the percentage of the validation images that have a lower value."""
        return 100 * float(np.searchsorted(self.values, value, side="left")) / len(self.values)


def _some(training: Split, count: int) -> NDArray[np.int64]:
    """Return the rows of so many images, the same ones every time."""
    return stratify(training.labels, count)[1] if len(training) > count else np.arange(len(training))


def _points(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
