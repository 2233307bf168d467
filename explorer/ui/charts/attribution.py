"""Attribution maps: one square for each pixel, zero in the middle of the colours."""

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.ui import theme
from explorer.ui.charts.specs import OWN_SIZE, Spec, named, specification
from explorer.ui.export import Cell

CELL = 7
"""Screen pixels for each of the image's."""


def attribution_map(values: NDArray[np.floating], title: str, unit: str) -> Spec:
    """Draw a map (H, W); what speaks for the class is warm, what speaks against it is cold.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    title : str
    unit : str
        What the colours measure.

    Returns
    -------
    Spec
        At a whole-number scale. The scale is symmetric, so its middle colour means zero; a map of zeros is plain.
    """
    height, width = values.shape
    largest = float(np.abs(values).max()) or 1.0
    colour = alt.Color(
        "value:Q",
        scale=alt.Scale(domain=[-largest, largest], range=list(theme.diverging())),
        legend=alt.Legend(
            title=unit,
            titleLimit=0,
            orient="bottom",
            direction="horizontal",
            gradientLength=width * CELL,
            values=[-largest, 0, largest],
            format=".2~g",
        ),
    )
    data = [
        {"row": row, "column": column, "value": float(f"{value:.4g}")}
        for (row, column), value in np.ndenumerate(values.astype(float))
    ]
    x = alt.X("column:O", title="column", axis=_axis(width))
    y = alt.Y("row:O", title="row", axis=_axis(height))
    tooltip = [alt.Tooltip("row:O"), alt.Tooltip("column:O"), alt.Tooltip("value:Q", format=".3g")]
    marks = alt.Chart(named("pixels")).mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip)
    chart = marks.properties(title=title, width=width * CELL, height=height * CELL, autosize=OWN_SIZE)
    return specification(chart, pixels=data)


def attribution_table(values: NDArray[np.floating]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of a map, a row for each pixel."""
    rows: list[list[Cell]] = [
        [row, column, float(value)] for (row, column), value in np.ndenumerate(values.astype(float))
    ]
    return ["row", "column", "attribution"], rows


def _axis(size: int) -> alt.Axis:
    """Return an axis that numbers every seventh pixel and the last one."""
    return alt.Axis(
        values=[*range(0, size - 4, 7), size - 1],
        domain=False,
        grid=False,
        labelAngle=0,
        labelFlush=False,
        labelOverlap=False,
    )
