"""Receiver operating characteristic: one class against the rest, and two averages over the classes.

After T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006), 861-874. The area
is the exact integral of the straight-line curve, in which equal scores form one step, so it equals the
Mann-Whitney statistic: the probability that a random positive outranks a random negative, ties counting half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.predictions import FloatArray, Predictions

_UNDEFINED = np.empty(0)


@dataclass(frozen=True, eq=False)
class RocCurve:
    """One curve from (0, 0) to (1, 1), or none where it is undefined.

    Attributes
    ----------
    name : str
        The class, `micro` or `macro`.
    fpr, tpr : ndarray
        False and true positive rates at the corners of the curve, float64, shape (K,), both rising; empty
        where the curve is undefined, that is without positives or without negatives.
    thresholds : ndarray
        An image counts as positive from this score on, float64, shape (K,), falling from infinity. NaN for
        `macro`, whose points belong to no single threshold.
    auc : float
        Area under the full curve; NaN where undefined.
    """

    name: str
    fpr: FloatArray
    tpr: FloatArray
    thresholds: FloatArray
    auc: float

    @property
    def defined(self) -> bool:
        """Whether there were both positives and negatives."""
        return len(self.fpr) > 0

    def thin(self, max_points: int = 400) -> RocCurve:
        """Take points off the curve that a chart cannot show; the area stays that of the full curve.

        A curve with more points is replaced by points spaced evenly along it, by the sum of both rates.
        Between two of them it rises by no more than 2 / (max_points - 1) in all, so no point of the full
        curve is farther than 0.71 / (max_points - 1) of the axis from the drawn one: below one pixel of
        `max_points`.

        Parameters
        ----------
        max_points : int
            The most points to keep, at least 2.

        Returns
        -------
        RocCurve
            The curve itself where it is small enough.
        """
        if max_points < 2:
            raise ValueError("a curve needs at least 2 points")
        if len(self.fpr) <= max_points:
            return self
        walked = self.fpr + self.tpr
        at = np.linspace(0.0, 2.0, max_points)
        reached = np.searchsorted(walked, at, side="right") - 1
        return RocCurve(
            self.name,
            np.interp(at, walked, self.fpr),
            np.interp(at, walked, self.tpr),
            self.thresholds[reached],
            self.auc,
        )


@dataclass(frozen=True, eq=False)
class RocCurves:
    """The curves of all classes and their averages.

    Attributes
    ----------
    per_class : tuple of RocCurve
        One class against the rest, ranked by the probability of the class, in the order of the classes.
    micro : RocCurve
        All N x C pairs of image and class pooled into one curve.
    macro : RocCurve
        The mean of the true positive rates of the defined classes at every false positive rate; its area is
        the mean of their areas.
    """

    per_class: tuple[RocCurve, ...]
    micro: RocCurve
    macro: RocCurve

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> RocCurves:
        """Compute every curve at full resolution."""
        scores = np.ascontiguousarray(predictions.probabilities.T)
        positive = predictions.labels == np.arange(len(predictions.classes))[:, None]
        per_class = tuple(
            binary_curve(name, truth, score)
            for name, truth, score in zip(predictions.classes, positive, scores, strict=True)
        )
        micro = binary_curve("micro", positive.ravel(), scores.ravel())
        return cls(per_class, micro, _macro_average(per_class))

    def auc_document(self) -> dict[str, float | list[float | None] | None]:
        """Areas for JSON: `macro`, `micro` and `per_class` in class order; None where undefined."""
        return {
            "macro": _or_none(self.macro.auc),
            "micro": _or_none(self.micro.auc),
            "per_class": [_or_none(curve.auc) for curve in self.per_class],
        }


def binary_curve(name: str, positive: NDArray[np.bool_], scores: FloatArray) -> RocCurve:
    """Compute the curve of one ranking.

    Parameters
    ----------
    name : str
        What it is called.
    positive : ndarray
        bool, shape (N,).
    scores : ndarray
        float64, shape (N,), finite; the higher, the more positive. Equal scores make one step of the curve.

    Returns
    -------
    RocCurve
        At its corners: steps in one direction are joined, the area is counted over every step.
    """
    positives = int(np.count_nonzero(positive))
    negatives = len(positive) - positives
    if not positives or not negatives:
        return RocCurve(name, _UNDEFINED, _UNDEFINED, _UNDEFINED, float("nan"))
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    last_of_ties = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    true = np.cumsum(positive[order])[last_of_ties]
    false = last_of_ties + 1 - true
    doubled_area = int(np.diff(false, prepend=0) @ (true + np.append(0, true[:-1])))
    corner = _corners(false, true)
    return RocCurve(
        name,
        np.append(0, false[corner]) / negatives,
        np.append(0, true[corner]) / positives,
        np.append(np.inf, ranked[last_of_ties[corner]]),
        doubled_area / (2 * positives * negatives),
    )


def _corners(false: NDArray[np.int64], true: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the points at which the curve changes direction or pace, and both ends."""
    corner = np.ones(len(false), dtype=bool)
    corner[1:-1] = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    return corner


def _macro_average(curves: tuple[RocCurve, ...]) -> RocCurve:
    """Average curves vertically on the union of their false positive rates, vertical steps kept."""
    defined = [curve for curve in curves if curve.defined]
    if not defined:
        return RocCurve("macro", _UNDEFINED, _UNDEFINED, _UNDEFINED, float("nan"))
    grid = np.unique(np.concatenate([curve.fpr for curve in defined]))
    limits = np.mean([_limits(curve, grid) for curve in defined], axis=0)
    fpr, tpr = np.repeat(grid, 2), limits.T.ravel()
    tpr[0] = 0.0
    moved = np.append(True, (np.diff(fpr) > 0) | (np.diff(tpr) > 0))
    thresholds = np.full(int(moved.sum()), np.nan)
    area = float(np.mean([curve.auc for curve in defined]))
    return RocCurve("macro", fpr[moved], tpr[moved], thresholds, area)


def _limits(curve: RocCurve, grid: FloatArray) -> FloatArray:
    """Read the true positive rates just before and just after each false positive rate, shape (2, G)."""
    starts = np.flatnonzero(np.append(True, np.diff(curve.fpr) > 0))
    ends = np.append(starts[1:], len(curve.fpr)) - 1
    rates, lower, upper = curve.fpr[starts], curve.tpr[starts], curve.tpr[ends]
    at = np.searchsorted(rates, grid, side="right") - 1
    following = np.minimum(at + 1, len(rates) - 1)
    gap = np.where(following > at, rates[following] - rates[at], 1.0)
    between = upper[at] + (lower[following] - upper[at]) * (grid - rates[at]) / gap
    on_corner = rates[at] == grid
    return np.stack([np.where(on_corner, lower[at], between), np.where(on_corner, upper[at], between)])


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
