"""What the page Explain is asked: which images, and which score of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui.state import Selection

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint

PREDICTED, TRUE, SECOND, ALONE = "predicted", "true", "second", ""
"""Classes that depend on the image, beside those by number; and no second class."""


@dataclass(frozen=True)
class Aim:
    """The score that is explained.

    Attributes
    ----------
    target : int
        Class.
    against : int or None
        The class over which the target's lead is explained; None for the score of the target alone.
    notice : str
        Why it is not what was asked for; empty where it is.
    """

    target: int
    against: int | None = None
    notice: str = field(default="", compare=False)

    def names(self, classes: Sequence[str]) -> tuple[str, str | None]:
        """Return the names of both classes."""
        return classes[self.target], None if self.against is None else classes[self.against]

    def title(self, classes: Sequence[str]) -> str:
        """Return it as a short title, not escaped."""
        target, against = self.names(classes)
        return target if against is None else f"{target} rather than {against}"


@dataclass(frozen=True, eq=False)
class Subject:
    """An image that is explained.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28): what the model sees.
    name : str
    probabilities : ndarray
        float64, shape (C,).
    true : int or None
        Its class, where that is known.
    row : int or None
        Its row in the split, where it is of one.
    aim : Aim
    """

    image: NDArray[np.uint8]
    name: str
    probabilities: NDArray[np.float64]
    true: int | None
    row: int | None
    aim: Aim

    @property
    def predicted(self) -> int:
        """The class with the highest probability; the first one of several equal ones."""
        return int(self.probabilities.argmax())

    @property
    def right(self) -> bool | None:
        """Whether the prediction is right, where that is known."""
        return None if self.true is None else self.predicted == self.true


@dataclass(frozen=True, eq=False)
class Question:
    """Images and scores.

    Attributes
    ----------
    selection : Selection
    chosen : Checkpoint
        That of the selection.
    subjects : tuple of Subject
        The image that all sections are about, then those kept beside it.
    """

    selection: Selection
    chosen: "Checkpoint"
    subjects: tuple[Subject, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return self.chosen.classes

    @property
    def main(self) -> Subject:
        """The image that all sections are about."""
        return self.subjects[0]


def resolve(wanted: str, rather: str, probabilities: NDArray[np.float64], true: int | None) -> Aim:
    """Say which classes are meant for one image.

    Parameters
    ----------
    wanted : str
        `PREDICTED`, `TRUE` or the number of a class: whose score is explained.
    rather : str
        The same, `SECOND` or `ALONE`: over which class its lead is explained.
    probabilities : ndarray
        float64, shape (C,).
    true : int or None
        The class of the image, where it is known.
    """
    order = np.argsort(-probabilities, kind="stable").tolist()
    known = {PREDICTED: order[0], TRUE: true}
    target, notice = known.get(wanted, int(wanted) if wanted.isdecimal() else None), ""
    if target is None:
        target, notice = order[0], "The true class of this image is not known; its predicted class is explained."
    if rather == ALONE:
        return Aim(target, None, notice)
    other = next(number for number in order if number != target)
    against = known.get(rather, other if rather == SECOND else int(rather) if rather.isdecimal() else None)
    if against is None:
        return Aim(target, other, "The true class of this image is not known; its lead over the next class is shown.")
    if against == target:
        return Aim(target, other, "Both are the same class here; its lead over the next most probable one is shown.")
    return Aim(target, against, notice)
