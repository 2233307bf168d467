"""The canvas as a page uses it: a Streamlit component and the drawing kept in the session."""

import secrets
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.errors import ImageError
from explorer.ui.canvas.value import BLANK, Bars, Drawing, blank, encode, from_image, parse

_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_canvas",
    html=(_FOLDER / "canvas.html").read_text("utf-8"),
    css=(_FOLDER / "canvas.css").read_text("utf-8"),
    js=(_FOLDER / "canvas.js").read_text("utf-8"),
)


def canvas(
    key: str,
    *,
    bars: Bars | None = None,
    message: str | None = None,
    size: int = 22,
    grey: int = 255,
) -> Drawing | None:
    """Show the canvas and, beside it, the bars.

    Ask `current(key)` before, predict, and pass the bars of that very drawing: both then change in one rerun.
    Inside a `st.fragment` only the fragment runs again when the user draws.

    Parameters
    ----------
    key : str
        Names the drawing: the same on every page that shows it. No double underscore.
    bars : Bars or None
        None shows no bars and keeps no space for them.
    message : str or None
        A problem to show below the canvas, in place of the hint on the keyboard.
    size, grey : int
        Width of the brush (280ths of the side) and its grey level, when the canvas is first shown.

    Returns
    -------
    Drawing or None
        None while the canvas is empty.
    """
    data: dict[str, Any] = {
        "key": key,
        "drawing": encode(_stored(key)),
        "bars": None if bars is None else vars(bars),
        "message": message or st.session_state.get(_problem(key)),
        "size": size,
        "grey": grey,
    }
    _mount(key=_widget(key), data=data, on_drawing_change=partial(_receive, key))
    return current(key)


def current(key: str) -> Drawing | None:
    """Return what stands on the canvas now, or None when it is empty."""
    drawing = _stored(key)
    return None if drawing.is_blank else drawing


def load(key: str, image: NDArray[np.uint8] | None) -> None:
    """Put a 28x28 image on the canvas to be edited, or empty it.

    The browser keeps what was there before: Undo brings it back. Call it before `canvas(key)` in the same
    run, or in a callback; elsewhere the canvas follows on the next run.

    Parameters
    ----------
    key : str
    image : uint8 ndarray (28, 28) or None
        Light ink on dark ground, as the sets store it; None empties the canvas.

    Raises
    ------
    ImageError
        The image has another shape or type.
    """
    generation, revision = secrets.token_hex(8), _stored(key).revision + 1
    drawing = blank(generation, revision) if image is None else from_image(image, generation, revision)
    st.session_state[_slot(key)] = drawing
    st.session_state.pop(_problem(key), None)


def _receive(key: str) -> None:
    state = st.session_state.get(_widget(key)) or {}
    try:
        sent = parse(state.get("drawing"))
    except ImageError as error:
        st.session_state[_problem(key)] = str(error)
        return
    st.session_state.pop(_problem(key), None)
    kept = _stored(key)
    late = kept.generation not in ("", sent.generation)
    older = kept.generation == sent.generation and sent.revision < kept.revision
    if not late and not older:
        st.session_state[_slot(key)] = sent


def _stored(key: str) -> Drawing:
    kept = st.session_state.get(_slot(key))
    return kept if isinstance(kept, Drawing) else BLANK


def _slot(key: str) -> str:
    """Return where the drawing lies: no widget's key, so Streamlit does not drop it with the page."""
    return f"canvas:{key}"


def _widget(key: str) -> str:
    return f"canvas-widget:{key}"


def _problem(key: str) -> str:
    return f"canvas-problem:{key}"
