"""Precision against recall: one class against the rest, and two averages over the classes.

The average precision is the sum over the steps of precision times the gain in recall, without interpolation
(scikit-learn's `average_precision_score`): straight lines between the points would promise precisions that no
threshold reaches (J. Davis & M. Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import FloatArray, IntArray
from explorer.analysis.evaluation.ranking import Areas, Curves, Ranking, rank

MAX_POINTS = 400
PLOT = (800, 400)
"""Width and height in pixels of the plot for which curves are thinned."""

TOLERANCE = 0.25
"""Pixels by which a thinned curve may always differ; more only where `max_points` do not suffice."""


def simplify(x: FloatArray, y: FloatArray, max_points: int = MAX_POINTS) -> IntArray:
    """Choose the points of a line that a chart needs (Douglas & Peucker, Cartographica 10, 1973).

    The line between the ends is split where it is farthest from the curve until nothing is farther than `TOLERANCE`;
    here all parts are split at once, which gives the same points. Of more than `max_points` those stay at which the
    distance was greatest.

    Parameters
    ----------
    x, y : ndarray
        float64, shape (K,), shares of the axes of a plot of `PLOT` pixels; neighbours are joined by straight lines.
    max_points : int
        The most points to keep, at least 2.

    Returns
    -------
    ndarray
        int64, rising: the places of the points to keep, first and last among them.
    """
    if max_points < 2:
        raise ValueError("a curve needs at least 2 points")
    if len(x) <= max_points:
        return np.arange(len(x))
    points = x * PLOT[0] + 1j * (y * PLOT[1])
    gains = np.zeros(len(x))
    gains[[0, -1]] = np.inf
    starts, ends = np.array([0]), np.array([len(x) - 1])
    while len(starts):
        places, worst = _farthest(points, starts, ends)
        far = worst > TOLERANCE
        starts, ends, places = starts[far], ends[far], places[far]
        gains[places] = np.minimum(worst[far], np.minimum(gains[starts], gains[ends]))
        starts, ends = np.concatenate([starts, places]), np.concatenate([places, ends])
    kept = np.flatnonzero(gains)
    if len(kept) > max_points:
        kept = np.sort(kept[np.argpartition(-gains[kept], max_points - 1)[:max_points]])
    return kept


def _farthest(points: IntArray, starts: IntArray, ends: IntArray) -> tuple[IntArray, FloatArray]:
    """Find the point of each part that is farthest from the line between the part's ends, and how far it is."""
    sizes = ends - starts
    first = np.cumsum(sizes) - sizes
    part = np.repeat(np.arange(len(starts)), sizes)
    place = np.arange(len(part)) + np.repeat(starts - first, sizes)
    chord = points[ends] - points[starts]
    squared = np.maximum((chord * chord.conj()).real, 1e-30)
    offset = points[place] - points[starts][part]
    along = ((offset * chord.conj()[part]).real / squared[part]).clip(0, 1)
    distance = np.abs(offset - along * chord[part])
    worst = np.maximum.reduceat(distance, first)
    candidates = np.flatnonzero(distance == worst[part])
    chosen = candidates[np.unique(part[candidates], return_index=True)[1]]
    return place[chosen], worst


_UNDEFINED = np.empty(0)


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """One curve from recall 0 to recall 1, or none where there are no positives.

    Attributes
    ----------
    name : str
        The class, `micro` or `macro`.
    recall, precision : ndarray
        float64, shape (K,), recall rising from 0, where the precision is 1 by convention; between two points the
        precision is that of the second. Empty where the curve is undefined.
    thresholds : ndarray
        An image counts as positive from this score on, float64, shape (K,), falling from infinity. NaN for `macro`,
        whose points belong to no single threshold.
    average_precision : float
        Area under the steps; NaN where undefined.
    """

    name: str
    recall: FloatArray
    precision: FloatArray
    thresholds: FloatArray
    average_precision: float

    @property
    def defined(self) -> bool:
        """Whether there were positives."""
        return len(self.recall) > 0

    @property
    def area(self) -> float:
        """The area under the curve: `average_precision`."""
        return self.average_precision

    def outline(self, max_points: int = MAX_POINTS, corner: float = 1.0) -> PrecisionRecallCurve:
        """Turn the steps into a line for a chart, whose points are to be joined by straight lines.

        Parameters
        ----------
        max_points : int
            The most points, at least 2. Of a larger line those are left out that make the least difference: for
            test images less than a pixel of a plot of 800 by 400.
        corner : float
            Side of the square in the upper right that the chart shows, in (0, 1]. The line then begins just outside.

        Returns
        -------
        PrecisionRecallCurve
            The average precision stays that of the full curve.
        """
        if not self.defined:
            return self
        recall = np.repeat(self.recall, 2)[:-1]
        precision, thresholds = (np.repeat(values, 2)[1:] for values in (self.precision, self.thresholds))
        first = max(0, int(np.searchsorted(recall, 1 - corner)) - 1)
        kept = first + simplify(recall[first:] / corner, precision[first:] / corner, max_points)
        return PrecisionRecallCurve(self.name, recall[kept], precision[kept], thresholds[kept], self.average_precision)


class PrecisionRecallCurves(Curves[PrecisionRecallCurve]):
    """The curves of all classes and their averages.

    `macro` is the mean of the precisions of the defined classes at every recall.
    """

    def average_precision_document(self) -> Areas:
        """Average precisions for JSON: `macro`, `micro` and `per_class` in class order; None where undefined."""
        return self._areas()

    @staticmethod
    def _of(name: str, ranking: Ranking) -> PrecisionRecallCurve:
        return _curve(name, ranking)

    @staticmethod
    def _mean(curves: tuple[PrecisionRecallCurve, ...]) -> PrecisionRecallCurve:
        return _macro_average(curves)


def binary_precision_recall(name: str, positive: NDArray[np.bool_], scores: FloatArray) -> PrecisionRecallCurve:
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
    PrecisionRecallCurve
        Of several thresholds with the same recall only the highest and the lowest are kept, as by scikit-learn with
        `drop_intermediate`.
    """
    return _curve(name, rank(positive, scores))


def _curve(name: str, ranking: Ranking) -> PrecisionRecallCurve:
    if not ranking.positives:
        return PrecisionRecallCurve(name, _UNDEFINED, _UNDEFINED, _UNDEFINED, float("nan"))
    rises = np.diff(ranking.true, prepend=0) > 0
    corner = rises | np.append(rises[1:], True)
    corner[0] = True
    true = ranking.true[corner]
    recall = np.append(0, true) / ranking.positives
    precision = np.append(1.0, true / (true + ranking.false[corner]))
    area = float(np.diff(recall) @ precision[1:])
    return PrecisionRecallCurve(name, recall, precision, np.append(np.inf, ranking.scores[corner]), area)


def _macro_average(curves: tuple[PrecisionRecallCurve, ...]) -> PrecisionRecallCurve:
    """Average the steps on the union of their recalls."""
    defined = [curve for curve in curves if curve.defined]
    if not defined:
        return PrecisionRecallCurve("macro", _UNDEFINED, _UNDEFINED, _UNDEFINED, float("nan"))
    recall = np.unique(np.concatenate([curve.recall for curve in defined]))
    steps = [curve.precision[np.searchsorted(curve.recall, recall)] for curve in defined]
    area = float(np.mean([curve.average_precision for curve in defined]))
    return PrecisionRecallCurve("macro", recall, np.mean(steps, axis=0), np.full(len(recall), np.nan), area)
