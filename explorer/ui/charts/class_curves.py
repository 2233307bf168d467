"""ROC and precision-recall charts: lines with a legend, and a point to be dragged along one."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np

from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurve
from explorer.analysis.evaluation.predictions import FloatArray
from explorer.analysis.evaluation.roc import RocCurve
from explorer.analysis.evaluation.thresholds import OperatingPoints
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Rows, Spec, named, specification
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell

HEIGHT = 290
POINTS = 400
"""Points of a curve that go to the browser; more are not told apart on the screen."""

Size = tuple[float, float]
"""How much of the axes is shown, across and up, from the corner of a perfect classifier on."""
WHOLE: Size = (1.0, 1.0)
DRAGGED = "at"
"""Selection parameter of the point that the user drags: its `threshold`, and the `round` in which it was offered."""

_SHOWN = "shown"
_GUIDE = "#8a8f98"


@dataclass(frozen=True)
class Style:
    """How a curve looks.

    Attributes
    ----------
    key : str
        Tells it from the others of the chart.
    label : str
        In the legend, its area included.
    colour : str
    dash : tuple of int
    strong : bool
        Whether it is drawn stronger.
    """

    key: str
    label: str
    colour: str
    dash: tuple[int, int]
    strong: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around the curves.

    Attributes
    ----------
    title, x, y, legend : str
        Titles of the figure, its axes and its legend.
    x_domain, y_domain : tuple of float
        What of the axes is shown.
    """

    title: str
    x: str
    y: str
    legend: str
    x_domain: tuple[float, float]
    y_domain: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Grip:
    """The point that can be dragged along a curve.

    Attributes
    ----------
    name, colour : str
        Of the class.
    round : int
        Another one with every rerun, so that a place to which the user dragged the point before does not count.
    track : OperatingPoints
        Where it may be put.
    here : OperatingPoints
        Where it is: one point.
    others : sequence of tuple
        Colour and operating point of other curves at the same threshold; they cannot be dragged.
    """

    name: str
    colour: str
    round: int
    track: OperatingPoints
    here: OperatingPoints
    others: Sequence[tuple[str, OperatingPoints]] = ()


Place = tuple[str, str]
"""The properties of `OperatingPoints` that stand on the axes."""

Lines = Sequence[tuple[Style, FloatArray, FloatArray]]


def draw(frame: Frame, lines: Lines, guide: Rows, grip: Grip | None, place: Place) -> Spec:
    """Draw curves; only the data change while a threshold is moved, so the picture stays in place.

    Parameters
    ----------
    frame : Frame
    lines : sequence of tuple
        Style, x and y of every curve; without points it only stands in the legend.
    guide : sequence of dict
        `x` and `y` of the line of guessing.
    grip : Grip, optional
        None where no point is to be dragged.
    place : tuple of str
        What of an operating point stands on the axes.
    """
    styles = tuple(style for style, _, _ in lines)
    chart = _chart(frame, styles, grip.colour if grip else None, grip.name if grip else "", theme.mode())
    rows = [
        {"curve": style.key, "name": style.label, "step": step, "x": x, "y": y}
        for style, xs, ys in lines
        for step, (x, y) in enumerate(zip(xs.round(6).tolist(), ys.round(6).tolist(), strict=True))
    ]
    data: dict[str, Rows] = {"points": rows, "guide": list(guide)}
    if grip:
        own = [row | {"colour": grip.colour, "own": 1} for row in _places(grip.here, grip.round, place)]
        others = [
            row | {"colour": colour, "own": 0}
            for colour, points in grip.others
            for row in _places(points, grip.round, place)
        ]
        data |= {"track": _places(grip.track, grip.round, place), "here": [*others, *own]}
    return copy.deepcopy(chart) | {"datasets": data}


def visible(x: FloatArray, y: FloatArray, frame: Frame) -> np.ndarray:
    """Say which points lie in what the frame shows, bool, shape (K,)."""
    (left, right), (low, high) = frame.x_domain, frame.y_domain
    shown: np.ndarray = (x >= left) & (x <= right) & (y >= low) & (y <= high)
    return shown


