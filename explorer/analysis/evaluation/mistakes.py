"""Which images go wrong: rows in a useful order, and the share of errors in parts of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.intervals import Interval, wilson
from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions
from explorer.errors import DataError

Key = Literal["loss", "confidence", "margin"]
KEYS: tuple[Key, ...] = ("loss", "confidence", "margin")

Kind = Literal["class", "predicted", "brightness", "ink"]
KINDS: tuple[Kind, ...] = ("class", "predicted", "brightness", "ink")

PARTS = 5


def ordered(
    predictions: Predictions, by: Key = "confidence", rows: IntArray | None = None, reverse: bool = False
) -> IntArray:
    """Put rows in order.

    Parameters
    ----------
    predictions : Predictions
    by : {"loss", "confidence", "margin"}
        The highest loss first; the highest confidence first; the smallest margin, the closest call, first.
    rows : ndarray, optional
        int64: the rows to order; by default those of the wrong predictions.
    reverse : bool
        The other way round.

    Returns
    -------
    ndarray
        int64; rows with equal values keep their order.
    """
    chosen = np.flatnonzero(~predictions.correct) if rows is None else rows
    values: FloatArray = getattr(predictions, by)[chosen]
    rising = (by == "margin") != reverse
    return chosen[np.argsort(values if rising else -values, kind="stable")]


@dataclass(frozen=True)
class Slice:
    """One part of a split and its errors.

    Attributes
    ----------
    name : str or None
        The class, where the split is divided by class.
    low, high : float
        Least and greatest value in the part, where it is divided by a measure; NaN otherwise and for an empty part.
    n, errors : int
    rate : float
        Share of errors; NaN for an empty part.
    interval : Interval
        Its 95% interval (Wilson).
    """

    name: str | None
    low: float
    high: float
    n: int
    errors: int
    rate: float
    interval: Interval


@dataclass(frozen=True, eq=False)
class Slices:
    """A split divided into parts.

    Attributes
    ----------
    by : str
        One of `KINDS`.
    parts : tuple of Slice
        In the order of the classes, or from dark to bright.
    members : ndarray
        int64, shape (N,): the part of each row.
    """

    by: Kind
    parts: tuple[Slice, ...]
    members: IntArray

    @classmethod
    def from_predictions(cls, predictions: Predictions, by: Kind, images: NDArray[np.uint8] | None = None) -> Slices:
        """Divide the images and count the errors.

        Parameters
        ----------
        predictions : Predictions
        by : {"class", "predicted", "brightness", "ink"}
            By true class, by predicted class, or in fifths by mean pixel (0 to 1) or by the share of pixels that are
            not black. Images with equal values come into the same part, so parts may differ in size and be empty.
        images : ndarray, optional
            uint8, shape (N, height, width): the images of the predictions, for brightness and ink.

        Raises
        ------
        DataError
            The images are missing or are not those of the predictions.
        """
        if by in ("class", "predicted"):
            members = predictions.labels if by == "class" else predictions.predicted
            parts = _parts(predictions, members, predictions.classes, None)
        else:
            values = _measure(predictions, by, images)
            members = _fifths(values)
            parts = _parts(predictions, members, (None,) * PARTS, values)
        return cls(by, parts, members)

    def rows(self, part: int) -> IntArray:
        """Return the rows of a part, in the order of the split."""
        return np.flatnonzero(self.members == part)


def brightness(images: NDArray[np.uint8]) -> FloatArray:
    """Return the mean pixel of each image, 0 black to 1 white, float64, shape (N,)."""
    means: FloatArray = images.sum(axis=(1, 2), dtype=np.uint64) / (255 * images.shape[1] * images.shape[2])
    return means


def ink(images: NDArray[np.uint8]) -> FloatArray:
    """Return the share of the pixels of each image that are not black, float64, shape (N,)."""
    shares: FloatArray = np.count_nonzero(images, axis=(1, 2)) / (images.shape[1] * images.shape[2])
    return shares


def _measure(predictions: Predictions, by: Kind, images: NDArray[np.uint8] | None) -> FloatArray:
    if images is None or len(images) != predictions.n:
        there = "none" if images is None else f"{len(images):,}"
        raise DataError(f"To divide by {by}, the {predictions.n:,} images of the predictions are needed, not {there}.")
    return brightness(images) if by == "brightness" else ink(images)


def _fifths(values: FloatArray) -> IntArray:
    if not len(values):
        return np.empty(0, dtype=np.int64)
    limits = np.quantile(values, np.arange(1, PARTS) / PARTS, method="inverted_cdf")
    return np.searchsorted(limits, values).astype(np.int64)


def _parts(
    predictions: Predictions, members: IntArray, names: tuple[str | None, ...], values: FloatArray | None
) -> tuple[Slice, ...]:
    counts = np.bincount(members, minlength=len(names))
    errors = np.bincount(members[~predictions.correct], minlength=len(names))
    parts = []
    for k, name in enumerate(names):
        n, wrong = int(counts[k]), int(errors[k])
        inside = values[members == k] if values is not None and n else np.array([np.nan])
        rate = wrong / n if n else float("nan")
        parts.append(Slice(name, float(inside.min()), float(inside.max()), n, wrong, rate, wilson(wrong, n)))
    return tuple(parts)
