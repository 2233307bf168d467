"""The reliability diagram, with the number of images in each bin below it in the same plot."""

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np

from explorer.analysis.evaluation.calibration import Reliability
from explorer.analysis.evaluation.rejection import CoverageCurve
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, said, specification, targets, with_percents
from explorer.ui.kit import numbers, theme
from explorer.ui.kit.figure import Cell

HEIGHT = 240
FLOOR, BAND = -0.27, 0.19
"""Where the histogram stands below the diagram, and how high it is, in units of the accuracy."""

RIGHT, OVER, UNDER, OTHER = "accuracy", "overconfident", "underconfident", "accuracy of B"


def reliability_diagram(
    found: Reliability, chosen: int | None = None, other: Reliability | None = None, title: str = "Reliability diagram"
) -> Spec:
    """Draw accuracy against confidence as bars, the gap to the confidence, and a small histogram below.

    Parameters
    ----------
    found : Reliability
    chosen : int, optional
        A bin that is framed.
    other : Reliability, optional
        Of a second model, drawn as points joined by a line.
    title : str

    Returns
    -------
    Spec
        Its bins can be clicked; the field is `bin`.
    """
    diagonal = [{"left": 0, "accuracy": 0}, {"left": 1, "accuracy": 1}]
    data = {"bins": _rows(found, chosen), "diagonal": diagonal}
    if other is not None:
        data["other"] = _rows(other, None)
    chart = _chart(theme.mode(), other is not None)
    return copy.deepcopy(chart) | {"title": title, "datasets": data}


@lru_cache(maxsize=8)
def _chart(mode: theme.Mode, two: bool) -> Spec:
    """Return the chart without its data: building it takes much longer than the data do."""
    x = alt.X("left:Q", title="confidence: probability of the predicted class", scale=alt.Scale(domain=[0, 1]))
    x = x.axis(format=".0%", values=[0, 0.2, 0.4, 0.6, 0.8, 1], labelFlush=False, grid=False)
    y = alt.Y("accuracy:Q", title="accuracy (below: images)", scale=alt.Scale(domain=[FLOOR, 1]))
    y = y.axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=False)
    base = with_percents(alt.Chart(named("bins")), "confidence", "accuracy")
    ink, ground = theme.colour("textColor"), theme.colour("backgroundColor")
    diagonal = alt.Chart(named("diagonal")).mark_line(color=ink, opacity=0.55, strokeDash=[4, 3], strokeWidth=1.2)
    bars = base.mark_rect(stroke=ground, strokeWidth=1).encode(x=x, x2="right:Q", y=y, y2=alt.datum(0))
    gaps = base.mark_rect(stroke=ground, strokeWidth=1, opacity=0.75)
    sure = base.mark_rule(strokeWidth=2.5, color=ink).encode(x=x, x2="right:Q", y="confidence:Q")
    number = base.mark_rect(color=ink, opacity=0.35, stroke=ground).encode(
        x=x, x2="right:Q", y=alt.Y("floor:Q"), y2="top:Q"
    )
    text = base.mark_text(baseline="bottom", dy=-2, fontSize=10, color=ink).encode(
        x="middle:Q", y="top:Q", text="label:N", opacity=alt.condition("width > 400", alt.value(0.9), alt.value(0))
    )
    layers = [
        bars.encode(color=alt.ColorDatum(RIGHT, type="nominal")),
        gaps.encode(x=x, x2="right:Q", y=y, y2="confidence:Q", color=_colour(two)),
        sure,
        diagonal.encode(x=alt.X("left:Q"), y=alt.Y("accuracy:Q")),
        number,
        text,
        *(_line() if two else []),
        targets(base, "bin", x=x, x2="right:Q", y="floor:Q", y2="ceiling:Q", tooltip=_tooltip()),
    ]
    chart = alt.layer(*layers).properties(title="", height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


def reliability_table(found: Reliability) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the bins, the empty ones included."""
    header = ["confidence_above", "confidence_up_to", "images", "mean_confidence", "accuracy"]
    columns = (found.edges[:-1], found.edges[1:], found.counts, found.confidence, found.accuracy)
    return header, [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def bin_name(found: Reliability, number: int) -> str:
    """Return the range of a bin in percent."""
    low, high = found.edges[number : number + 2]
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def _colour(two: bool) -> alt.Color:
    """Return the one scale of colours, with its legend, that all layers share."""
    cold, warm = theme.diverging()[1], theme.diverging()[-2]
    names, colours = [RIGHT, OVER, UNDER], [theme.sequential()[3], warm, cold]
    if two:
        names, colours = [*names, OTHER], [*colours, theme.class_colours(2)[1]]
    columns = alt.ExprRef("width < 380 ? 2 : 4")
    legend = alt.Legend(title=None, orient="top", direction="horizontal", columns=columns, offset=4, labelLimit=0)
    return alt.Color("kind:N", scale=alt.Scale(domain=names, range=colours), legend=legend)


def _line() -> list[alt.Chart]:
    colour = alt.ColorDatum(OTHER, type="nominal")
    base = alt.Chart(named("other")).encode(x="confidence:Q", y="accuracy:Q", color=colour)
    return [base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=55, opacity=1)]


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("range:N", title="confidence"),
        alt.Tooltip("images:N"),
        said("confidence", "mean confidence"),
        said("accuracy"),
    ]


def _rows(found: Reliability, chosen: int | None) -> list[dict[str, Any]]:
    largest = int(found.counts.max(initial=1)) or 1
    rows = []
    for number in np.flatnonzero(found.counts).tolist():
        low, high = found.edges[number : number + 2].tolist()
        images, accuracy = int(found.counts[number]), float(found.accuracy[number])
        confidence = float(found.confidence[number])
        rows.append(
            {
                "bin": number,
                "left": low,
                "right": high,
                "middle": (low + high) / 2,
                "accuracy": accuracy,
                "confidence": confidence,
                "kind": OVER if confidence > accuracy else UNDER,
                "floor": FLOOR,
                "top": FLOOR + BAND * images / largest,
                "ceiling": 1,
                "range": bin_name(found, number),
                "images": numbers.count(images),
                "label": numbers.count(images),
                "chosen": int(number == chosen),
            }
        )
    return rows


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
    return copy.deepcopy(_coverage_chart(theme.mode(), tuple(curves), round(low, 4))) | {"datasets": data}


@lru_cache(maxsize=32)
def _coverage_chart(mode: theme.Mode, names: tuple[str, ...], low: float) -> Spec:
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
        title="Accuracy when the least certain are rejected",
        height=HEIGHT,
        autosize=FIT_WIDTH,
        padding=PADDING,
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
    said = {f"said{at}": numbers.percent(curve.accuracy_at(number / 100)) for at, curve in enumerate(curves.values())}
    return {
        "percent": number,
        "left": (number - 0.5) / 100,
        "right": min(1.0, (number + 0.5) / 100),
        "chosen": 0,
    } | said
