"""Precision against recall: one class against the rest, and two averages over the classes.

The average precision is the sum over the steps of precision times the gain in recall, without interpolation
(scikit-learn's `average_precision_score`): straight lines between the points would promise precisions that no
threshold reaches (J. Davis & M. Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis._json import or_none
from explorer.analysis.predictions import FloatArray, Predictions
from explorer.analysis.ranking import Ranking, Rankings, rank
from explorer.analysis.thinning import MAX_POINTS, simplify

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

    def outline(self, max_points: int = MAX_POINTS) -> PrecisionRecallCurve:
        """Turn the steps into a line for a chart, whose points are to be joined by straight lines.

        Parameters
        ----------
        max_points : int
            The most points, at least 2. Of a larger line those are left out that make the least difference: for
            test images less than a pixel of a plot of 800 by 400.

        Returns
        -------
        PrecisionRecallCurve
            The average precision stays that of the full curve.
        """
        if not self.defined:
            return self
        recall = np.repeat(self.recall, 2)[:-1]
        precision, thresholds = (np.repeat(values, 2)[1:] for values in (self.precision, self.thresholds))
        kept = simplify(recall, precision, max_points)
        return PrecisionRecallCurve(self.name, recall[kept], precision[kept], thresholds[kept], self.average_precision)


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurves:
    """The curves of all classes and their averages.

    Attributes
    ----------
    per_class : tuple of PrecisionRecallCurve
        One class against the rest, ranked by the probability of the class, in the order of the classes.
    micro : PrecisionRecallCurve
        All N x C pairs of image and class pooled into one curve.
    macro : PrecisionRecallCurve
        The mean of the precisions of the defined classes at every recall; its area is the mean of their average
        precisions.
    """

    per_class: tuple[PrecisionRecallCurve, ...]
    micro: PrecisionRecallCurve
    macro: PrecisionRecallCurve

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> PrecisionRecallCurves:
        """Compute every curve at full resolution."""
        return cls.from_rankings(Rankings.from_predictions(predictions))

    @classmethod
    def from_rankings(cls, rankings: Rankings) -> PrecisionRecallCurves:
        """Compute every curve from rankings that are there already."""
        both = zip(rankings.classes, rankings.per_class, strict=True)
        per_class = tuple(_curve(name, ranking) for name, ranking in both)
        return cls(per_class, _curve("micro", rankings.micro), _macro_average(per_class))

    def average_precision_document(self) -> dict[str, float | list[float | None] | None]:
        """Average precisions for JSON: `macro`, `micro` and `per_class` in class order; None where undefined."""
        return {
            "macro": or_none(self.macro.average_precision),
            "micro": or_none(self.micro.average_precision),
            "per_class": [or_none(curve.average_precision) for curve in self.per_class],
        }


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
