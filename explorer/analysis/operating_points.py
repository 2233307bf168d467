"""What a classifier of one class against the rest does at each of many thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explorer.analysis.predictions import FloatArray, IntArray
from explorer.analysis.ranking import Ranking


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """Counts at several thresholds; an image counts as positive from the threshold on.

    Attributes
    ----------
    thresholds : ndarray
        float64, shape (K,).
    true, false : ndarray
        int64, shape (K,): positives and negatives that are called positive.
    positives, negatives : int
        How many there are.
    """

    thresholds: FloatArray
    true: IntArray
    false: IntArray
    positives: int
    negatives: int

    @classmethod
    def from_ranking(cls, ranking: Ranking, thresholds: FloatArray | None = None) -> OperatingPoints:
        """Count at thresholds, by default at every score that occurs, the highest first."""
        at = ranking.scores if thresholds is None else thresholds
        steps = np.searchsorted(-ranking.scores, -at, side="right")
        true, false = (np.append(0, counts)[steps] for counts in (ranking.true, ranking.false))
        return cls(at, true, false, ranking.positives, ranking.negatives)

    @property
    def recall(self) -> FloatArray:
        """Share of the positives that are found, shape (K,); NaN without positives."""
        return _shares(self.true, self.positives)

    @property
    def false_positive_rate(self) -> FloatArray:
        """Share of the negatives that are called positive, shape (K,); NaN without negatives."""
        return _shares(self.false, self.negatives)

    @property
    def precision(self) -> FloatArray:
        """Share of positives among those called so, shape (K,); 1 where none is, as on the curve."""
        called = self.true + self.false
        return np.where(called > 0, self.true / np.maximum(called, 1), 1.0)


def spread(x: FloatArray, y: FloatArray, points: int) -> IntArray:
    """Choose points that lie about evenly along a curve.

    Parameters
    ----------
    x, y : ndarray
        float64, shape (K,), in units of the picture.
    points : int
        The most to choose, at least 2.

    Returns
    -------
    ndarray
        int64, rising: places of the points, both ends among them. The way between two neighbours, along x and then
        along y, is at most 1 / (points - 1) of the whole and one step of the curve.
    """
    if len(x) <= points:
        return np.arange(len(x))
    walked = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    places: IntArray = np.unique(np.searchsorted(walked, np.linspace(0, walked[-1], points)))
    places[-1] = len(x) - 1
    return places


def _shares(counts: IntArray, whole: int) -> FloatArray:
    return counts / whole if whole else np.full(len(counts), np.nan)
