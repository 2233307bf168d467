"""What the section Target says. Markdown, names escaped."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui.draw.sight import View
from explorer.ui.formats import count, many, percent, percents
from explorer.ui.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.nudging import Nudge

VISIBLE = 0.02
"""A change of a pixel that counts, as a share of white."""
PROBABILITY = "The share of 100% that the model gives to what you meant."
LOSS = "Minus the natural logarithm of that probability: 0 would be perfect, and it has no upper limit."
RANK = "Its place when all classes are sorted by their probability."
NEAREST = (
    "Among all training images of each class, those whose pixels (0 to 1) are nearest to what the model sees, by "
    "Euclidean distance d. The model itself does not compare images; these show what it has learnt from."
)


def rival(view: View, target: int) -> int:
    """Return the class with the highest logit besides the target."""
    order = (-view.logits).argsort(kind="stable")
    return int(order[0] if order[0] != target else order[1])


def margin(name: str, other: str, gradient: NDArray[np.float32]) -> str:
    """Explain the saliency of the margin; names are escaped already."""
    row, column = divmod(int(np.abs(gradient).argmax()), gradient.shape[1])
    return (
        f"**How to read this.** The margin is the score of {name} less that of {other}. Brighter ink on a warm pixel "
        f"raises it, on a cold pixel lowers it. The steepest pixel is at row {row}, column {column}."
    )


def change(name: str, step: "Nudge") -> str:
    """Explain where ink is to be added and removed; the name is escaped already."""
    if not step.moved:
        return f"No small change of the ink makes it more {name}: every pixel that matters is at its limit."
    before, after = percents(float(step.before[step.target]), float(step.after[step.target]))
    added, removed = int((step.change > VISIBLE).sum()), int((step.change < -VISIBLE).sum())
    return (
        f"**How to read this.** Warm: add ink; cold: remove it. This step makes {many(added, 'pixel')} brighter and "
        f"{count(removed)} darker by more than {percent(VISIBLE, 0)} of white, and takes {name} from {before} to "
        f"{after}."
    )


def undo(step: "Nudge", name: str) -> str:
    """Say what the buttons do."""
    if not step.moved:
        return f"No step raises {markdown(name)} any further."
    return (
        "A step follows the gradient where ink can still be added or removed, as a soft brush would. Undo at the "
        "canvas takes it back."
    )


def taken(steps: int, name: str, share: float, most: int) -> str:
    """Say what has been done."""
    text = f"{many(steps, 'step')} taken: {markdown(name)} now has {percent(share)}."
    if most > 1 and steps == most:
        text += " Press again to go on."
    return f"{text} Undo at the canvas takes {'them' if most > 1 and steps > 1 else 'it'} back."
