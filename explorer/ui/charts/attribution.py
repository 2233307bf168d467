"""Attribution maps, and the charts that say whether they may be believed."""

from collections.abc import Sequence
from typing import Literal

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness.deletion import PerturbationCurves
from explorer.analysis.faithfulness.verdict import ALIKE, Examination
from explorer.analysis.gradients.statistics import GradientTrials, RankedInput
from explorer.ui.charts.specs import FIT_WIDTH, OWN_SIZE, PADDING, Spec, named, specification
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell

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


HEIGHT = 150
What = Literal["deletion", "insertion"]
_WORDS = {"deletion": ("Deletion", "taken away"), "insertion": ("Insertion", "added")}


def perturbation_chart(curves: PerturbationCurves, what: What, target: str) -> Spec:
    """Draw the probability of the target while pixels are taken away or added, and what random orders give.

    Parameters
    ----------
    curves : PerturbationCurves
    what : 'deletion' or 'insertion'
    target : str
        Name of the class or margin whose probability it is.
    """
    title, verb = _WORDS[what]
    low, high = curves.band(what)
    own = curves.deletion if what == "deletion" else curves.insertion
    random = (curves.random if what == "deletion" else curves.random[:, ::-1]).mean(axis=0)
    rows = [
        {"share": share, "own": mine, "random": mean, "low": below, "high": above}
        for share, mine, mean, below, above in zip(
            *(np.round(values, 5).tolist() for values in (curves.shares, own, random, low, high)), strict=True
        )
    ]
    x = alt.X("share:Q", title=f"pixels {verb}, most important first", scale=alt.Scale(domain=[0, 1]))
    x = x.axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=False)
    y = alt.Y("own:Q", title="probability", scale=alt.Scale(domain=[0, 1]))
    y = y.axis(format=".0%", values=[0, 0.5, 1], labelFlush=False)
    ink, grey = theme.colour("primaryColor"), theme.colour("textColor")
    base = alt.Chart(named("curves"))
    tooltip = [
        alt.Tooltip("share:Q", title=f"pixels {verb}", format=".0%"),
        alt.Tooltip("own:Q", title="this map", format=".1%"),
        alt.Tooltip("random:Q", title="mean of random orders", format=".1%"),
        alt.Tooltip("low:Q", title="95% of them from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
    ]
    chart = alt.layer(
        base.mark_area(color=grey, opacity=0.16).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", tooltip=tooltip),
        base.mark_line(color=grey, strokeDash=[4, 3], strokeWidth=1.4).encode(x=x, y="random:Q", tooltip=tooltip),
        base.mark_line(color=ink, strokeWidth=2.4, point={"size": 26, "color": ink}).encode(x=x, y=y, tooltip=tooltip),
    )
    heading = alt.TitleParams(f"{title}: {target}", limit=300)
    return specification(
        chart.properties(title=heading, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING), curves=rows
    )


def perturbation_table(curves: PerturbationCurves) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a row for each share of the pixels, with every random order."""
    orders = [f"random_{number + 1}" for number in range(len(curves.random))]
    rows: list[list[Cell]] = [
        [float(share), float(deleted), float(inserted), *map(float, random)]
        for share, deleted, inserted, random in zip(
            curves.shares, curves.deletion, curves.insertion, curves.random.T, strict=True
        )
    ]
    return ["share", "deletion", "insertion", *orders], rows


def randomisation_chart(examination: Examination, names: Sequence[str]) -> Spec:
    """Draw how alike the maps are while the weights become random, layer by layer.

    Parameters
    ----------
    examination : Examination
    names : sequence of str
        Of its layers, in their order.
    """
    rows = [
        {"stage": f"{at}", "layer": name, "draw": draw, "alike": round(float(value), 4)}
        for at, (name, stage) in enumerate(zip(names, examination.stages, strict=False))
        for draw, value in enumerate(stage.signed)
        if not np.isnan(value)
    ]
    middles = [
        {"stage": f"{at}", "layer": name, "alike": round(float(np.nanmedian(stage.signed)), 4)}
        for at, (name, stage) in enumerate(zip(names, examination.stages, strict=False))
        if not np.isnan(stage.signed).all()
    ]
    x = alt.X("stage:O", title="random down to this layer", sort=None, scale=alt.Scale(domain=_places(names)))
    x = x.axis(labelExpr=_labels(names), labelAngle=-40 if len(names) > 6 else 0, labelLimit=90, labelOverlap=False)
    y = alt.Y("alike:Q", title="rank correlation", scale=alt.Scale(domain=[-1, 1]))
    y = y.axis(values=[-1, -0.5, 0, 0.5, 1], format=".1f", labelFlush=False)
    tooltip = [alt.Tooltip("layer:N"), alt.Tooltip("alike:Q", title="rank correlation", format=".2f")]
    ink = theme.colour("primaryColor")
    rule = alt.Chart(named("rule")).mark_rule(color=theme.colour("textColor"), strokeDash=[3, 3]).encode(y="alike:Q")
    line = alt.Chart(named("middles")).mark_line(color=ink, strokeWidth=2).encode(x=x, y=y, tooltip=tooltip)
    dots = alt.Chart(named("draws")).mark_point(color=ink, filled=True, size=28, opacity=0.7)
    chart = alt.layer(rule, line, dots.encode(x=x, y=y, tooltip=tooltip)).properties(
        title="How alike the maps stay", height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart, draws=rows, middles=middles, rule=[{"alike": ALIKE}])


def randomisation_table(examination: Examination) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a row for each layer and draw of weights."""
    rows: list[list[Cell]] = [
        [stage.layer, stage.kind, draw, float(signed), float(absolute)]
        for stage in examination.stages
        for draw, (signed, absolute) in enumerate(zip(stage.signed, stage.absolute, strict=True))
    ]
    return ["layer", "type", "draw", "rank_correlation", "rank_correlation_of_sizes"], rows


def _places(names: Sequence[str]) -> list[str]:
    return [f"{at}" for at in range(len(names))]


def _labels(names: Sequence[str]) -> str:
    """Write the names at places that are told apart by number; they are made of safe characters only."""
    quoted = ",".join('"' + "".join(c for c in name if c.isalnum() or c in "._- ") + '"' for name in names)
    return f"[{quoted}][toNumber(datum.value)]"


GRADIENTS_CELL = 8


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
        gradientLength=width * GRADIENTS_CELL,
        values=[0, largest / 2, largest],
        format=".2~g",
    )
    colour = alt.Color("value:Q", scale=alt.Scale(domain=[0, largest], range=list(theme.sequential())), legend=legend)
    x = alt.X("column:O", title="column", axis=_gradients_axis(width))
    y = alt.Y("row:O", title="row", axis=_gradients_axis(height))
    tooltip = [
        *(alt.Tooltip(f"{name}:Q") for name in ("input", "row", "column")),
        alt.Tooltip("value:Q", title="standard deviation", format=".3g"),
    ]
    base = alt.Chart(named("inputs")).encode(x=x, y=y)
    frames = base.transform_filter("datum.rank > 0").mark_rect(
        fillOpacity=0, stroke=theme.colour("primaryColor"), strokeWidth=1.6
    )
    chart = alt.layer(base.mark_rect().encode(color=colour, tooltip=tooltip), frames).properties(
        title=title, width=width * GRADIENTS_CELL, height=height * GRADIENTS_CELL, autosize=OWN_SIZE
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


def _gradients_axis(size: int) -> alt.Axis:
    return alt.Axis(
        values=[*range(0, size - 4, 7), size - 1],
        domain=False,
        grid=False,
        labelAngle=0,
        labelFlush=False,
        labelOverlap=False,
    )
