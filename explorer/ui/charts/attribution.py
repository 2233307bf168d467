"""Attribution maps: one square for each pixel, zero in the middle of the colours."""

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.ui import theme
from explorer.ui.charts.specs import OWN_SIZE, Spec, named, specification
from explorer.ui.export import Cell

CELL = 7
"""Screen pixels for each of the image's."""


def attribution_map(
    values: NDArray[np.floating],
    title: str,
    unit: str,
    *,
    absolute: bool = False,
    limit: float | None = None,
    cell: int = CELL,
) -> Spec:
    """Draw a map (H, W); what speaks for the class is warm, what speaks against it is cold.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    title : str
    unit : str
        What the colours measure.
    absolute : bool
        Colour the size alone.
    limit : float, optional
        The value that gets the strongest colour; by default the largest size in the map.
    cell : int
        Screen pixels for each of the map's.

    Returns
    -------
    Spec
        At a whole-number scale. The scale is symmetric, so its middle colour means zero; a map of zeros is plain.
    """
    height, width = values.shape
    largest = float(limit or np.abs(values).max()) or 1.0
    ends = [0.0, largest] if absolute else [-largest, 0.0, largest]
    colour = alt.Color(
        "shown:Q",
        scale=alt.Scale(
            domain=[ends[0], largest],
            range=list(theme.sequential() if absolute else theme.diverging()),
            clamp=True,
        ),
        legend=alt.Legend(
            title=unit,
            titleLimit=0,
            orient="bottom",
            direction="horizontal",
            gradientLength=width * cell,
            values=ends,
            format=".2~g",
        ),
    )
    data = []
    for (row, column), value in np.ndenumerate(values.astype(float)):
        kept = float(f"{value:.4g}")
        data.append({"row": row, "column": column, "value": kept, "shown": abs(kept) if absolute else kept})
    x = alt.X("column:O", title="column", axis=_axis(width))
    y = alt.Y("row:O", title="row", axis=_axis(height))
    tooltip = [alt.Tooltip("row:O"), alt.Tooltip("column:O"), alt.Tooltip("value:Q", format=".3g")]
    marks = alt.Chart(named("pixels")).mark_rect().encode(x=x, y=y, color=colour, tooltip=tooltip)
    chart = marks.properties(title=title, width=width * cell, height=height * cell, autosize=OWN_SIZE)
    return specification(chart, pixels=data)


def map_grid(rows: Sequence[Sequence[Spec]]) -> Spec:
    """Put maps in rows, as one picture.

    Parameters
    ----------
    rows : sequence of sequence of Spec
        Made by `attribution_map`.
    """
    datasets: dict[str, object] = {}
    lines = []
    for number, row in enumerate(rows):
        line = []
        for place, one in enumerate(row):
            name = f"pixels-{number}-{place}"
            datasets[name] = one["datasets"]["pixels"]
            inner = {
                key: value for key, value in one.items() if key not in ("datasets", "$schema", "config", "autosize")
            }
            line.append(inner | {"data": {"name": name}})
        lines.append({"hconcat": line, "spacing": 28})
    first = rows[0][0]
    return {
        "$schema": first["$schema"],
        "vconcat": lines,
        "spacing": 28,
        "resolve": {"scale": {"color": "independent"}},
        "datasets": datasets,
    }


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
