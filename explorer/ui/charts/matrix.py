"""The confusion matrix as a grid of numbers."""

import copy
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.kit import numbers as kit_numbers
from explorer.ui.kit import theme
from explorer.ui.kit.explanations import MatrixView
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.images import on_scale

MATRIX_VIEWS: tuple[MatrixView, ...] = ("Counts", "By row", "By column")
HEIGHT = 320
SHADES = 256
BLACK_AND_WHITE = ("#000000", "#ffffff")
NUMBER_SIZE = "clamp(width / 27, 9, 13)"
"""Of the numbers in the cells, in pixels, by the width of the plot."""

_TITLES: dict[MatrixView, str] = {
    "Counts": "Confusion matrix: number of images",
    "By row": "Confusion matrix: % of each true class",
    "By column": "Confusion matrix: % of each predicted class",
}


def confusion_matrix(
    matrix: ConfusionMatrix,
    view: MatrixView = "Counts",
    chosen: int | None = None,
    *,
    order: Sequence[int] | None = None,
    errors_only: bool = False,
    marked: tuple[int, int] | None = None,
    clicks: str | None = None,
    true_names: Sequence[str] | None = None,
) -> Spec:
    """Draw the matrix with a number in every cell.

    Parameters
    ----------
    matrix : ConfusionMatrix
    view : {'Counts', 'By row', 'By column'}
        What the cells hold. Shares are in percent.
    chosen : int, optional
        A class whose row and column are framed.
    order : sequence of int, optional
        All classes in the order in which they stand, by their numbers.
    errors_only : bool
        Shade the errors by the largest of them, and the diagonal not at all.
    marked : tuple of int, optional
        True and predicted class of a cell that is marked.
    clicks : str, optional
        Name of a selection that a click on a cell makes, and that marks the cell; it holds the fields `row` and
        `column`, which are the numbers of the true and of the predicted class.
    true_names : sequence of str, optional
        Names of the rows where they are not those of the columns.

    Returns
    -------
    Spec
        As wide as its place; the shade grows with the square root of the value, so small errors are seen.
    """
    order = tuple(range(len(matrix.classes))) if order is None else tuple(order)
    rows = tuple((true_names or matrix.classes)[k] for k in order)
    columns = tuple(matrix.classes[k] for k in order)
    colours = (theme.colour("primaryColor"), theme.colour("textColor"))
    chart = copy.deepcopy(_chart(rows, columns, view, errors_only, chosen is not None, colours))
    if clicks is not None:
        select = {"type": "point", "fields": ["row", "column"], "toggle": False}
        chart["layer"][0]["params"] = [{"name": clicks, "select": select}]
        either = {"or": ["datum.marked == 1", {"param": clicks, "empty": False}]}
        chart["layer"][-1]["transform"] = [{"filter": either}]
    names = (tuple(true_names or matrix.classes), matrix.classes)
    cells = [
        cell | {"marked": int((cell["row"], cell["column"]) == marked)}
        for cell in _cells(matrix, view, order, errors_only, names, theme.mode())
    ]
    frame = {"true": names[0][chosen or 0], "predicted": names[1][chosen or 0]}
    return chart | {"datasets": {"cells": cells, "chosen": [frame]}}


