"""The confusion matrix as a grid of numbers."""

import copy
import math
from functools import lru_cache
from typing import Any, Literal

import altair as alt
import numpy as np

from explorer.analysis.confusion import ConfusionMatrix
from explorer.ui import formats, theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

MatrixView = Literal["Counts", "By row", "By column"]
MATRIX_VIEWS: tuple[MatrixView, ...] = ("Counts", "By row", "By column")
HEIGHT = 390

_TITLES: dict[MatrixView, str] = {
    "Counts": "Confusion matrix: number of images",
    "By row": "Confusion matrix: % of each true class",
    "By column": "Confusion matrix: % of each predicted class",
}


def confusion_matrix(matrix: ConfusionMatrix, view: MatrixView = "Counts", chosen: int | None = None) -> Spec:
    """Draw the matrix with a number in every cell.

    Parameters
    ----------
    matrix : ConfusionMatrix
    view : {'Counts', 'By row', 'By column'}
        What the cells hold. Shares are in percent.
    chosen : int, optional
        A class whose row and column are framed.

    Returns
    -------
    Spec
        As wide as its place; the shade grows with the square root of the value, so small errors are seen.
    """
    domain = list(matrix.classes)
    chart = _chart(matrix.classes, view, chosen is not None, theme.sequential(), theme.colour("primaryColor"))
    cell = {"true": domain[chosen or 0], "predicted": domain[chosen or 0]}
    return copy.deepcopy(chart) | {"datasets": {"cells": _cells(matrix, view), "chosen": [cell]}}


@lru_cache(maxsize=32)
def _chart(classes: tuple[str, ...], view: MatrixView, framed: bool, shades: tuple[str, ...], accent: str) -> Spec:
    """Return the chart without its data: building it takes much longer than the cells do."""
    domain = list(classes)
    x = alt.X(
        "predicted:N",
        sort=None,
        scale=alt.Scale(domain=domain),
        axis=alt.Axis(title="predicted class", labelAngle=-40, labelLimit=0, labelOverlap=False, ticks=False),
    )
    y = alt.Y(
        "true:N",
        sort=None,
        scale=alt.Scale(domain=domain),
        axis=alt.Axis(title="true class", labelLimit=0, labelFlush=False, labelOverlap=False, ticks=False),
    )
    base = alt.Chart(named("cells")).encode(x=x, y=y)
    shade = alt.Color("depth:Q", scale=alt.Scale(domain=[0, 1], range=list(shades)))
    tooltip = ["true:N", "predicted:N", "images:N", alt.Tooltip("row:N", title="of the true class")]
    tooltip.append(alt.Tooltip("column:N", title="of the predicted class"))
    cells = base.mark_rect().encode(color=shade.legend(None), tooltip=tooltip)
    numbers = base.mark_text(fontSize=alt.ExprRef("clamp(width / 42, 7.5, 13)")).encode(
        text="label:N", color=alt.Color("ink:N", scale=None), tooltip=tooltip
    )
    layers = [cells, numbers, *(_frames(accent) if framed else [])]
    chart = alt.layer(*layers).resolve_scale(color="independent")
    chart = chart.properties(title=_TITLES[view], height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


def confusion_table(matrix: ConfusionMatrix, view: MatrixView) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the matrix: counts, or shares from 0 to 1."""
    rows = _values(matrix, view).tolist()
    return ["true class", *matrix.classes], [[name, *row] for name, row in zip(matrix.classes, rows, strict=True)]


def _values(matrix: ConfusionMatrix, view: MatrixView) -> np.ndarray:
    return {"Counts": matrix.counts, "By row": matrix.by_row, "By column": matrix.by_column}[view]


def _cells(matrix: ConfusionMatrix, view: MatrixView) -> list[dict[str, Any]]:
    values, by_row, by_column = _values(matrix, view), matrix.by_row, matrix.by_column
    largest = float(np.nanmax(values, initial=0)) or 1.0
    colours = theme.sequential()
    inks = [theme.ink_on(colour) for colour in colours]
    cells = []
    for (row, column), value in np.ndenumerate(values):
        known = not math.isnan(value)
        depth = math.sqrt(value / largest) if known else 0.0
        cells.append(
            {
                "true": matrix.classes[row],
                "predicted": matrix.classes[column],
                "images": formats.count(int(matrix.counts[row, column])),
                "row": _share(float(by_row[row, column])),
                "column": _share(float(by_column[row, column])),
                "depth": depth,
                "label": _label(float(value), view) if known else "–",
                "ink": inks[round(depth * (len(inks) - 1))],
            }
        )
    return cells


def _label(value: float, view: MatrixView) -> str:
    return formats.count(value) if view == "Counts" else f"{100 * value:.1f}"


def _share(value: float) -> str:
    return formats.percent(None if math.isnan(value) else value)


def _frames(accent: str) -> list[alt.Chart]:
    frame = alt.Chart(named("chosen")).mark_rect(filled=False, fillOpacity=0, stroke=accent, strokeWidth=1.5)
    return [frame.encode(y=alt.Y("true:N", sort=None)), frame.encode(x=alt.X("predicted:N", sort=None))]
