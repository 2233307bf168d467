"""The drawing that all pages share, and what it began as."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from explorer.data.preparation.steps import Grey, Pixels
from explorer.ui import canvas

CANVAS = "draw"
"""The key of the canvas, on every page."""

_ORIGIN = "sketch:origin"
_BEGINNINGS = "sketch:beginnings"


@dataclass(frozen=True, eq=False)
class Origin:
    """What was put on the canvas.

    Attributes
    ----------
    title : str
        What it is, for people: plain text, at the beginning of a sentence.
    link : str
        What stands for it in the URL; empty where nothing can.
    label : int or None
        Its true class, where that is known.
    photo : uint8 ndarray (H, W) or (H, W, 3), or None
        The picture that the 28x28 image was made from, where the user brought one.
    whole : uint8 ndarray (H, W) or (H, W, 3), or None
        The same before it was cropped.
    shown : uint8 ndarray (280, 280)
        The canvas as it was then.
    """

    title: str
    link: str
    label: int | None
    photo: Pixels | None
    whole: Pixels | None
    shown: Grey


def begin(
    image: Grey | None,
    title: str = "",
    link: str = "",
    label: int | None = None,
    photo: Pixels | None = None,
    whole: Pixels | None = None,
) -> None:
    """Put a 28x28 image on the canvas, or empty it; Undo brings back what was there.

    Parameters
    ----------
    image : uint8 ndarray (28, 28) or None
    title, link, label, photo, whole
        As in `Origin`.
    """
    canvas.load(CANVAS, image)
    st.session_state[_BEGINNINGS] = beginnings() + 1
    drawing = canvas.current(CANVAS)
    shown = None if drawing is None else drawing.pixels
    st.session_state[_ORIGIN] = None if shown is None else Origin(title, link, label, photo, whole, shown)


def beginnings() -> int:
    """Return how often this session has put something on the canvas."""
    return int(st.session_state.get(_BEGINNINGS, 0))


def origin() -> Origin | None:
    """Return what the canvas shows, as long as nobody has drawn on it; None otherwise."""
    found: Origin | None = st.session_state.get(_ORIGIN)
    drawing = canvas.current(CANVAS)
    same = found is not None and drawing is not None and np.array_equal(found.shown, drawing.pixels)
    return found if same else None