@lru_cache(maxsize=64)
def _chart(
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    view: MatrixView,
    errors_only: bool,
    framed: bool,
    colours: tuple[str, str],
) -> Spec:
    """Return the chart without its data: building it takes much longer than the cells do."""
    axis: dict[str, Any] = {"labelLimit": 0, "labelOverlap": False, "ticks": False, "domain": False}
    x = alt.X("predicted:N", sort=None, scale=alt.Scale(domain=list(columns)))
    y = alt.Y("true:N", sort=None, scale=alt.Scale(domain=list(rows)))
    x = x.axis(title="predicted class", labelAngle=-40, **axis)
    y = y.axis(title="true class", labelFlush=False, **axis)
    tooltip = [
        alt.Tooltip("true:N"),
        alt.Tooltip("predicted:N"),
        alt.Tooltip("images:N"),
        alt.Tooltip("by_row:N", title="of the true class"),
        alt.Tooltip("by_column:N", title="of the predicted class"),
    ]
    base = alt.Chart(named("cells")).encode(x=x, y=y)
    cells = base.mark_rect(cursor="pointer").encode(color=alt.Color("fill:N", scale=None), tooltip=tooltip)
    numbers = base.mark_text(fontSize=alt.ExprRef(NUMBER_SIZE)).encode(
        text="label:N", color=alt.Color("ink:N", scale=None)
    )
    accent, ink = colours
    outline = base.transform_filter("datum.marked == 1").mark_rect(filled=False, stroke=ink, strokeWidth=3, aria=False)
    layers = [cells, numbers, *(_frames(accent) if framed else []), outline]
    title = _TITLES[view] + (", errors shaded" if errors_only else "")
    chart = alt.layer(*layers).resolve_scale(color="independent")
    chart = chart.properties(title=alt.TitleParams(title, offset=8), height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


def confusion_table(
    matrix: ConfusionMatrix, view: MatrixView, true_names: Sequence[str] | None = None
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the matrix: counts, or shares from 0 to 1."""
    rows = _values(matrix, view).tolist()
    names = true_names or matrix.classes
    return ["true class", *(f"predicted {name}" for name in matrix.classes)], [
        [name, *row] for name, row in zip(names, rows, strict=True)
    ]


def _values(matrix: ConfusionMatrix, view: MatrixView) -> NDArray[Any]:
    return {"Counts": matrix.counts, "By row": matrix.by_row, "By column": matrix.by_column}[view]


@lru_cache(maxsize=24)
def _cells(
    matrix: ConfusionMatrix,
    view: MatrixView,
    order: tuple[int, ...],
    errors_only: bool,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    mode: theme.Mode,
) -> list[dict[str, Any]]:
    values, by_row, by_column = _values(matrix, view), matrix.by_row, matrix.by_column
    scaled = np.where(np.eye(len(values), dtype=bool), 0, values) if errors_only else values
    largest = float(np.nanmax(scaled, initial=0)) or 1.0
    shades = _shades(mode)
    blank = (theme.colour("secondaryBackgroundColor", mode), theme.colour("textColor", mode))
    cells = []
    for row in order:
        for column in order:
            value = float(values[row, column])
            known = not math.isnan(value)
            shaded = known and (row != column or not errors_only)
            fill, ink = shades[round(math.sqrt(value / largest) * (SHADES - 1))] if shaded else blank
            cells.append(
                {
                    "row": row,
                    "column": column,
                    "true": names[0][row],
                    "predicted": names[1][column],
                    "images": kit_numbers.count(int(matrix.counts[row, column])),
                    "by_row": kit_numbers.percent(float(by_row[row, column])),
                    "by_column": kit_numbers.percent(float(by_column[row, column])),
                    "fill": fill,
                    "label": _label(value, view) if known else "–",
                    "ink": ink,
                }
            )
    return cells


@lru_cache(maxsize=2)
def _shades(mode: theme.Mode) -> list[tuple[str, str]]:
    """Return the colours of the scale in even steps, each with black or white, what can be read on it."""
    colours = on_scale(np.linspace(0, 1, SHADES), theme.sequential(mode)).round().astype(np.uint8)
    fills = [f"#{colour.tobytes().hex()}" for colour in colours]
    return [(fill, max(BLACK_AND_WHITE, key=lambda ink: theme.contrast(ink, fill))) for fill in fills]


def _label(value: float, view: MatrixView) -> str:
    return kit_numbers.count(value) if view == "Counts" else kit_numbers.percent(value).removesuffix("%")


def _frames(accent: str) -> list[alt.Chart]:
    frame = alt.Chart(named("chosen")).mark_rect(
        filled=False, fillOpacity=0, stroke=accent, strokeWidth=1.5, aria=False
    )
    return [frame.encode(y=alt.Y("true:N", sort=None)), frame.encode(x=alt.X("predicted:N", sort=None))]
