"""Whether a confidence of 80% means being right in 80% of cases, and one number that mends it.

After C. Guo, G. Pleiss, Y. Sun & K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions
from explorer.errors import CheckpointError

BINS = 15
"""Equal-width bins of confidence, as in the paper."""

COLDEST, HOTTEST = 0.01, 100.0
"""Range in which the temperature is searched."""

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, in bins of equal width.

    Attributes
    ----------
    edges : ndarray
        float64, shape (B + 1,): limits of the bins; a bin holds its upper limit, not its lower one.
    confidence, accuracy : ndarray
        float64, shape (B,): mean confidence and share of correct predictions of the images in each bin; NaN where
        there are none.
    counts : ndarray
        int64, shape (B,): images in each bin.
    """

    edges: FloatArray
    confidence: FloatArray
    accuracy: FloatArray
    counts: IntArray

    @classmethod
    def from_predictions(cls, predictions: Predictions, bins: int = BINS) -> Reliability:
        """Sort the images into bins by the probability of the predicted class."""
        edges = np.linspace(0.0, 1.0, bins + 1)
        places = np.searchsorted(edges[1:-1], predictions.confidence)
        counts = np.bincount(places, minlength=bins)
        sums = np.stack([np.bincount(places, of, bins) for of in (predictions.confidence, predictions.correct)])
        means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        return cls(edges, means[0], means[1], counts)

    def rows(self, predictions: Predictions, number: int) -> IntArray:
        """Return the rows in a bin, wrong ones first, each part by falling confidence, int64."""
        found = np.flatnonzero(np.searchsorted(self.edges[1:-1], predictions.confidence) == number)
        return found[np.lexsort((-predictions.confidence[found], predictions.correct[found]))]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance between accuracy and confidence, bins weighted by their images; NaN without images."""
        if not self.counts.any():
            return float("nan")
        gaps = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float(gaps @ self.counts / self.counts.sum())


def fit_temperature(predictions: Predictions) -> float:
    """Find the number by which to divide the logits so that the log loss is least.

    The log loss is convex in the inverse of the temperature, so its slope has at most one zero, which is found by
    Brent's method.

    Parameters
    ----------
    predictions : Predictions
        Of images on which the classifier was not trained, best the validation split.

    Returns
    -------
    float
        Between `COLDEST` and `HOTTEST`: one of these where the log loss falls as far as that, as it does towards 0 if
        every prediction is right and towards infinity if they are worse than chance; 1 where all logits of an image
        are equal, so that no temperature changes anything. NaN without images.
    """
    if not predictions.n:
        return float("nan")
    logits = predictions.logits.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    if not logits.any():
        return 1.0
    wanted = logits[np.arange(predictions.n), predictions.labels]

    def slope(inverse: float) -> float:
        weights = np.exp(inverse * logits)
        expected = np.einsum("nc,nc->n", weights, logits) / weights.sum(axis=1)
        return float((expected - wanted).mean())

    if slope(1 / HOTTEST) >= 0:
        return HOTTEST
    if slope(1 / COLDEST) <= 0:
        return COLDEST
    from scipy.optimize import brentq

    return 1 / float(brentq(slope, 1 / HOTTEST, 1 / COLDEST, xtol=1e-12))


def tempered(predictions: Predictions, temperature: float) -> Predictions:
    """Return predictions with all logits divided by a temperature; the predicted classes stay."""
    logits = (predictions.logits.astype(np.float64) / temperature).clip(-_LARGEST, _LARGEST)
    return replace(predictions, logits=logits.astype(np.float32), exact_predicted=predictions.predicted)


@dataclass(frozen=True)
class TemperatureScaling:
    """A temperature and what it does to another split; NaN where a split is empty.

    Attributes
    ----------
    temperature : float
        Above 1 it makes the classifier less confident, below 1 more.
    at_limit : bool
        Whether a temperature beyond the range that is searched would be better still.
    log_loss, expected_calibration_error : tuple of float
        Before and after, on the split that is judged. The accuracy is the same before and after.
    """

    temperature: float
    at_limit: bool
    log_loss: tuple[float, float]
    expected_calibration_error: tuple[float, float]

    @classmethod
    def from_predictions(cls, fitted_on: Predictions, judged: Predictions) -> TemperatureScaling:
        """Fit on one split and judge on another.

        Parameters
        ----------
        fitted_on : Predictions
            Of the validation split.
        judged : Predictions
            Of another split, by the same checkpoint.

        Raises
        ------
        CheckpointError
            The predictions are of two different checkpoints.
        """
        if (fitted_on.checkpoint, fitted_on.classes) != (judged.checkpoint, judged.classes):
            raise CheckpointError(
                "A temperature holds only for the checkpoint on which it was fitted. "
                "Choose predictions of one checkpoint for both splits."
            )
        temperature = fit_temperature(fitted_on)
        both = (judged, tempered(judged, temperature)) if fitted_on.n else (judged, None)
        before, after = (_quality(predictions) for predictions in both)
        limit = temperature in (COLDEST, HOTTEST)
        return cls(temperature, limit, (before[0], after[0]), (before[1], after[1]))


def _quality(predictions: Predictions | None) -> tuple[float, float]:
    if predictions is None:
        return float("nan"), float("nan")
    return predictions.log_loss, Reliability.from_predictions(predictions).expected_calibration_error
