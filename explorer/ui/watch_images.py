"""A dozen validation images, the same in every run of a data set, with what the network says of them now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui import theme
from explorer.ui.formats import percent
from explorer.ui.images import img_tag
from explorer.ui.text import html_text

if TYPE_CHECKING:
    from explorer.analysis.predictions import Predictions
    from explorer.data.splits import Split

COUNT = 12
SEED = 12
SCALE = 2


@dataclass(frozen=True)
class Watched:
    """One of the images and what is said of it.

    Attributes
    ----------
    image : ndarray
        uint8, shape (H, W).
    target, predicted : str
        Class names.
    confidence, probability : float
        Of the predicted class and of the target.
    """

    image: NDArray[np.uint8]
    target: str
    predicted: str
    confidence: float
    probability: float

    @property
    def right(self) -> bool:
        """Whether the prediction is the target."""
        return self.target == self.predicted


def watched_rows(labels: NDArray[np.int64], count: int = COUNT) -> list[int]:
    """Choose rows of a split: spread evenly over the classes, within a class by a fixed draw.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    count : int
        How many; fewer where there are not so many images.

    Returns
    -------
    list of int
        Sorted by class. The draw is NumPy's frozen `RandomState` stream, so the same on every machine.
    """
    order = np.random.RandomState(SEED).permutation(len(labels))
    turns = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turns[of_class] = np.arange(len(of_class))
    names = np.unique(labels)
    spread = np.random.RandomState(SEED).permutation(len(names))
    place = dict(zip(names.tolist(), spread.tolist(), strict=True))
    ranked = sorted(range(len(labels)), key=lambda row: (turns[row], place[int(labels[row])]))
    return sorted(ranked[:count], key=lambda row: (labels[row], turns[row]))


def watched(predictions: "Predictions", split: "Split") -> list[Watched]:
    """Put together the images and what is said of them; predictions and split have the same rows."""
    found = []
    for row in watched_rows(split.labels):
        probabilities, predicted = predictions.probabilities[row], int(predictions.predicted[row])
        found.append(
            Watched(
                image=split.images[row],
                target=predictions.classes[int(split.labels[row])],
                predicted=predictions.classes[predicted],
                confidence=float(probabilities[predicted]),
                probability=float(probabilities[int(split.labels[row])]),
            )
        )
    return found


def picture(items: Sequence[Watched]) -> str:
    """Return the images as HTML: target, prediction after its sign, and the probability of the target as a bar."""
    cards = "".join(_card(item) for item in items)
    return (
        '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(9.6rem,1fr));gap:.2rem .75rem">'
        f"{cards}</div>"
    )


def _card(item: Watched) -> str:
    accent = theme.colour("primaryColor")
    frame = "transparent" if item.right else accent
    said = f"{'✓' if item.right else '×'} {html_text(item.predicted)} {percent(item.confidence)}"
    line = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
    part = f"{100 * item.probability:.1f}%"
    bar = (
        f'<div title="{percent(item.probability)} for the target" style="height:.4rem;border-radius:2px;'
        'background:rgba(128,128,128,.25);margin-top:.3rem">'
        f'<div style="height:100%;border-radius:2px;background:{accent};width:{part}"></div></div>'
    )
    return (
        f'<div style="display:flex;gap:.5rem;align-items:center;padding:1px;border:2px dashed {frame};'
        'border-radius:4px;min-width:0;font-size:.8rem;line-height:1.35">'
        f"{img_tag(item.image, SCALE, f'{item.target}, predicted {item.predicted}')}"
        '<div style="min-width:0;flex:1">'
        f'<div style="{line}" title="{html_text(item.target)}">{html_text(item.target)}</div>'
        f'<div style="{line};font-weight:600" title="{html_text(item.predicted)}">{said}</div>{bar}</div></div>'
    )
