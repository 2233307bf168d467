"""Two checkpoints on the same images, and the images behind each mark of their comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui.evaluate.scope import Scope

if TYPE_CHECKING:
    from explorer.analysis.comparison import Comparison

OUTCOMES = {
    "both_right": "both right",
    "only_a": "only A right",
    "only_b": "only B right",
    "both_wrong": "both wrong",
}
"""What may be true of an image, as `Comparison.rows` calls it, and in words."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pair:
    """What both checkpoints of a scope say.

    Attributes
    ----------
    scope : Scope
        One with a second checkpoint.
    """

    scope: Scope

    @cached_property
    def comparison(self) -> "Comparison":
        """Which images each of them gets right."""
        from explorer.analysis.comparison import Comparison

        return Comparison.from_predictions(*(judged.results.predictions for judged in self.scope.both))

    @property
    def same(self) -> bool:
        """Whether both are the same weights."""
        a, b = (judged.results.predictions.checkpoint for judged in self.scope.both)
        return a == b

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.comparison.classes)

    def rows(self, which: str) -> Rows:
        """Return the rows of the split behind a mark.

        Parameters
        ----------
        which : str
            An outcome, those that are wrong and surest of it first, for `both_right` those that are least sure; or
            the number of a cell of the confusion matrix (true class times the number of classes plus predicted class):
            the images that one of the two puts there and the other elsewhere, the surest first.
        """
        a, b = (judged.results.predictions for judged in self.scope.both)
        if which in OUTCOMES:
            found = self.comparison.rows(which)  # type: ignore[arg-type]
            least = np.minimum(a.confidence, b.confidence)
            keys = {"both_right": least, "only_a": -b.confidence, "only_b": -a.confidence, "both_wrong": -least}
            return found[np.argsort(keys[which][found], kind="stable")]
        row, column = divmod(int(which), self.size)
        here_a, here_b = a.predicted == column, b.predicted == column
        moved = np.flatnonzero((a.labels == row) & (here_a != here_b))
        sure = np.where(here_a, a.confidence, b.confidence)
        return moved[np.argsort(-sure[moved], kind="stable")]

    def cells(self) -> list[tuple[int, int]]:
        """List the cells in which the two differ, with how many images each, most first."""
        a, b = (judged.results.predictions for judged in self.scope.both)
        differing = a.predicted != b.predicted
        places = [a.labels[differing] * self.size + one.predicted[differing] for one in (a, b)]
        counts = np.bincount(np.concatenate(places), minlength=self.size**2)
        order = np.argsort(-counts, kind="stable")
        return [(int(cell), int(counts[cell])) for cell in order if counts[cell]]

    def recalls(self) -> Sequence[NDArray[np.float64]]:
        """Return the recalls of A and of B, float64, shape (C,); NaN where a class does not occur."""
        return [judged.results.matrix.recall for judged in self.scope.both]
