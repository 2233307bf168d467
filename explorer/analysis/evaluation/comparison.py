"""Two classifiers on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import IntArray, Predictions
from explorer.analysis.files import or_none
from explorer.errors import CheckpointError, DataError

SIGNIFICANCE = 0.05

Outcome = Literal["both_right", "only_a", "only_b", "both_wrong"]
OUTCOMES: tuple[Outcome, ...] = ("both_right", "only_a", "only_b", "both_wrong")


@dataclass(frozen=True)
class McNemarVerdict:
    """What a comparison comes to, as parts of a sentence in plain text.

    Attributes
    ----------
    better : {"a", "b", None}
        The better classifier, or None where they are not distinguishable.
    finding : str
        As "not distinguishable on these 10,000 images".
    counts : str
        How often only one of them is right.
    test : str
        What the test says of that.
    """

    better: Literal["a", "b"] | None
    finding: str
    counts: str
    test: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """Which images each of two classifiers gets right.

    Attributes
    ----------
    dataset, split : str
        Where the images are from.
    classes : tuple of str
        The C names.
    right_a, right_b : ndarray
        bool, shape (N,).
    matrix_difference : ndarray
        int64, shape (C, C): the confusion matrix of B less that of A.
    """

    dataset: str
    split: str
    classes: tuple[str, ...]
    right_a: NDArray[np.bool_]
    right_b: NDArray[np.bool_]
    matrix_difference: IntArray

    @classmethod
    def from_predictions(cls, a: Predictions, b: Predictions) -> Comparison:
        """Compare image by image.

        Raises
        ------
        CheckpointError
            The classifiers know different classes.
        DataError
            The predictions are of different images.
        """
        if len(a.classes) != len(b.classes):
            raise CheckpointError(
                f"These checkpoints cannot be compared: one knows {len(a.classes)} classes, the other "
                f"{len(b.classes)}. Choose two that were trained on the same classes."
            )
        if a.classes != b.classes:
            raise CheckpointError(
                "These checkpoints cannot be compared: their classes have different names. "
                "Choose two that were trained on the same classes."
            )
        same = (a.dataset, a.split) == (b.dataset, b.split)
        if not (same and np.array_equal(a.indices, b.indices) and np.array_equal(a.labels, b.labels)):
            raise DataError(
                f"These predictions are of different images: {a.n:,} of {a.dataset} ({a.split}) and {b.n:,} of "
                f"{b.dataset} ({b.split}). Evaluate both checkpoints on the same split of the same data set."
            )
        matrices = [ConfusionMatrix.from_predictions(predictions).counts for predictions in (a, b)]
        return cls(a.dataset, a.split, a.classes, a.correct, b.correct, matrices[1] - matrices[0])

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.right_a)

    @property
    def both_right(self) -> int:
        """Images that both get right."""
        return len(self.rows("both_right"))

    @property
    def only_a(self) -> int:
        """Images that A gets right and B wrong."""
        return len(self.rows("only_a"))

    @property
    def only_b(self) -> int:
        """Images that B gets right and A wrong."""
        return len(self.rows("only_b"))

    @property
    def both_wrong(self) -> int:
        """Images that both get wrong."""
        return len(self.rows("both_wrong"))

    @property
    def accuracy_a(self) -> float:
        """Share of correct predictions of A; NaN without images."""
        return float(self.right_a.mean()) if self.n else float("nan")

    @property
    def accuracy_b(self) -> float:
        """Share of correct predictions of B; NaN without images."""
        return float(self.right_b.mean()) if self.n else float("nan")

    @property
    def accuracy_difference(self) -> float:
        """Accuracy of B less that of A; NaN without images."""
        return (self.only_b - self.only_a) / self.n if self.n else float("nan")

    @property
    def mcnemar_p(self) -> float:
        """Two-sided p-value of the exact McNemar test; 1 where no image decides, NaN without images."""
        return mcnemar(self.only_a, self.only_b) if self.n else float("nan")

    @property
    def distinguishable(self) -> bool:
        """Whether the p-value is below 0.05."""
        return self.mcnemar_p < SIGNIFICANCE

    def rows(self, outcome: Outcome) -> IntArray:
        """Return the rows with one outcome, int64, in the order of the split."""
        a = self.right_a if outcome in ("both_right", "only_a") else ~self.right_a
        b = self.right_b if outcome in ("both_right", "only_b") else ~self.right_b
        return np.flatnonzero(a & b)

    def verdict(self) -> McNemarVerdict:
        """Say what the comparison comes to."""
        images = f"{self.n:,} image{'' if self.n == 1 else 's'}"
        counts = f"A alone is right on {self.only_a:,} and B alone on {self.only_b:,} of {images}"
        if not self.n:
            return McNemarVerdict(None, "not comparable: there are no images", counts, "there is nothing to test")
        p = self.mcnemar_p
        rounded = "p < 0.001" if p < 0.001 else f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}"
        chance = "less than 0.1%" if p < 0.001 else f"{p:.1%}"
        test = (
            f"if both were equally good, they would differ at least that much in {chance} of such sets of images "
            f"(exact McNemar test, {rounded})"
        )
        if not self.distinguishable:
            which = "this image" if self.n == 1 else f"these {images}"
            return McNemarVerdict(None, f"not distinguishable on {which}", counts, test)
        better: Literal["a", "b"] = "a" if self.only_a > self.only_b else "b"
        finding = f"{better.upper()} is better on these {images} by more than chance explains"
        return McNemarVerdict(better, finding, counts, test)

    def document(self, a: str, b: str) -> dict[str, Any]:
        """Sum up for JSON.

        Parameters
        ----------
        a, b : str
            The names by which the user knows the checkpoints.

        Returns
        -------
        dict
            `a`, `b`, `dataset`, `split`, `n`, `accuracy` (`a`, `b`, `difference`), the four outcomes, `mcnemar_p`,
            `distinguishable` and `matrix_difference`. Differences are B less A; None for what is undefined.
        """
        accuracies = {"a": self.accuracy_a, "b": self.accuracy_b, "difference": self.accuracy_difference}
        return {
            "a": a,
            "b": b,
            "dataset": self.dataset,
            "split": self.split,
            "n": self.n,
            "accuracy": {name: or_none(value) for name, value in accuracies.items()},
            **{outcome: len(self.rows(outcome)) for outcome in OUTCOMES},
            "mcnemar_p": or_none(self.mcnemar_p),
            "distinguishable": self.distinguishable,
            "matrix_difference": self.matrix_difference.tolist(),
        }


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided p-value of the exact McNemar test.

    Under the hypothesis that both classifiers err equally often, each image that only one gets right is so with
    probability 1/2 (Q. McNemar, Psychometrika 12, 1947); the binomial distribution then gives the p-value.

    Parameters
    ----------
    only_a, only_b : int
        Images that only the first and only the second classifier gets right.
    """
    from scipy.special import bdtr

    if only_a == only_b:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))
