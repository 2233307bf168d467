"""How sure a figure is: 95% intervals of shares and of areas under ROC curves.

Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), for a share. DeLong,
DeLong & Clarke-Pearson, Biometrics 44 (1988), in the order N log N of Sun & Xu, IEEE Signal Processing Letters 21
(2014), for the area of one class. Bootstrap percentiles (Efron & Tibshirani, 1993) for the averages, whose pairs of
image and class are not independent: images are resampled, not pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.analysis._json import or_none
from explorer.analysis.bootstrap import bootstrap_averages
from explorer.analysis.ranking import Ranking, Rankings, rank

if TYPE_CHECKING:
    from explorer.analysis.predictions import FloatArray, Predictions

CONFIDENCE = 0.95
RESAMPLES = 1000


class Interval(NamedTuple):
    """Both ends; NaN where undefined."""

    low: float
    high: float

    def document(self) -> list[float | None]:
        """Both ends for JSON."""
        return [or_none(self.low), or_none(self.high)]


UNDEFINED = Interval(math.nan, math.nan)


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a share (Wilson, JASA 22, 1927); NaN without observations.

    Parameters
    ----------
    successes, n : int
    confidence : float
        Probability with which such intervals hold the true share.
    """
    if n == 0:
        return UNDEFINED
    z = _quantile(confidence)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True)
class DeLong:
    """An area under a ROC curve, the variance of its estimate and its interval; NaN where undefined.

    Attributes
    ----------
    auc, variance : float
        The variance needs two positives and two negatives. It is 0 where every positive is above every negative:
        the method then says nothing of how sure the area is.
    interval : Interval
        Area plus and minus the normal quantile times the standard error, cut off at 0 and 1.
    """

    auc: float
    variance: float
    interval: Interval


def delong(positive: NDArray[np.bool_], scores: FloatArray, confidence: float = CONFIDENCE) -> DeLong:
    """Compute an area under a ROC curve with its interval (DeLong et al. 1988; Sun & Xu 2014).

    Parameters
    ----------
    positive : ndarray
        bool, shape (N,).
    scores : ndarray
        float64, shape (N,), finite; equal ones count half.
    confidence : float
        Probability with which such intervals hold the true area.
    """
    return _delong(rank(positive, scores), confidence)


@dataclass(frozen=True)
class AucIntervals:
    """Intervals of all areas of `RocCurves`.

    Attributes
    ----------
    per_class : tuple of Interval
        By DeLong, in the order of the classes.
    macro, micro : Interval
        Bootstrap percentiles: images are drawn with replacement, as many of each class as there are.
    resamples : int
        How many times they were drawn.
    confidence : float
    """

    per_class: tuple[Interval, ...]
    macro: Interval
    micro: Interval
    resamples: int
    confidence: float

    @classmethod
    def from_predictions(
        cls,
        predictions: Predictions,
        resamples: int = RESAMPLES,
        seed: int = 0,
        confidence: float = CONFIDENCE,
        rankings: Rankings | None = None,
    ) -> AucIntervals:
        """Compute every interval.

        Parameters
        ----------
        predictions : Predictions
        resamples : int
            Bootstrap samples, at least 1.
        seed : int
            Of the bootstrap's own generator; the same seed gives the same interval.
        confidence : float
        rankings : Rankings, optional
            Those of the predictions, where they are there already.
        """
        ranked = rankings or Rankings.from_predictions(predictions)
        per_class = tuple(_delong(ranking, confidence).interval for ranking in ranked.per_class)
        tail = (1 - confidence) / 2
        averages = bootstrap_averages(predictions, ranked, resamples, seed)
        macro, micro = (Interval(*map(float, np.quantile(areas, [tail, 1 - tail]))) for areas in averages.T)
        return cls(per_class, macro, micro, resamples, confidence)

    def document(self) -> dict[str, list[float | None] | list[list[float | None]] | int]:
        """Intervals for JSON: `macro`, `micro`, `per_class`, each `[low, high]`, and `resamples`."""
        return {
            "macro": self.macro.document(),
            "micro": self.micro.document(),
            "per_class": [interval.document() for interval in self.per_class],
            "resamples": self.resamples,
        }


def _delong(ranking: Ranking, confidence: float) -> DeLong:
    """Average over the steps, for in a step all positives have one placement and all negatives another."""
    if not ranking.defined:
        return DeLong(math.nan, math.nan, UNDEFINED)
    auc, positives, negatives = ranking.auc, ranking.positives, ranking.negatives
    if positives < 2 or negatives < 2:
        return DeLong(auc, math.nan, UNDEFINED)
    of_positives = np.diff(ranking.true, prepend=0) @ (ranking.negatives_below - auc) ** 2 / (positives - 1)
    of_negatives = np.diff(ranking.false, prepend=0) @ (ranking.positives_above - auc) ** 2 / (negatives - 1)
    variance = float(of_positives / positives + of_negatives / negatives)
    margin = _quantile(confidence) * math.sqrt(variance)
    return DeLong(auc, variance, Interval(max(0.0, auc - margin), min(1.0, auc + margin)))


def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
