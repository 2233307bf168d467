"""Images in rows, each with what it is and what the model says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui import state
from explorer.ui.formats import percent
from explorer.ui.images import img_tag
from explorer.ui.text import html_text

SCALE = 3
WIDTH = 124
"""Screen pixels for one image and its text."""


@dataclass(frozen=True)
class Item:
    """One image of a gallery.

    Attributes
    ----------
    row : int
        Its place in the split.
    image : ndarray
        uint8, shape (H, W).
    true, predicted : str
        Class names.
    confidence : float
        Probability of the predicted class.
    """

    row: int
    image: NDArray[np.uint8]
    true: str
    predicted: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the prediction is the true class."""
        return self.true == self.predicted


def gallery(items: Sequence[Item], key: str) -> None:
    """Show images that wrap to the width there is, each with a link to its explanation."""
    with st.container(horizontal=True, gap="small", key=key):
        for item in items:
            with st.container(width=WIDTH, gap=None, horizontal_alignment="center"):
                st.html(_picture(item))
                state.link("explain", "Explain", image=item.row)


def _picture(item: Item) -> str:
    said = f"{'✓' if item.right else '×'} {html_text(item.predicted)} {percent(item.confidence)}"
    description = f"{item.true}, predicted {item.predicted}"
    return (
        '<div style="display:flex;flex-direction:column;align-items:center;font-size:.8rem;line-height:1.35">'
        f"{img_tag(item.image, SCALE, description)}"
        f'<div style="margin-top:.25rem">{html_text(item.true)}</div>'
        f'<div style="font-weight:600">{said}</div></div>'
    )
