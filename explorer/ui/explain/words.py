"""What the figures of the page Explain mean, with the user's own numbers. Markdown, names escaped."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.randomisation import is_constant
from explorer.ui import explanations
from explorer.ui.explain.colouring import Sign
from explorer.ui.explain.figures import short, signed
from explorer.ui.explain.question import Aim, Question
from explorer.ui.formats import many, percent
from explorer.ui.text import markdown


def subjects(question: Question) -> str:
    """Name what is explained: the one score, or that each image has its own."""
    titles = {subject.aim.title(question.classes) for subject in question.subjects}
    return markdown(titles.pop()) if len(titles) == 1 else "the class below each image"


def score(classes: Sequence[str], target: int, against: int | None) -> str:
    """Name a score."""
    return explanations.score_of(classes[target], None if against is None else classes[against])


def reading(method: str, aim: Aim, classes: Sequence[str], values: NDArray[np.floating], sign: Sign) -> str:
    """Explain one map (H, W) as it is coloured."""
    target, against = aim.names(classes)
    if sign == "signed" or is_constant(values):
        return explanations.attribution(method, target, values, against)
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    return (
        f"The stronger the colour, the more this place matters to {explanations.score_of(target, against)}, whether "
        f"for or against it. The strongest is row {row}, column {column}."
    )


def erased(signed_map: NDArray[np.floating]) -> str:
    """Say what Grad-CAM has set to zero, by the map with its sign."""
    low, high = float(signed_map.min()), float(signed_map.max())
    return f"Before that its values ran from {short(low)} to {short(high)}."


def completeness(total: float, gained: float, error: float) -> str:
    """Say whether a map adds up, not escaped."""
    share = f" ({percent(abs(error / gained))} of it)" if gained else ""
    return (
        f"The pixels sum to {total:+.2f}; the score of the image exceeds that of the baseline by {gained:+.2f}, "
        f"so the completeness error is {short(abs(error))}{share}."
    )


def mean(name: str, explained: str, images: int) -> str:
    """Explain mean maps."""
    return (
        f"Each pixel is the mean of {many(images, 'map')}; what differs from image to image cancels out, and what "
        f"stays is where {explained} usually comes from in {markdown(name)}."
    )


def strongest(method: str, values: NDArray[np.floating]) -> str:
    """Say where a map (H, W) is strongest."""
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    value = signed(float(values[row, column]))
    return f"The strongest place is row {row}, column {column}, with {value} {explanations.UNITS[method]}."
