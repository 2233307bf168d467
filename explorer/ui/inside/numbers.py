"""Numbers in small tables and equations, as HTML."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui import theme
from explorer.ui.formats import count
from explorer.ui.images import img_tag
from explorer.ui.inside.pictures import TEXT, Colours, framed, painted
from explorer.ui.text import html_text

if TYPE_CHECKING:
    from explorer.analysis.inside.arithmetic import Then

Values = NDArray[np.floating]
Box = tuple[int, int, int, int]
MOST = 7
"""A table with longer sides shows colours only."""
RIGHT = "text-align:right;font-variant-numeric:tabular-nums"


def text(value: float, digits: int = 2) -> str:
    """Write a number with a true minus sign."""
    written = f"{value:.{digits}f}"
    return (written.removeprefix("-") if float(written) == 0 else written).replace("-", "−")


def table(values: Values, title: str, padded: NDArray[np.bool_] | None = None) -> str:
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


def map_with_box(values: Values, largest: float, box: Box | None, side: int, label: str) -> str:
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
    fill = theme.colour("borderColor") if padded else "#" + "".join(f"{int(channel):02x}" for channel in colour)
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
    ink = [int(theme.colour("textColor")[start : start + 2], 16) for start in (1, 3, 5)]
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
