"""Accuracy against coverage: what is gained by leaving the least certain images to a person."""

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt

from explorer.analysis.rejection import CoverageCurve
from explorer.ui import formats, theme
from explorer.ui.charts.clicks import targets
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

HEIGHT = 240
PERCENTS = range(1, 101)


def coverage_chart(curves: Mapping[str, CoverageCurve], keep: int) -> Spec:
    """Draw one curve for each model and mark the share that is kept.

    Parameters
    ----------
    curves : mapping of str to CoverageCurve
        By the name in the legend; none of them empty.
    keep : int
        Percent of the images, 1 to 100.

    Returns
    -------
    Spec
        A click chooses another percentage; the field is `percent`.
    """
    thin = {name: curve.thin() for name, curve in curves.items()}
    low = min(float(curve.accuracy.min()) for curve in curves.values())
    points = [{"coverage": keep / 100, "accuracy": curve.accuracy_at(keep / 100)} for curve in curves.values()]
    data = {
        "curve": [row for name, curve in thin.items() for row in _points(name, curve)],
        "keep": [{"coverage": keep / 100}],
        "points": points,
        "percents": [_percent(number, curves) for number in PERCENTS],
    }
    return copy.deepcopy(_chart(theme.mode(), tuple(curves), round(low, 4))) | {"datasets": data}


@lru_cache(maxsize=32)
def _chart(mode: theme.Mode, names: tuple[str, ...], low: float) -> Spec:
    """Return the chart without its data: building it takes much longer than the data do."""
    x = alt.X("coverage:Q", title="coverage: share of the images kept, the most certain first")
    x = x.scale(domain=[0, 1]).axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1], labelFlush=False)
    domain = [max(0.0, low - 0.01), 1.0]
    y = alt.Y("accuracy:Q", title="accuracy on the kept images", scale=alt.Scale(domain=domain, nice=False))
    y = y.axis(format=".0%" if low < 0.9 else ".1%", tickCount=6, labelFlush=False)
    legend = alt.Legend(title=None, orient="top", offset=4, labelLimit=0, symbolType="stroke", symbolStrokeWidth=2.5)
    shown = legend if len(names) > 1 else None
    colours = [theme.sequential()[6], theme.class_colours(2)[1]][: len(names)]
    colour = alt.Color("model:N", sort=None, scale=alt.Scale(domain=list(names), range=colours), legend=shown)
    dash = alt.StrokeDash(
        "model:N", scale=alt.Scale(domain=list(names), range=[[1, 0], [6, 3]][: len(names)]), legend=shown
    )
    accent = theme.colour("primaryColor")
    line = alt.Chart(named("curve")).mark_line(strokeWidth=2.2)
    rule = alt.Chart(named("keep")).mark_rule(color=accent, strokeWidth=1.5, strokeDash=[3, 2])
    point = alt.Chart(named("points")).mark_point(filled=True, size=90, opacity=1, color=accent)
    tooltip = [
        alt.Tooltip("percent:Q", title="keep (%)"),
        *(alt.Tooltip(f"said{number}:N", title=f"accuracy{of}") for number, of in enumerate(_of(names))),
    ]
    chart = alt.layer(
        line.encode(x=x, y=y, color=colour, strokeDash=dash, order="step:Q"),
        rule.encode(x="coverage:Q"),
        point.encode(x="coverage:Q", y="accuracy:Q"),
        targets(alt.Chart(named("percents")), "percent", x="left:Q", x2="right:Q", tooltip=tooltip),
    )
    chart = chart.properties(
        title="Accuracy when the least certain are rejected", height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart)


def _points(name: str, curve: CoverageCurve) -> list[dict[str, Any]]:
    pairs = zip(curve.coverage.tolist(), curve.accuracy.tolist(), strict=True)
    return [
        {"model": name, "step": step, "coverage": round(share, 6), "accuracy": round(accuracy, 6)}
        for step, (share, accuracy) in enumerate(pairs)
    ]


def coverage_table(curves: Mapping[str, CoverageCurve]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all points of all curves."""
    header = ["model", "coverage", "accuracy", "least_confidence_kept"]
    return header, [
        [name, *row]
        for name, curve in curves.items()
        for row in zip(curve.coverage.tolist(), curve.accuracy.tolist(), curve.thresholds.tolist(), strict=True)
    ]


def _of(names: Sequence[str]) -> list[str]:
    return [""] if len(names) == 1 else [f" of {name}" for name in names]


def _percent(number: int, curves: Mapping[str, CoverageCurve]) -> dict[str, Any]:
    said = {f"said{at}": formats.percent(curve.accuracy_at(number / 100)) for at, curve in enumerate(curves.values())}
    return {
        "percent": number,
        "left": (number - 0.5) / 100,
        "right": min(1.0, (number + 0.5) / 100),
        "chosen": 0,
    } | said
