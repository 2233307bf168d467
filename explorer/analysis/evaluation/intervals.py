"""How sure a figure is: 95% intervals of shares and of areas under ROC curves.

Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), for a share. DeLong,
DeLong & Clarke-Pearson, Biometrics 44 (1988), in the order N log N of Sun & Xu, IEEE Signal Processing Letters 21
(2014), for the area of one class. Bootstrap percentiles (Efron & Tibshirani, 1993) for the averages, whose pairs of
image and class are not independent: images are resampled, not pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.ranking import Ranking, Rankings, rank
from explorer.analysis.files import or_none

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions


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


EXACT = 5_000_000
"""Up to so many comparisons of two scores (700 images of ten classes), areas are counted pair by pair."""

_AT_ONCE = 250_000


def bootstrap_averages(predictions: Predictions, rankings: Rankings, resamples: int, seed: int) -> FloatArray:
    """Draw images with replacement and compute the average areas.

    Of few images (`EXACT`) each area is counted pair by pair. Of more it is taken to first order in the numbers of
    times that the images are drawn (Hoeffding, Annals of Mathematical Statistics 19, 1948). What that leaves out
    shrinks faster than the spread of the areas: for 10,000 test images it is 2% of the spread (measured on the shipped
    `lenet` and `mlp`, 40 resamples), which makes an interval narrower by less than a thousandth.

    Parameters
    ----------
    predictions : Predictions
    rankings : Rankings
        Those of the predictions.
    resamples : int
        How often to draw.
    seed : int
        Of the bootstrap's own generator.

    Returns
    -------
    ndarray
        float64, shape (resamples, 2): macro and micro area of each resample; NaN where undefined, and where no class
        has two images: every resample would be the same, and no width is not certainty.
    """
    results = np.full((resamples, 2), np.nan)
    if np.bincount(predictions.labels, minlength=1).max() < 2:
        return results
    areas = _areas(predictions, rankings)
    random = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // predictions.n)
    for start in range(0, resamples, step):
        part = results[start : start + step]
        part[:] = areas(draw(np.bincount(predictions.labels), len(part), random))
    return results


def draw(sizes: IntArray, resamples: int, random: np.random.Generator) -> FloatArray:
    """Draw from each class as many images as it has, with replacement.

    Parameters
    ----------
    sizes : ndarray
        int64, shape (C,): images of each class, N in all.
    resamples : int
    random : Generator

    Returns
    -------
    ndarray
        float64, shape (resamples, N): how often each image was drawn, the images class by class.
    """
    n = int(sizes.sum())
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    # A 32-bit fraction of the size: four times as fast as doubles, and even to one part in 2^32 / size.
    drawn = random.integers(2**32, size=(resamples, n), dtype=np.uint32) * np.repeat(sizes, sizes)
    drawn >>= 32
    drawn += first
    drawn += n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


def _areas(predictions: Predictions, rankings: Rankings) -> Callable[[FloatArray], FloatArray]:
    """Return what computes (macro, micro) from how often each image is drawn, for several resamples at once."""
    order = np.argsort(predictions.labels, kind="stable")
    if predictions.n * predictions.logits.size <= EXACT:
        return exact(predictions.probabilities[order], predictions.labels[order])
    areas, slopes = first_order(predictions, rankings)
    slopes = slopes[order]
    return lambda counts: areas + counts @ slopes


def first_order(predictions: Predictions, rankings: Rankings) -> tuple[FloatArray, FloatArray]:
    """Compute the areas, shape (2,), and by how much they change if an image is drawn once more, shape (N, 2)."""
    n, size = predictions.logits.shape
    slopes = np.zeros((n, 2))
    defined = [(k, ranking) for k, ranking in enumerate(rankings.per_class) if ranking.defined]
    for k, ranking in defined:
        of_positive = ranking.per_image(ranking.negatives_below - ranking.auc) / ranking.positives
        of_negative = ranking.per_image(ranking.positives_above - ranking.auc) / ranking.negatives
        slopes[:, 0] += np.where(predictions.labels == k, of_positive, of_negative) / len(defined)
    micro = rankings.micro
    of_positive = micro.per_image(micro.negatives_below - micro.auc).reshape(size, n) / micro.positives
    of_negative = micro.per_image(micro.positives_above - micro.auc).reshape(size, n) / micro.negatives
    own = predictions.labels, np.arange(n)
    slopes[:, 1] = of_positive[own] + of_negative.sum(axis=0) - of_negative[own]
    macro = float(np.mean([ranking.auc for _, ranking in defined])) if defined else np.nan
    return np.array([macro, micro.auc]), slopes


def exact(scores: FloatArray, labels: IntArray) -> Callable[[FloatArray], FloatArray]:
    """Compare all pairs once; return what counts the won ones for images drawn so often, (R, N) -> (R, 2)."""
    n, size = scores.shape
    own = scores[np.arange(n), labels]
    pooled, per_class = np.zeros((n, n)), []
    for k in range(size):
        positive, negative = np.flatnonzero(labels == k), np.flatnonzero(labels != k)
        won = _wins(own, scores[negative, k])
        pooled[:, negative] += won
        if len(positive) and len(negative):
            per_class.append((positive, negative, won[positive] / (len(positive) * len(negative))))
    pooled /= n * n * (size - 1)

    def areas(counts: FloatArray) -> FloatArray:
        shares = [((counts[:, i] @ won) * counts[:, j]).sum(axis=1) for i, j, won in per_class]
        macro = np.mean(shares, axis=0) if shares else np.full(len(counts), np.nan)
        return np.stack([macro, ((counts @ pooled) * counts).sum(axis=1)], axis=1)

    return areas


def _wins(positives: FloatArray, negatives: FloatArray) -> FloatArray:
    """Count 1 where a positive outranks a negative and a half where they are equal, shape (P, N)."""
    return np.heaviside(positives[:, None] - negatives, 0.5)
