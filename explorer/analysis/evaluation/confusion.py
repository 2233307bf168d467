"""The confusion matrix, and what it says of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions


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
    def false_positive_rate(self) -> float:
        """Share of the images of other classes that were predicted as this one: 1 minus the specificity."""
        return _ratio(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where the class neither occurs nor is predicted."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes, and how often each was taken for the other.

    Attributes
    ----------
    first, second : int
        The classes, the lower number first.
    first_as_second, second_as_first : int
        Images of the first that were predicted as the second, and the other way round.
    """

    first: int
    second: int
    first_as_second: int
    second_as_first: int

    @property
    def total(self) -> int:
        """Confusions in both directions."""
        return self.first_as_second + self.second_as_first


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

    @property
    def precision(self) -> FloatArray:
        """Precision of each class, float64, shape (C,); NaN where it was never predicted."""
        return np.diagonal(self.by_column)

    @property
    def recall(self) -> FloatArray:
        """Recall of each class, float64, shape (C,); NaN where it does not occur."""
        return np.diagonal(self.by_row)

    @property
    def f1(self) -> FloatArray:
        """F1 of each class, float64, shape (C,); NaN where it neither occurs nor is predicted."""
        return _normalised(2 * self.counts.diagonal(), self.counts.sum(axis=0) + self.counts.sum(axis=1))

    @property
    def macro_precision(self) -> float:
        """Mean of the defined precisions (scikit-learn's with `zero_division=nan`); NaN where none is."""
        return _mean_of_defined(self.precision)

    @property
    def macro_recall(self) -> float:
        """Mean of the defined recalls (balanced accuracy); NaN where none is."""
        return _mean_of_defined(self.recall)

    @property
    def macro_f1(self) -> float:
        """Mean of the defined F1 of the classes, not the F1 of macro precision and recall; NaN where none is."""
        return _mean_of_defined(self.f1)

    @property
    def off_diagonal(self) -> IntArray:
        """The errors alone: the counts with zeros on the diagonal, int64, shape (C, C)."""
        errors = self.counts.copy()
        np.fill_diagonal(errors, 0)
        return errors

    def confused_pairs(self, limit: int | None = None) -> list[ConfusedPair]:
        """List the pairs of classes that were confused, most often first; equals in the order of the classes.

        Parameters
        ----------
        limit : int, optional
            The most pairs to return.
        """
        first, second = np.triu_indices(len(self.classes), k=1)
        there, back = self.counts[first, second], self.counts[second, first]
        order = np.argsort(-(there + back), kind="stable")[:limit]
        return [
            ConfusedPair(int(first[k]), int(second[k]), int(there[k]), int(back[k]))
            for k in order
            if there[k] + back[k]
        ]

    def reordered(self, order: Sequence[int]) -> ConfusionMatrix:
        """Return the matrix with its classes in another order.

        Parameters
        ----------
        order : sequence of int
            The numbers of all C classes, each once.

        Raises
        ------
        ValueError
            A class is missing or stands there twice.
        """
        if sorted(order) != list(range(len(self.classes))):
            raise ValueError(f"{order} is no order of {len(self.classes)} classes")
        return ConfusionMatrix(self.counts[np.ix_(order, order)], tuple(self.classes[k] for k in order))

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


def _mean_of_defined(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _normalised(counts: IntArray, totals: NDArray[np.int64]) -> FloatArray:
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, totals, out=shares, where=totals > 0)
    return shares


def similar_order(matrix: ConfusionMatrix) -> tuple[int, ...]:
    """Order the classes by how often they are confused.

    Two classes are the more alike, the larger the shares of each that are taken for the other. The classes are
    clustered by that (average linkage), and the leaves of the tree ordered so that neighbours are as alike as the tree
    allows (Bar-Joseph, Gifford & Jaakkola, Bioinformatics 17, 2001).

    Parameters
    ----------
    matrix : ConfusionMatrix

    Returns
    -------
    tuple of int
        The numbers of the classes; as they are where nothing is confused. Of an order and its reverse, the one that
        begins with the lower number.
    """
    size = len(matrix.classes)
    if size < 3 or not matrix.off_diagonal.any():
        return tuple(range(size))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = np.nan_to_num(matrix.by_row)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average", optimal_ordering=True)
    order = tuple(int(leaf) for leaf in leaves_list(tree))
    return min(order, order[::-1])
