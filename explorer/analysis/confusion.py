"""The confusion matrix, and what it says of one class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.predictions import FloatArray, IntArray, Predictions


@dataclass(frozen=True)
class ClassElements:
    """One class against the rest: four counts and the rates made of them.

    A rate whose denominator is zero is undefined and NaN.

    Attributes
    ----------
    true_positives, false_negatives : int
        Images of the class that were predicted as it, and those that were not.
    false_positives, true_negatives : int
        Images of other classes that were predicted as it, and those that were not.
    """

    name: str
    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        """Share of the images predicted as this class that belong to it."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the images of this class that were predicted as it (true positive rate, sensitivity)."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """Share of the images of other classes that were not predicted as this one (true negative rate)."""
        return _ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where the class neither occurs nor is predicted."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """How often each true class was predicted as each class.

    Attributes
    ----------
    counts : ndarray
        int64, shape (C, C): rows are true classes, columns predicted ones.
    classes : tuple of str
        The C names.
    """

    counts: IntArray
    classes: tuple[str, ...]

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> ConfusionMatrix:
        """Count the pairs of true and predicted class."""
        size = len(predictions.classes)
        cells = predictions.labels * size + predictions.predicted
        counts = np.bincount(cells, minlength=size * size).astype(np.int64).reshape(size, size)
        return cls(counts, predictions.classes)

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.counts.sum())

    @property
    def by_row(self) -> FloatArray:
        """Shares of each true class, so the diagonal is the recall; rows of absent classes are NaN."""
        return _normalised(self.counts, self.counts.sum(axis=1, keepdims=True))

    @property
    def by_column(self) -> FloatArray:
        """Shares of each predicted class, so the diagonal is the precision; empty columns are NaN."""
        return _normalised(self.counts, self.counts.sum(axis=0, keepdims=True))

    @property
    def accuracy(self) -> float:
        """Share of correct predictions; NaN without images."""
        return _ratio(int(self.counts.trace()), self.n)

    @property
    def misclassification_rate(self) -> float:
        """Share of wrong predictions; NaN without images."""
        return _ratio(self.n - int(self.counts.trace()), self.n)

    def element(self, index: int) -> ClassElements:
        """Read one class against the rest out of the matrix.

        Parameters
        ----------
        index : int
            The class, 0 to C - 1.

        Raises
        ------
        IndexError
            There is no such class.
        """
        if not 0 <= index < len(self.classes):
            raise IndexError(f"class {index} of {len(self.classes)}")
        hits = int(self.counts[index, index])
        missed = int(self.counts[index].sum()) - hits
        false_alarms = int(self.counts[:, index].sum()) - hits
        return ClassElements(
            name=self.classes[index],
            true_positives=hits,
            false_negatives=missed,
            false_positives=false_alarms,
            true_negatives=self.n - hits - missed - false_alarms,
        )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _normalised(counts: IntArray, totals: NDArray[np.int64]) -> FloatArray:
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares
