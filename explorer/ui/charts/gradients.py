"""Where the input gradient varies most: the standard deviation of every input over the images."""

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.gradient_statistics import GradientTrials, RankedInput
from explorer.ui import theme
from explorer.ui.charts.specs import OWN_SIZE, Spec, named, specification
from explorer.ui.export import Cell

CELL = 8


def deviation_map(values: NDArray[np.float64], top: Sequence[RankedInput], title: str) -> Spec:
    """Draw a standard deviation for each input (H, W), from zero on, the highest ones framed.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    top : sequence of RankedInput
    title : str
    """
    height, width = values.shape
    largest = float(np.nanmax(values)) or 1.0
    framed = {(one.row, one.column): number for number, one in enumerate(top, 1)}
    data = [
        {
            "row": row,
            "column": column,
            "input": row * width + column,
            "value": float(f"{value:.4g}"),
            "rank": framed.get((row, column), 0),
        }
        for (row, column), value in np.ndenumerate(values)
    ]
    legend = alt.Legend(
        title="std. dev. per unit of brightness",
        titleLimit=0,
        orient="bottom",
        direction="horizontal",
        gradientLength=width * CELL,
        values=[0, largest / 2, largest],
        format=".2~g",
    )
    colour = alt.Color("value:Q", scale=alt.Scale(domain=[0, largest], range=list(theme.sequential())), legend=legend)
    x = alt.X("column:O", title="column", axis=_axis(width))
    y = alt.Y("row:O", title="row", axis=_axis(height))
    tooltip = [
        *(alt.Tooltip(f"{name}:Q") for name in ("input", "row", "column")),
        alt.Tooltip("value:Q", title="standard deviation", format=".3g"),
    ]
    base = alt.Chart(named("inputs")).encode(x=x, y=y)
    frames = base.transform_filter("datum.rank > 0").mark_rect(
        fillOpacity=0, stroke=theme.colour("primaryColor"), strokeWidth=1.6
    )
    chart = alt.layer(base.mark_rect().encode(color=colour, tooltip=tooltip), frames).properties(
        title=title, width=width * CELL, height=height * CELL, autosize=OWN_SIZE
    )
    return specification(chart, inputs=data)


def deviation_table(trials: GradientTrials) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a row for each input with its standard deviation in every trial."""
    several = len(trials.trials) > 1
    header = ["input", "row", "column", *(f"deviation_{one.name}" for one in trials.trials)]
    header += ["mean", "spread"] if several else []
    rows: list[list[Cell]] = []
    for number, (row, column) in enumerate(np.ndindex(*trials.mean.shape)):
        line: list[Cell] = [number, row, column, *(float(one.deviation[row, column]) for one in trials.trials)]
        line += [float(trials.mean[row, column]), float(trials.spread[row, column])] if several else []
        rows.append(line)
    return header, rows


def _axis(size: int) -> alt.Axis:
    return alt.Axis(
        values=[*range(0, size - 4, 7), size - 1],
        domain=False,
        grid=False,
        labelAngle=0,
        labelFlush=False,
        labelOverlap=False,
    )
