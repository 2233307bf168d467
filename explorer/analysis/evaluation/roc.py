"""Receiver operating characteristic: one class against the rest, and two averages over the classes.

After T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006), 861-874. The area
is the exact integral of the straight-line curve, in which equal scores form one step, so it equals the
Mann-Whitney statistic: the probability that a random positive outranks a random negative, ties counting half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import FloatArray
from explorer.analysis.evaluation.ranking import Areas, Curves, Ranking, rank

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

    @property
    def area(self) -> float:
        """The area under the curve: `auc`."""
        return self.auc

    def thin(self, max_points: int = 400, corner: float = 1.0) -> RocCurve:
        """Take points off the curve that a chart cannot show; the area stays that of the full curve.

        A curve with more points is replaced by points spaced evenly along it, by the sum of both rates.
        Between two of them it rises by no more than 2 / (max_points - 1) in all, so no point of the full
        curve is farther than 0.71 / (max_points - 1) of the axis from the drawn one: with 400 points, below
        one pixel of a plot of 560 by 560 (and of 1,000 by 430).

        Parameters
        ----------
        max_points : int
            The most points to keep, at least 2.
        corner : float
            Side of the square in the upper left that the chart shows, in (0, 1]. All points are spent on the part of
            the curve within it, and the distance shrinks with it: still below a pixel of such a plot. A curve that
            stays out of the square is thinned as a whole.

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
        enters = np.interp(1 - corner, self.tpr, walked) if corner < 1 else 0.0
        leaves = np.interp(corner, self.fpr, walked) if corner < 1 else 2.0
        at = np.linspace(enters, leaves, max_points) if enters < leaves else np.linspace(0.0, 2.0, max_points)
        reached = np.searchsorted(walked, at, side="right") - 1
        return RocCurve(
            self.name,
            np.interp(at, walked, self.fpr),
            np.interp(at, walked, self.tpr),
            self.thresholds[reached],
            self.auc,
        )


class RocCurves(Curves[RocCurve]):
    """The curves of all classes and their averages.

    `macro` is the mean of the true positive rates of the defined classes at every false positive rate.
    """

    def auc_document(self) -> Areas:
        """Areas for JSON: `macro`, `micro` and `per_class` in class order; None where undefined."""
        return self._areas()

    @staticmethod
    def _of(name: str, ranking: Ranking) -> RocCurve:
        return _curve(name, ranking)

    @staticmethod
    def _mean(curves: tuple[RocCurve, ...]) -> RocCurve:
        return _macro_average(curves)


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
    return _curve(name, rank(positive, scores))


def _curve(name: str, ranking: Ranking) -> RocCurve:
    if not ranking.defined:
        return RocCurve(name, _UNDEFINED, _UNDEFINED, _UNDEFINED, float("nan"))
    false, true = ranking.false, ranking.true
    corner = _corners(false, true)
    return RocCurve(
        name,
        np.append(0, false[corner]) / ranking.negatives,
        np.append(0, true[corner]) / ranking.positives,
        np.append(np.inf, ranking.scores[corner]),
        ranking.auc,
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
