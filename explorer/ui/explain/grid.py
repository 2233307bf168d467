"""Methods by images: a cell for each method, in it a map of each image; a click enlarges one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui import explanations, messages
from explorer.ui.answers import Explained
from explorer.ui.explain.colouring import Sign, coloured, legend
from explorer.ui.explain.figures import short, signed
from explorer.ui.explain.methods import Chosen
from explorer.ui.text import html_text
from explorer.ui.tiles import Note, Tile, tiles

SMALL, LARGE = 3, 4
"""Screen pixels for each of the image's."""
FEW_IMAGES, FEW_CELLS = 2, 4
"""Up to so many images, and of one image up to so many cells, are shown large: at 1280 pixels they fill a row."""
_TWO_LINES = 200
_OPEN = "explain:enlarged"


@dataclass(frozen=True)
class View:
    """How maps are coloured.

    Attributes
    ----------
    sign : 'signed' or 'absolute'
    overlay : bool
        Over the image.
    shared : bool
        One scale for all maps that have one unit.
    """

    sign: Sign = "signed"
    overlay: bool = False
    shared: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """What stands in the same place of each cell.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28): what an overlay shows the map upon.
    name : str
        What the image is called.
    score : str
        Title of what is explained. Both are shown as they are.
    notes : tuple of Note
        Below the image itself.
    """

    image: NDArray[np.uint8]
    name: str
    score: str
    notes: tuple[Note, ...] = ()


Maps = dict[tuple[str, int], Explained]
"""By the name of the method and the number of the column."""


def show(
    columns: Sequence[Column],
    chosen: Sequence[Chosen],
    view: View,
    explain: Callable[[Chosen, int], Explained | None],
    key: str,
) -> Maps:
    """Show a cell for each method and fill one after the other; return the maps.

    Parameters
    ----------
    columns : sequence of Column
    chosen : sequence of Chosen
    view : View
    explain : callable
        Computes a map, or returns None where there is none yet.
    key : str
        Names the grid on its page.
    """
    scale = _scale(columns, chosen)
    width = len(columns) * (28 * scale + 16) + 4
    found: Maps = {}
    with st.container(horizontal=True, gap="small"):
        with st.container(width=width, gap=None):
            _heading("The image" if len(columns) == 1 else "The images", width)
            pictures = [Tile(at, column.image, column.name, column.notes) for at, column in enumerate(columns)]
            tiles(f"{key}-images", pictures, scale=scale, clickable=False)
        places = {one: st.container(width=width, gap=None) for one in chosen}
    for one, place in places.items():
        with place:
            _heading(one.title if one.options == "{}" else f"{one.title} *", width)
            with messages.shown():
                for at in range(len(columns)):
                    if (explained := explain(one, at)) is not None:
                        found[one.name, at] = explained
            if not view.shared:
                _fill(columns, one, found, view, key, scale)
    for one, place in places.items():
        if view.shared:
            with place:
                _fill(columns, one, found, view, key, scale)
    return found


def clicked(key: str) -> tuple[str, int] | None:
    """Return method and column of the map that was clicked just now."""
    where, method, at = st.session_state.get(_OPEN, ("", "", 0))
    if where != key:
        return None
    del st.session_state[_OPEN]
    return method, at


def how_to_read(general: str, methods: Mapping[str, str], sign: Sign) -> None:
    """Show the colours, and how to read the maps.

    Parameters
    ----------
    general : str
        Markdown, of all of them.
    methods : mapping of str to str
        Markdown, of those of each method by its name.
    sign : 'signed' or 'absolute'
    """
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        st.html(legend(sign), width="content")
        st.caption(f"**How to read this.** {general}", width="stretch")
    st.caption("\n".join(f"- **{explanations.METHODS[method]}:** {text}" for method, text in methods.items()))


def limits(maps: Mapping[tuple[str, int], Explained], shared: bool) -> dict[tuple[str, int], float]:
    """Return the size that gets the strongest colour in each map: its own largest, or that of all of its unit."""
    own = {place: float(np.abs(one.values).max()) for place, one in maps.items()}
    if not shared:
        return own
    unit = explanations.UNITS
    return {place: max(own[other] for other in own if unit[other[0]] == unit[place[0]]) for place in own}


def _scale(columns: Sequence[Column], chosen: Sequence[Chosen]) -> int:
    crowded = len(columns) > FEW_IMAGES or (len(columns) == 1 and len(chosen) + 1 > FEW_CELLS)
    return SMALL if crowded else LARGE


def _heading(text: str, width: int) -> None:
    """Name a cell in as many lines as the longest name takes, so that the cells of a row stand level."""
    lines = 2 if width < _TWO_LINES else 1
    st.html(
        f'<div style="height:{1.25 * lines}em;display:flex;align-items:flex-end;font-size:.85rem;font-weight:600;'
        f'line-height:1.25;padding:0 .2rem">{html_text(text)}</div>'
    )


def _fill(columns: Sequence[Column], one: Chosen, found: Maps, view: View, key: str, scale: int) -> None:
    """Show the maps of a method."""
    largest = limits(found, view.shared)
    items = []
    for at, column in enumerate(columns):
        if (explained := found.get((one.name, at))) is None:
            continue
        limit = largest[one.name, at]
        under = column.image if view.overlay else None
        picture = coloured(explained.values, limit, view.sign, under)
        items.append(
            Tile(
                at,
                picture,
                _extent(limit, view.sign),
                _completeness(explained),
                f"{one.title}: {column.score}, {column.name}",
            )
        )
    if items:
        tiles(f"{key}-{one.name}", items, scale=scale, on_pick=partial(_open, key, one.name))


def _extent(limit: float, sign: Sign) -> str:
    return f"{'±' if sign == 'signed' else 'to '}{short(limit)}"


def _completeness(explained: Explained) -> tuple[Note, ...]:
    if explained.gained is None or explained.error is None:
        return ()
    return (Note(f"sum {signed(explained.total)}, error {short(abs(explained.error))}"),)


def _open(key: str, method: str, at: int) -> None:
    st.session_state[_OPEN] = (key, method, at)
