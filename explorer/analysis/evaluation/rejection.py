"""Accuracy against coverage: what is gained if the least certain images are left to a person.

R. El-Yaniv & Y. Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010); the area is that
of Y. Geifman, G. Uziel & R. El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.precision_recall import MAX_POINTS, simplify
from explorer.analysis.evaluation.predictions import FloatArray, Predictions


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """The accuracy on the images whose confidence reaches a threshold.

    Attributes
    ----------
    coverage : ndarray
        float64, shape (K,): share of the images that are kept, rising to 1; images with equal confidence are kept or
        rejected together.
    accuracy : ndarray
        float64, shape (K,): share of the kept ones that are classified correctly.
    thresholds : ndarray
        float64, shape (K,): the least confidence that is kept, falling.
    aurc : float
        Area under the risk-coverage curve: the mean, over all numbers of kept images, of the share of errors among
        them (their expected number where equal confidence leaves the order open); NaN without images.
    """

    coverage: FloatArray
    accuracy: FloatArray
    thresholds: FloatArray
    aurc: float

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> CoverageCurve:
        """Reject images one step of confidence after another."""
        n = predictions.n
        if not n:
            return cls(np.empty(0), np.empty(0), np.empty(0), float("nan"))
        order = np.argsort(-predictions.confidence)
        ranked = predictions.confidence[order]
        kept = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), n - 1) + 1
        errors = np.cumsum(~predictions.correct[order])[kept - 1]
        every = np.arange(1, n + 1)
        risks = np.interp(every, np.append(0, kept), np.append(0, errors)) / every
        return cls(kept / n, 1 - errors / kept, ranked[kept - 1], float(risks.mean()))

    def thin(self, max_points: int = MAX_POINTS) -> CoverageCurve:
        """Take points off the curve that a chart of 800 by 400 pixels, joining them by lines, cannot show."""
        at = simplify(self.coverage, self.accuracy, max_points)
        return CoverageCurve(self.coverage[at], self.accuracy[at], self.thresholds[at], self.aurc)

    def accuracy_at(self, coverage: float) -> float:
        """Return the accuracy if at least this share of the images is kept; NaN without images."""
        if not len(self.coverage):
            return float("nan")
        return float(self.accuracy[np.searchsorted(self.coverage[:-1], coverage)])


def kept(predictions: Predictions, share: float) -> tuple[NDArray[np.bool_], float]:
    """Keep the most certain images.

    Parameters
    ----------
    predictions : Predictions
        Of at least one image.
    share : float
        Of the images, above 0 to 1; more are kept where several have the least confidence.

    Returns
    -------
    kept : ndarray
        bool, shape (N,).
    threshold : float
        The least confidence that is kept.
    """
    n = predictions.n
    place = min(n, max(1, int(np.ceil(share * n - 1e-9)))) - 1
    threshold = float(-np.partition(-predictions.confidence, place)[place])
    return predictions.confidence >= threshold, threshold
