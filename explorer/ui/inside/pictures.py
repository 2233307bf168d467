"""Weights and answers as small pictures in HTML, in the theme's colours, at whole-number scales."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.filters import colour
from explorer.ui import theme
from explorer.ui.export import csv_text
from explorer.ui.images import img_tag, png
from explorer.ui.text import html_text
from explorer.ui.widgets import Table

Values = NDArray[np.floating]
Colours = NDArray[np.uint8]

GAP = 4
STRIP = 64
"""Units in a row of a strip."""
TEXT = "font-size:.8rem;line-height:1.35"


def painted(values: Values, largest: float) -> Colours:
    """Return the colours of values, uint8 (..., 3).

    Parameters
    ----------
    values : ndarray
        NaN is left in the colour of the page.
    largest : float
        The end of the scale, which is symmetric: zero is its middle.
    """
    found = colour(np.nan_to_num(values), largest, _ramp())
    found[np.isnan(values)] = _rgb(theme.colour("backgroundColor"))
    return found


def tile(values: Values, largest: float, scale: int, name: str) -> str:
    """Return one picture, (H, W) values, as HTML; its name is shown when it is pointed at."""
    text = html_text(name)
    return f'<div title="{text}">{img_tag(painted(values, largest), scale, name)}</div>'


def scrolling(picture: str) -> str:
    """Return HTML in which a picture that is too wide is scrolled, with the arrow keys too."""
    return f'<div tabindex="0" style="overflow-x:auto">{picture}</div>'


def row(tiles: Sequence[str], height: int | None = None) -> str:
    """Put tiles side by side and below each other; of one height in pixels, only those that one line has room for."""
    cut = "" if height is None else f";height:{height}px;overflow:hidden"
    return f'<div style="display:flex;flex-wrap:wrap;gap:{GAP}px{cut}">{"".join(tiles)}</div>'


def heading(title: str, unit: str, largest: float | None) -> str:
    """Return a title with the colour scale beside it; without `largest` each picture has its own."""
    stops = ",".join(theme.diverging())
    bar = (
        f'<span style="width:7rem;height:.6rem;border-radius:2px;background:linear-gradient(to right,{stops})"></span>'
    )
    start, end = ("lowest", "highest") if largest is None else (f"−{largest:.2g}", f"+{largest:.2g}")
    scale = f'<span style="display:flex;gap:.4rem;align-items:center">{html_text(unit)} {start}{bar}{end}</span>'
    return (
        f'<div style="{TEXT};display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;align-items:center;margin-bottom:.4rem">'
        f"<strong>{html_text(title)}</strong>{scale}</div>"
    )


def strip(values: Values) -> Values:
    """Lay numbers (N,) out in rows of `STRIP`, the last one filled up with NaN."""
    if len(values) <= STRIP:
        return values[None]
    missing = -len(values) % STRIP
    return np.append(values, np.full(missing, np.nan)).reshape(-1, STRIP)


def sheet(pictures: Sequence[Values], largest: Sequence[float], scale: int, columns: int = 8) -> bytes:
    """Return pictures of one size as a PNG, `columns` in a row, a pixel between them."""
    height, width = pictures[0].shape
    columns = max(1, min(columns, len(pictures)))
    rows = -(-len(pictures) // columns)
    step_y, step_x = height * scale + 1, width * scale + 1
    canvas = np.full((rows * step_y - 1, columns * step_x - 1, 3), 128, np.uint8)
    for place, (values, end) in enumerate(zip(pictures, largest, strict=True)):
        top, left = place // columns * step_y, place % columns * step_x
        enlarged = painted(values, end).repeat(scale, axis=0).repeat(scale, axis=1)
        canvas[top : top + height * scale, left : left + width * scale] = enlarged
    return png(canvas)


def framed(image: NDArray[np.uint8], box: tuple[int, int, int, int] | None, scale: int) -> Colours:
    """Enlarge a grey image (H, W) and frame a part of it in the accent colour.

    Parameters
    ----------
    image : ndarray
        uint8.
    box : tuple of int or None
        First row, first column, last row, last column, all inside the frame.
    scale : int
    """
    large = np.repeat(image.repeat(scale, axis=0).repeat(scale, axis=1)[..., None], 3, axis=2)
    if box is not None:
        top, left, bottom, right = (scale * box[0], scale * box[1], scale * (box[2] + 1) - 1, scale * (box[3] + 1) - 1)
        accent = _rgb(theme.colour("primaryColor"))
        for line in (0, 1):
            large[top : bottom + 1, [left + line, right - line]] = accent
            large[[top + line, bottom - line], left : right + 1] = accent
    return large


def read(name: str, how_to_read: str, table: Callable[[], Table], picture: Callable[[], bytes] | None = None) -> None:
    """Say how to read a picture, and offer its data as CSV and the picture as PNG, in a menu.

    Parameters
    ----------
    name : str
        Of the files.
    how_to_read : str
        Markdown.
    table, picture : callable
        Called only when the file is asked for.
    """
    with st.container(horizontal=True, wrap=False, gap="small"):
        st.caption(f"**How to read this.** {how_to_read}", width="stretch")
        menu = st.popover("Save", type="tertiary", key=f"save-{name}", help="The data or the picture of this figure")
        with menu, st.container(gap="xxsmall"):
            _file("Data as CSV", lambda: csv_text(*table()), f"{name}.csv", "text/csv")
            if picture is not None:
                _file("Picture as PNG", picture, f"{name}.png", "image/png")


def _file(label: str, data: Callable[[], str | bytes], file: str, mime: str) -> None:
    st.download_button(
        label, data, file, mime, key=f"file-{file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )


def _ramp() -> list[list[float]]:
    return [[channel / 255 for channel in _rgb(code)] for code in theme.diverging()]


def _rgb(code: str) -> list[int]:
    return [int(code[start : start + 2], 16) for start in (1, 3, 5)]
