"""The output of a judged model for one image, of the split or any other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.output import Output
from explorer.ui import answers, cache

if TYPE_CHECKING:
    from explorer.ui.evaluate.scope import Judged


@dataclass(frozen=True, eq=False)
class Answer(Output):
    """What one of the judged models says of one image.

    Attributes
    ----------
    name : str
        A or B.
    classes : tuple of str
        The C names.
    """

    name: str
    classes: tuple[str, ...]


def of_row(judged: "Judged", name: str, row: int) -> Answer:
    """Return the output for an image of the judged split, from its predictions."""
    predictions = judged.results.predictions
    return Answer(predictions.logits[row].astype(np.float64), name, predictions.classes)


def of_image(judged: "Judged", name: str, image: NDArray[np.uint8]) -> Answer:
    """Compute the output for any image.

    Parameters
    ----------
    judged : Judged
    name : str
    image : ndarray
        uint8, shape (28, 28).

    Raises
    ------
    ExplorerError
        The weights are not kept or cannot be used, or answer with numbers that are not finite.
    """
    chosen = cache.checkpoint(judged.selection)
    return Answer(answers.logits(chosen, image[None])[0], name, tuple(chosen.classes))
