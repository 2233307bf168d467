"""The canvas as a page uses it: a Streamlit component and the drawing kept in the session."""

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.preparation.steps import average_cells
from explorer.errors import ExplorerError, ImageError
from explorer.ui.canvas.bars import Bars, side_by_side
from explorer.ui.canvas.picture import picture_from
from explorer.ui.canvas.value import BLANK, Drawing, blank, encode, from_image, parse

_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_canvas",
    html=(_FOLDER / "canvas.html").read_text("utf-8"),
    css=(_FOLDER / "canvas.css").read_text("utf-8"),
    js="\n".join((_FOLDER / name).read_text("utf-8") for name in ("raster.js", "bars.js", "canvas.js")),
)


def canvas(
    key: str,
    *,
    bars: Bars | Sequence[Bars] | None = None,
    message: str | None = None,
    size: int = 22,
    grey: int = 255,
    on_paste: Callable[[bytes], None] | None = None,
    on_upload: Callable[[], None] | None = None,
    fenced: bool = False,
) -> Drawing | None:
    """Show the canvas and, beside it, the bars.

    Ask `current(key)` before, predict, and pass the bars of that very drawing: both then change in one rerun.
    Inside a `st.fragment` only the fragment runs again when the user draws.

    Parameters
    ----------
    key : str
        Names the drawing: the same on every page that shows it. No double underscore.
    bars : Bars, sequence of Bars (1 to 4), or None
        Those of several models stand side by side, a row for each class: they share their classes, and each bears
        a title. None, or an empty sequence, shows no bars and keeps no space for them.
    message : str or None
        A problem to show below the canvas, in place of the hint on the keyboard.
    size, grey : int
        Width of the brush (280ths of the side) and its grey level, when the canvas is first shown.
    on_paste : callable or None
        Gets the picture that the user pastes: a PNG of at most 4 MB and 512 pixels a side, as `bytes`, which may
        still be damaged (`data.pictures.read_picture` checks it). It runs as a widget's callback, so it may call
        `load`; an `ExplorerError` that it raises is shown below the canvas. None takes the button Paste away.
    on_upload : callable or None
        Runs, as a widget's callback, when the user presses Paste where the browser keeps the clipboard from the page
        (plain HTTP from another machine); the canvas says so itself. Bring the page's upload into view. Pasting with
        Ctrl+V on the canvas works everywhere.
    fenced : bool
        Undo and Redo stop at what `load` put on the canvas last; what was there before comes back when this ends.

    Returns
    -------
    Drawing or None
        None while the canvas is empty.

    Raises
    ------
    ValueError
        More than four bars, or bars that do not belong side by side.
    """
    data: dict[str, Any] = {
        "key": key,
        "drawing": encode(_stored(key)),
        "bars": side_by_side(bars),
        "message": message or st.session_state.get(_problem(key)),
        "size": size,
        "grey": grey,
        "paste": on_paste is not None,
        "fenced": fenced,
    }
    _mount(
        key=_widget(key),
        data=data,
        on_drawing_change=partial(_receive, key),
        on_picture_change=partial(_paste, key, on_paste),
        on_upload_change=on_upload or _nothing,
    )
    return current(key)


def current(key: str) -> Drawing | None:
    """Return what stands on the canvas now, or None when it is empty."""
    drawing = _stored(key)
    return None if drawing.is_blank else drawing


def changed(key: str) -> int | None:
    """Count the cells, of 28x28, whose average grey differs from the start image.

    Computed here, from the drawing that arrived; the browser has no say in it.

    Returns
    -------
    int or None
        0 to 784. The start image is what `load` put on the canvas last, or the empty canvas. None where it is not
        known: the browser brought the drawing along from an earlier session, by a reload.
    """
    drawing = _stored(key)
    generation, image = st.session_state.get(_start(key), ("", None))
    if generation != drawing.generation:
        return None
    cells = average_cells(drawing.pixels)
    return int(np.count_nonzero(cells if image is None else cells != image))


def load(key: str, image: NDArray[np.uint8] | None) -> None:
    """Put a 28x28 image on the canvas to be edited, or empty it.

    The browser keeps what was there before: Undo brings it back. The strokes, their time and the changed cells count
    from here. Call it before `canvas(key)` in the same run, or in a callback; elsewhere the canvas follows on the
    next run.

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
    st.session_state[_start(key)] = (generation, None if image is None else image.copy())
    st.session_state.pop(_problem(key), None)


def _receive(key: str) -> None:
    try:
        sent = parse(_sent(key).get("drawing"))
    except ImageError as error:
        st.session_state[_problem(key)] = str(error)
        return
    st.session_state.pop(_problem(key), None)
    kept = _stored(key)
    late = kept.generation not in ("", sent.generation)
    older = kept.generation == sent.generation and sent.revision < kept.revision
    if not late and not older:
        st.session_state[_slot(key)] = sent


def _paste(key: str, take: Callable[[bytes], None] | None) -> None:
    if take is None:
        return
    st.session_state.pop(_problem(key), None)
    try:
        take(picture_from(_sent(key).get("picture")))
    except ExplorerError as error:
        st.session_state[_problem(key)] = str(error)


def _nothing() -> None:
    """Stand in for a callback: only what has one is handed over by the browser."""


def _sent(key: str) -> dict[str, Any]:
    sent = st.session_state.get(_widget(key))
    return sent if isinstance(sent, dict) else {}


def _stored(key: str) -> Drawing:
    kept = st.session_state.get(_slot(key))
    return kept if isinstance(kept, Drawing) else BLANK


def _slot(key: str) -> str:
    """Return where the drawing lies: no widget's key, so Streamlit does not drop it with the page."""
    return f"canvas:{key}"


def _start(key: str) -> str:
    return f"canvas-start:{key}"


def _widget(key: str) -> str:
    return f"canvas-widget:{key}"


def _problem(key: str) -> str:
    return f"canvas-problem:{key}"
