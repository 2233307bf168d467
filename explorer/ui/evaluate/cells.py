"""Parts of the confusion matrix that hold images: a cell, or the errors of a row or a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from explorer.analysis.confusion import ConfusionMatrix
from explorer.analysis.mistakes import ordered
from explorer.analysis.predictions import IntArray, Predictions
from explorer.ui import formats

ELSE = "x"
"""Stands for every class but the other one of a part."""


@dataclass(frozen=True)
class Part:
    """The images of a true class that were predicted as a class.

    Attributes
    ----------
    true, predicted : int or None
        Classes; None, for one of the two at most, is every class but the other one.
    """

    true: int | None
    predicted: int | None

    @property
    def code(self) -> str:
        """How it stands in the URL: `6-0`, `6-x` or `x-6`, true class first."""
        return "-".join(ELSE if number is None else str(number) for number in (self.true, self.predicted))

    @property
    def cell(self) -> tuple[int, int] | None:
        """The cell of the matrix, where it is just one."""
        return None if self.true is None or self.predicted is None else (self.true, self.predicted)

    def count(self, matrix: ConfusionMatrix) -> int:
        """Return the number of its images."""
        if self.true is None:
            return int(matrix.off_diagonal[:, self.predicted].sum())
        if self.predicted is None:
            return int(matrix.off_diagonal[self.true].sum())
        return int(matrix.counts[self.true, self.predicted])

    def rows(self, predictions: Predictions) -> IntArray:
        """Return the rows of its images, the most confident first, int64."""
        true, predicted = predictions.labels, predictions.predicted
        first = true == self.true if self.true is not None else true != self.predicted
        second = predicted == self.predicted if self.predicted is not None else predicted != self.true
        return ordered(predictions, "confidence", np.flatnonzero(first & second))


@lru_cache(maxsize=24)
def parts(matrix: ConfusionMatrix) -> Mapping[str, Part]:
    """Return all of them by their code: the cells, the most frequent errors first, then rows and columns."""
    size = len(matrix.classes)
    places = [divmod(int(place), size) for place in np.argsort(-matrix.off_diagonal, axis=None, kind="stable")]
    errors = [Part(true, predicted) for true, predicted in places if true != predicted]
    right = [Part(k, k) for k in range(size)]
    rest = [part for k in range(size) for part in (Part(k, None), Part(None, k))]
    return MappingProxyType({part.code: part for part in (*errors, *right, *rest)})


@lru_cache(maxsize=24)
def titles(matrix: ConfusionMatrix, true_names: tuple[str, ...]) -> Mapping[str, str]:
    """Return the titles of all parts by their code."""
    return MappingProxyType({code: title(part, matrix, true_names) for code, part in parts(matrix).items()})


def title(part: Part, matrix: ConfusionMatrix, true_names: Sequence[str]) -> str:
    """Name a part, with its number of images; the names are not escaped."""
    true = "other classes" if part.true is None else true_names[part.true]
    predicted = "something else" if part.predicted is None else matrix.classes[part.predicted]
    return f"{true} → {predicted}: {formats.count(part.count(matrix))}"