def _places(points: OperatingPoints, number: int, place: Place) -> Rows:
    columns = (getattr(points, name).round(6).tolist() for name in place)
    return [
        {"x": x, "y": y, "threshold": threshold, "round": number}
        for x, y, threshold in zip(*columns, points.thresholds.tolist(), strict=True)
    ]


@lru_cache(maxsize=64)
def _chart(frame: Frame, styles: tuple[Style, ...], grip: str | None, name: str, mode: theme.Mode) -> Spec:
    """Return the chart without its data: building it takes much longer than they do."""
    x = alt.X("x:Q", title=frame.x, scale=alt.Scale(domain=list(frame.x_domain))).axis(format=".1~%", labelFlush=False)
    y = alt.Y("y:Q", title=frame.y, scale=alt.Scale(domain=list(frame.y_domain))).axis(format=".1~%", labelFlush=False)
    guide = alt.Chart(named("guide")).mark_line(clip=True, color=_GUIDE, strokeWidth=1).encode(x=x, y=y)
    layers = [guide, _lines(frame, styles, x, y)]
    if grip:
        layers += _grip(frame, grip, name, mode, x, y)
    chart = alt.layer(*layers).properties(title=frame.title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


def _lines(frame: Frame, styles: Sequence[Style], x: alt.X, y: alt.Y) -> alt.Chart:
    keys = [style.key for style in styles]
    labels = json.dumps({style.key: style.label for style in styles})
    legend = alt.Legend(
        title=frame.legend,
        orient="bottom",
        columns=alt.ExprRef("width < 420 ? 1 : 2"),
        labelExpr=f"({labels})[datum.label]",
        labelLimit=0,
        titleLimit=0,
        symbolType="stroke",
        symbolSize=300,
        symbolStrokeWidth=2.5,
        rowPadding=1,
    )
    colours = alt.Scale(domain=keys, range=[style.colour for style in styles])
    dashes = alt.Scale(domain=keys, range=[list(style.dash) for style in styles])
    strong = [style.key for style in styles if style.strong]
    shown = alt.selection_point(name=_SHOWN, fields=["curve"], bind="legend", toggle="true")
    lines: alt.Chart = (
        alt.Chart(named("points"))
        .mark_line(clip=True, interpolate="linear")
        .encode(
            x=x,
            y=y,
            color=alt.Color("curve:N", sort=None, scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("curve:N", scale=dashes, legend=legend),
            strokeWidth=alt.condition(alt.FieldOneOfPredicate("curve", strong), alt.value(2.8), alt.value(1.4)),
            opacity=alt.condition(shown, alt.value(1), alt.value(0.07)),
            order=alt.Order("step:Q"),
            tooltip=[
                alt.Tooltip("name:N", title="curve"),
                alt.Tooltip("x:Q", format=".2%", title=frame.x),
                alt.Tooltip("y:Q", format=".2%", title=frame.y),
            ],
        )
        .add_params(shown)
    )
    return lines


def _grip(frame: Frame, colour: str, name: str, mode: theme.Mode, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Return the places to which the point can be dragged, the dragged point, and the point as the server knows it.

    The last one is hidden as long as the place that the user has chosen is of this round.
    """
    dragged = alt.selection_point(
        name=DRAGGED,
        fields=["threshold", "round"],
        nearest=True,
        on="pointerdown, [pointerdown, window:pointerup] > pointermove!",
        toggle=False,
        clear=False,
        empty=False,
    )
    tooltip = [
        alt.Tooltip("threshold:Q", format=".4~g", title=f"threshold for {name}"),
        alt.Tooltip("x:Q", format=".2%", title=frame.x),
        alt.Tooltip("y:Q", format=".2%", title=frame.y),
    ]
    places = alt.Chart(named("track")).mark_point(opacity=0, size=1, cursor="grab", clip=True, aria=False)
    dot: dict[str, Any] = {
        "filled": True,
        "size": 170,
        "opacity": 1,
        "stroke": theme.colour("backgroundColor", mode),
        "strokeWidth": 2,
        "tooltip": None,
        "clip": True,
    }
    chosen = (
        alt.Chart(named("track")).mark_point(**dot, fill=colour, aria=False).encode(x=x, y=y).transform_filter(dragged)
    )
    stale = f"datum.own == 1 && isValid({DRAGGED}.round) && {DRAGGED}.round[0] == datum.round"
    here = alt.Chart(named("here")).mark_point(**dot).encode(fill=alt.Fill("colour:N", scale=None))
    return [
        here.encode(x=x, y=y, opacity=alt.condition(stale, alt.value(0), alt.value(1))),
        chosen,
        places.encode(x=x, y=y, tooltip=tooltip).add_params(dragged),
    ]


PLACE = ("false_positive_rate", "recall")
_DIAGONAL = ({"x": 0, "y": 0}, {"x": 1, "y": 1})


def roc_frame(size: Size = WHOLE) -> Frame:
    """Return what stands around ROC curves: all of the plot, or its upper left corner, where good ones differ."""
    return Frame(
        title="ROC curves: each class against the rest",
        x="false positive rate",
        y="true positive rate (recall)",
        legend="AUC (95% interval), click to pick",
        x_domain=(0.0, size[0]),
        y_domain=(1 - size[1], 1.0),
    )


def roc_chart(lines: Sequence[tuple[Style, RocCurve]], size: Size = WHOLE, grip: Grip | None = None) -> Spec:
    """Draw ROC curves and the diagonal of guessing.

    Parameters
    ----------
    lines : sequence of tuple
        Every curve with its style; an undefined one stands in the legend without a line.
    size : tuple of float
        Of the upper left corner that is shown.
    grip : Grip, optional
        The point that can be dragged along one of them.
    """
    thinned = [(style, curve.thin(POINTS, max(size))) for style, curve in lines]
    return draw(roc_frame(size), [(style, curve.fpr, curve.tpr) for style, curve in thinned], _DIAGONAL, grip, PLACE)


def roc_table(curves: Sequence[tuple[str, RocCurve]]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all corners of named curves, at full resolution."""
    header = ["curve", "auc", "false positive rate", "true positive rate", "threshold"]
    rows: list[list[Cell]] = [
        [name, curve.auc, float(fpr), float(tpr), float(threshold)]
        for name, curve in curves
        for fpr, tpr, threshold in zip(curve.fpr, curve.tpr, curve.thresholds, strict=True)
    ]
    return header, rows


PRECISION_RECALL_PLACE = ("recall", "precision")


def precision_recall_frame(size: Size = WHOLE) -> Frame:
    """Return what stands around precision-recall curves: all of the plot, or its upper right corner."""
    return Frame(
        title="Precision-recall curves: each class against the rest",
        x="recall",
        y="precision",
        legend="Average precision, click to pick",
        x_domain=(1 - size[0], 1.0),
        y_domain=(1 - size[1], 1.0),
    )


def precision_recall_chart(
    lines: Sequence[tuple[Style, PrecisionRecallCurve]],
    base_rate: float,
    size: Size = WHOLE,
    grip: Grip | None = None,
) -> Spec:
    """Draw precision-recall curves as steps, and the precision of guessing.

    Parameters
    ----------
    lines : sequence of tuple
        Every curve with its style; an undefined one stands in the legend without a line.
    base_rate : float
        Share of positives, which is the precision of guessing at every recall; NaN without images.
    size : tuple of float
        Of the upper right corner that is shown.
    grip : Grip, optional
        The point that can be dragged along one of them.
    """
    outlines = [(style, curve.outline(POINTS, max(size))) for style, curve in lines]
    guide = [{"x": recall, "y": base_rate} for recall in (0, 1) if base_rate == base_rate]
    drawn = [(style, curve.recall, curve.precision) for style, curve in outlines]
    return draw(precision_recall_frame(size), drawn, guide, grip, PRECISION_RECALL_PLACE)


def precision_recall_table(
    curves: Sequence[tuple[str, PrecisionRecallCurve]],
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all points of named curves, at full resolution."""
    header = ["curve", "average precision", "recall", "precision", "threshold"]
    rows: list[list[Cell]] = [
        [name, curve.average_precision, float(recall), float(precision), float(threshold)]
        for name, curve in curves
        for recall, precision, threshold in zip(curve.recall, curve.precision, curve.thresholds, strict=True)
    ]
    return header, rows
