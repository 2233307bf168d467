"""The grid as a page uses it: one Streamlit component for any number of images."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.kit.images import png
from explorer.ui.kit.text import plain

_FOLDER = Path(__file__).parent
_mount = st.components.v2.component(
    "explorer_tiles",
    html='<ul class="tiles"></ul>',
    css=(_FOLDER / "tiles.css").read_text("utf-8"),
    js=(_FOLDER / "tiles.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Note:
    """One line below an image.

    Attributes
    ----------
    text : str
        Shown as it is, without any markup.
    right : bool or None
        True is marked ✓, False × and bold; None is neither right nor wrong.
    """

    text: str
    right: bool | None = None


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of the grid.

    Attributes
    ----------
    row : int
        What is told of a click on it; different in every tile of a grid.
    image : ndarray
        uint8, shape (H, W) or (H, W, 3), the same in every tile of a grid.
    title : str
        The first line below it; shown as it is, without any markup.
    notes : tuple of Note
        Further lines.
    description : str or None
        What a screen reader says after the lines and a pointer shows; by default a pointer shows all the lines, right
        and wrong in words.
    """

    row: int
    image: NDArray[np.uint8]
    title: str
    notes: tuple[Note, ...] = ()
    description: str | None = None

    @property
    def spoken(self) -> str:
        """The description."""
        if self.description is not None:
            return plain(self.description)
        words = {True: ", right", False: ", wrong", None: ""}
        return plain("; ".join([self.title, *(note.text + words[note.right] for note in self.notes)]))


def tiles(
    key: str,
    items: Sequence[Tile],
    *,
    scale: int = 3,
    selected: int | None = None,
    on_pick: Callable[[int], None] | None = None,
    clickable: bool = True,
) -> int | None:
    """Show images in rows that wrap to the width there is, each a button.

    The whole grid is one element, so it comes as quickly as one, and a click inside a `st.fragment` renews the
    fragment alone.

    Parameters
    ----------
    key : str
        Of the element; the same on every run.
    items : sequence of Tile
        A page of them: every one is sent to the browser.
    scale : int
        Screen pixels for each of an image's, a whole number.
    selected : int, optional
        The row whose tile is marked as the chosen one.
    on_pick : callable, optional
        Called with the row of the tile that was clicked, before the script runs again.
    clickable : bool
        False shows the images without making buttons of them.

    Returns
    -------
    int or None
        The row of the tile that was clicked just now. A value that is no row of the grid is never returned, whatever
        a browser sends.

    Raises
    ------
    ValueError
        Two tiles have the same row, their images have different shapes, or the scale is below 1.
    """
    rows = frozenset(item.row for item in items)
    if len(rows) < len(items):
        raise ValueError("Every tile of a grid needs a row of its own.")
    if len({item.image.shape for item in items}) > 1:
        raise ValueError("The images of a grid need one shape.")
    if scale < 1:
        raise ValueError(f"The scale must be at least 1, not {scale}.")
    height, width = items[0].image.shape[:2] if items else (1, 1)
    data = {
        "sheet": _sheet(items),
        "width": width * scale,
        "height": height * scale,
        "tiles": [_words(item) for item in items],
        "selected": selected,
        "clickable": clickable,
    }
    widget = f"tiles:{key}"
    found = _mount(key=widget, data=data, on_picked_change=partial(_receive, widget, rows, on_pick))
    return valid(found.get("picked"), rows)


def valid(value: object, rows: frozenset[int]) -> int | None:
    """Return what a browser has sent if it is one of the rows, else None."""
    return value if type(value) is int and value in rows else None


def _receive(widget: str, rows: frozenset[int], on_pick: Callable[[int], None] | None) -> None:
    sent: Any = st.session_state.get(widget) or {}
    row = valid(sent.get("picked"), rows)
    if row is not None and on_pick is not None:
        on_pick(row)


def _sheet(items: Sequence[Tile]) -> str | None:
    """Return all images as one, below each other: it is encoded, sent and decoded much faster than many are."""
    if not items:
        return None
    data = base64.b64encode(png(np.concatenate([item.image for item in items]))).decode()
    return f"data:image/png;base64,{data}"


def _words(item: Tile) -> dict[str, Any]:
    return {
        "row": item.row,
        "title": plain(item.title),
        "notes": [{"text": plain(note.text), "right": note.right} for note in item.notes],
        "description": item.spoken,
        "more": plain(item.description or ""),
    }
