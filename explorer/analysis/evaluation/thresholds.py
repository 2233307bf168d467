"""One class against the rest at a chosen threshold of its probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from explorer.analysis.evaluation.confusion import ClassElements
from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions
from explorer.analysis.evaluation.ranking import Ranking


def elements_at(predictions: Predictions, index: int, threshold: float) -> ClassElements:
    """Count the two-by-two table of a class if an image counts as positive from a threshold on.

    Parameters
    ----------
    predictions : Predictions
    index : int
        The class, 0 to C - 1.
    threshold : float
        The least probability of the class that counts as positive; above 1 nothing does.

    Returns
    -------
    ClassElements
        Its recall and false positive rate are the point of the class's ROC curve at this threshold, its precision and
        recall that of its precision-recall curve.

    Raises
    ------
    IndexError
        There is no such class.
    """
    _check(predictions, index)
    called = predictions.probabilities[:, index] >= threshold
    truth = predictions.labels == index
    hits = int(np.count_nonzero(called & truth))
    false_alarms = int(np.count_nonzero(called)) - hits
    missed = int(np.count_nonzero(truth)) - hits
    return ClassElements(
        name=predictions.classes[index],
        true_positives=hits,
        false_negatives=missed,
        false_positives=false_alarms,
        true_negatives=predictions.n - hits - missed - false_alarms,
    )


def crossing(predictions: Predictions, index: int, first: float, second: float) -> IntArray:
    """Find the images that change sides when the threshold moves from one value to another.

    Parameters
    ----------
    predictions : Predictions
    index : int
        The class, 0 to C - 1.
    first, second : float
        The thresholds; which is the higher makes no difference.

    Returns
    -------
    ndarray
        int64: rows that are positive at the lower threshold and negative at the higher one, the highest probability
        first; equals keep the order of the split.

    Raises
    ------
    IndexError
        There is no such class.
    """
    _check(predictions, index)
    scores = predictions.probabilities[:, index]
    rows = np.flatnonzero((scores >= min(first, second)) & (scores < max(first, second)))
    return rows[np.argsort(-scores[rows], kind="stable")]


def _check(predictions: Predictions, index: int) -> None:
    if not 0 <= index < len(predictions.classes):
        raise IndexError(f"class {index} of {len(predictions.classes)}")


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
