"""One class against the rest at a chosen threshold of its probability."""

from __future__ import annotations

import numpy as np

from explorer.analysis.confusion import ClassElements
from explorer.analysis.predictions import IntArray, Predictions


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
