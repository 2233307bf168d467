"""Weights and answers as small pictures in HTML, in the theme's colours, at whole-number scales."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.kit import theme
from explorer.ui.kit.figure import Table, csv_text
from explorer.ui.kit.images import img_tag, on_scale, png
from explorer.ui.kit.numbers import count
from explorer.ui.kit.text import html_text

if TYPE_CHECKING:
    from explorer.analysis.inside.arithmetic import Then


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
    found = on_scale((np.nan_to_num(values) / (largest or 1.0) + 1) / 2, theme.diverging()).round().astype(np.uint8)
    found[np.isnan(values)] = theme.rgb(theme.colour("backgroundColor"))
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
        accent = theme.rgb(theme.colour("primaryColor"))
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


Numbers = NDArray[np.floating]
Box = tuple[int, int, int, int]
MOST = 7
"""A table with longer sides shows colours only."""
RIGHT = "text-align:right;font-variant-numeric:tabular-nums"


def text(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign."""
    written = f"{value:.{digits}f}"
    return (written.removeprefix("-") if float(written) == 0 else written).replace("-", "−")


def table(values: Numbers, title: str, padded: NDArray[np.bool_] | None = None) -> str:
    """Return a small table of numbers (H, W) on the colours of their values.

    Parameters
    ----------
    values : ndarray
    title : str
    padded : ndarray, optional
        bool, shape (H, W): cells that are greyed.
    """
    largest = float(np.abs(values).max(initial=0.0))
    if max(values.shape) > MOST:
        return _labelled(img_tag(painted(values, largest), max(1, 168 // max(values.shape)), title), title)
    colours = painted(values, largest)
    rows = []
    for row in range(values.shape[0]):
        cells = [
            _cell(float(values[row, column]), colours[row, column], bool(padded is not None and padded[row, column]))
            for column in range(values.shape[1])
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _labelled(f'<table style="border-collapse:collapse;font-size:.72rem">{"".join(rows)}</table>', title)


def sign(text: str) -> str:
    """Return a sign between two parts of an equation."""
    return f'<div style="font-size:1.2rem">{html_text(text)}</div>'


def side_by_side(parts: Sequence[str]) -> str:
    """Put parts in a row that wraps where it is narrow."""
    return (
        f'<div style="{TEXT};display:flex;flex-wrap:wrap;gap:.3rem .6rem;align-items:center;margin-bottom:.3rem">'
        f"{''.join(parts)}</div>"
    )


def map_with_box(values: Numbers, largest: float, box: Box | None, side: int, label: str) -> str:
    """Return a map (H, W) in colours, about `side` pixels large, with a part of it framed, and its label below."""
    scale = max(1, round(side / max(values.shape)))
    return _labelled(img_tag(_boxed(painted(values, largest), box, scale), 1, label), label, below=True)


def image_with_box(image: NDArray[np.uint8], box: Box, side: int, label: str) -> str:
    """Return a grey image as `map_with_box` does a map."""
    scale = max(1, round(side / max(image.shape)))
    return _labelled(img_tag(framed(image, _within(box, image.shape), scale), 1, label), label, below=True)


def equation(parts: Sequence[tuple[str, float]], total: float, then: "Sequence[Then]") -> str:
    """Write the sum, and what the next layers make of it: `1.20 + 0.10 = 1.30 → 1.30`, each with its name below."""
    added = '<span style="padding:0 .35rem">+</span>'.join(_number(value, label) for label, value in parts)
    line = f'{added}<span style="padding:0 .35rem">=</span>{_number(total, "value")}'
    for one in then:
        line += f'<span style="padding:0 .35rem">→</span>{_number(one.value, f"after {one.step.kind}")}'
    return f'<div style="{TEXT};display:flex;flex-wrap:wrap;align-items:center;gap:.2rem;margin:.3rem 0">{line}</div>'


def list_of(title: str, values: Sequence[tuple[str, float]]) -> str:
    """List named numbers beside each other."""
    cells = "".join(_number(value, label) for label, value in values)
    return (
        f'<div style="{TEXT}"><div>{html_text(title)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:.3rem .8rem;margin-top:.2rem">{cells}</div></div>'
    )


def contributions(rows: Sequence[tuple[str, float, float, float]], others: int, rest: float) -> str:
    """Return a table of inputs with their values, weights and products, and the sum of all others."""
    heads = "".join(
        f'<th style="{RIGHT};font-weight:400;padding:0 .6rem">{name}</th>' for name in ("value", "weight", "product")
    )
    body = "".join(
        f"<tr><td>{html_text(name)}</td>"
        + "".join(f'<td style="{RIGHT};padding:0 .6rem">{text(number, 3)}</td>' for number in numbers)
        + "</tr>"
        for name, *numbers in rows
    )
    if others:
        body += (
            f"<tr><td>the other {count(others)} inputs</td><td></td><td></td>"
            f'<td style="{RIGHT};padding:0 .6rem">{text(rest, 3)}</td></tr>'
        )
    head = f'<thead><tr><th style="text-align:left;font-weight:400">input</th>{heads}</tr></thead>'
    return f'<table style="{TEXT};border-spacing:.2rem 0">{head}<tbody>{body}</tbody></table>'


def _number(value: float, label: str) -> str:
    return (
        '<span style="display:inline-flex;flex-direction:column;align-items:center">'
        f'<b style="font-variant-numeric:tabular-nums">{text(value, 3)}</b>'
        f'<span style="font-size:.72rem;opacity:.8">{html_text(label)}</span></span>'
    )


def _cell(value: float, colour: Colours, padded: bool) -> str:
    fill = theme.colour("borderColor") if padded else f"#{bytes(map(int, colour)).hex()}"
    style = f"background:{fill};color:{theme.ink_on(fill)};{RIGHT};padding:.12rem .25rem;min-width:2.1rem"
    return f'<td style="{style}">{text(value)}</td>'


def _labelled(part: str, label: str, below: bool = False) -> str:
    words = f'<div style="font-size:.75rem;opacity:.85">{html_text(label)}</div>'
    return f"<div>{part}{words}</div>" if below else f"<div>{words}{part}</div>"


def _boxed(colours: Colours, box: Box | None, scale: int) -> Colours:
    large = colours.repeat(scale, axis=0).repeat(scale, axis=1)
    if box is None:
        return large
    top, left, bottom, right = _within(box, colours.shape[:2])
    rows, columns = (scale * top, scale * (bottom + 1) - 1), (scale * left, scale * (right + 1) - 1)
    ink = theme.rgb(theme.colour("textColor"))
    large[rows[0] : rows[1] + 1, [columns[0], columns[1]]] = ink
    large[[rows[0], rows[1]], columns[0] : columns[1] + 1] = ink
    return large


def _within(box: Box, shape: Sequence[int]) -> Box:
    """Cut a frame at the edges of a picture: what lies on the padding is not seen."""
    top, left, bottom, right = box
    last = (shape[0] - 1, shape[1] - 1)
    return (
        int(np.clip(top, 0, last[0])),
        int(np.clip(left, 0, last[1])),
        int(np.clip(bottom, 0, last[0])),
        int(np.clip(right, 0, last[1])),
    )
