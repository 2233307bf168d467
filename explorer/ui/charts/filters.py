"""First-layer filters as small pictures that wrap to the width there is, with one colour scale for all."""

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.filters import Filters, colour, grid
from explorer.ui import theme
from explorer.ui.export import Cell
from explorer.ui.images import img_tag, png
from explorer.ui.text import html_text

SHOWN = 40
SIDE = 56
"""Screen pixels of a filter, or a little less: as many times its own size as fit."""

COLUMNS = 10


def filter_pictures(filters: Filters, shown: int = SHOWN) -> str:
    """Return the first filters as HTML, warm where a brighter pixel raises the output, cold where it lowers it.

    Parameters
    ----------
    filters : Filters
    shown : int
        At most so many.

    Returns
    -------
    str
        With a title that says how many there are, and the colour scale. Names stand beneath the templates of
        classes; a unit or kernel tells its number when pointed at.
    """
    images = filters.images[:shown]
    scale = max(1, SIDE // max(images.shape[1:]))
    tiles = zip(colour(images, filters.largest, _ramp()), filters.names, strict=False)
    cells = "".join(_cell(tile, name, scale, filters.of_classes) for tile, name in tiles)
    return (
        '<div style="font-size:.8rem;line-height:1.35">'
        '<div style="display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;align-items:center;margin-bottom:.5rem">'
        f"<strong>{_title(filters, len(images))}</strong>{_scale(filters.largest)}</div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:4px">{cells}</div></div>'
    )


def filters_png(filters: Filters) -> bytes:
    """Return the filters of `filter_pictures` as one PNG."""
    return png(grid(filters, COLUMNS, scale=_png_scale(filters), shown=SHOWN, colours=_ramp()))


def filter_table(filters: Filters) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all filters, a row for each weight."""
    rows: list[list[Cell]] = [
        [filters.names[number], row, column, float(value)]
        for (number, row, column), value in np.ndenumerate(filters.images)
    ]
    return ["filter", "row", "column", "weight"], rows


def _png_scale(filters: Filters) -> int:
    side: int = max(filters.images.shape[1:])
    return max(1, SIDE // side)


def _title(filters: Filters, shown: int) -> str:
    if filters.of_classes:
        return "Weights of each class"
    what = "hidden unit" if filters.kind == "weights" else "kernel"
    many = f"{filters.n:,} {what}s" if filters.n != 1 else f"1 {what}"
    return f"First layer: {many}" if shown == filters.n else f"First layer: {shown} of {many}"


def _cell(tile: NDArray[np.uint8], name: str, scale: int, named: bool) -> str:
    text = html_text(name)
    label = f'<div style="width:5.2rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis">{text}</div>'
    return f'<div title="{text}">{img_tag(tile, scale, name)}{label if named else ""}</div>'


def _scale(largest: float) -> str:
    """Draw the colours with the weights at their ends and in the middle."""
    stops = ",".join(theme.diverging())
    bar = (
        f'<span style="width:8rem;height:.6rem;border-radius:2px;background:linear-gradient(to right,{stops})"></span>'
    )
    start, end = f"−{largest:.2g}", f"+{largest:.2g}"
    return f'<span style="display:flex;gap:.4rem;align-items:center">weight {start}{bar}{end}</span>'


def _ramp() -> list[list[float]]:
    return [[int(code[start : start + 2], 16) / 255 for start in (1, 3, 5)] for code in theme.diverging()]
