"""Bars of errors: of the parts of a split with their intervals, and of the pairs of classes confused most."""

import copy
import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt

from explorer.analysis.evaluation.confusion import ConfusedPair
from explorer.analysis.evaluation.mistakes import Kind, Slice, Slices
from explorer.ui.charts.specs import (
    FIT_WIDTH,
    PADDING,
    Spec,
    named,
    said,
    specification,
    targets,
    whole_axis,
    with_percents,
)
from explorer.ui.kit import numbers, theme
from explorer.ui.kit.figure import Cell

BAR = 17
"""Pixels for each direction of a pair."""

HEIGHT = 170
TITLES = {
    "class": "Error rate by true class",
    "predicted": "Error rate by predicted class",
    "brightness": "Error rate by brightness: mean pixel, 0 black to 1 white",
    "ink": "Error rate by ink: share of the pixels that are not black",
}


def slice_name(found: Slices, number: int) -> str:
    """Return what a part is called in a chart or a menu, as plain text."""
    part = found.parts[number]
    if part.name is not None:
        return part.name
    if not part.n:
        return f"fifth {number + 1} (empty)"
    if found.by == "ink":
        return f"{100 * part.low:.0f} to {100 * part.high:.0f}%"
    return f"{part.low:.2f} to {part.high:.2f}"


def slices_chart(found: Slices, overall: float, chosen: int | None = None) -> Spec:
    """Draw the error rate of each part with its 95% interval, and that of all images as a line.

    Parameters
    ----------
    found : Slices
    overall : float
        Error rate of the whole split.
    chosen : int, optional
        A part that is framed.

    Returns
    -------
    Spec
        Its bars can be clicked; the field is `part`.
    """
    rows = [_slice_row(found, number, part, chosen) for number, part in enumerate(found.parts)]
    top = max([row["high"] for row in rows if row["high"] is not None], default=1.0)
    chart = _slices(theme.mode(), found.by, tuple(row["name"] for row in rows), round(top * 1.04, 4) or 1.0)
    every = [] if math.isnan(overall) else [{"rate": overall}]
    return copy.deepcopy(chart) | {"datasets": {"parts": rows, "all": every}}


@lru_cache(maxsize=32)
def _slices(mode: theme.Mode, by: Kind, names: tuple[str, ...], top: float) -> Spec:
    """Return the chart without its data: building it takes much longer than the data do."""
    y = _labels("place", names, None)
    x = alt.X("rate:Q", title="error rate (whiskers: 95% interval)", scale=alt.Scale(domain=[0, top]))
    x = x.axis(format=".0%" if top > 0.05 else ".1%", tickCount=6, labelFlush=False)
    base = alt.Chart(named("parts")).encode(y=y)
    ink = theme.colour("textColor")
    whiskers = base.mark_rule(strokeWidth=1.5, color=ink).encode(x="low:Q", x2="high:Q")
    ends = base.mark_tick(size=8, thickness=1.5, color=ink)
    mean = with_percents(alt.Chart(named("all")), "rate").mark_rule(color=ink, strokeDash=[4, 3], opacity=0.7)
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in _SLICE_TOOLTIP]
    chart = alt.layer(
        base.mark_bar(color=theme.sequential()[4], height={"band": 0.72}).encode(x=x),
        mean.encode(x="rate:Q", tooltip=[said("rate", "all images")]),
        whiskers,
        ends.encode(x="low:Q"),
        ends.encode(x="high:Q"),
        targets(base, "part", tooltip=tooltip),
    )
    chart = chart.properties(title=TITLES[by], height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


def slices_table(found: Slices) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the parts."""
    header = [found.by, "images", "errors", "error_rate", "low_95", "high_95"]
    return header, [
        [slice_name(found, number), part.n, part.errors, part.rate, part.interval.low, part.interval.high]
        for number, part in enumerate(found.parts)
    ]


_SLICE_TOOLTIP = (("name", "part"), ("of", "images"), ("wrong", "wrong"), ("said", "error rate"), ("between", "95%"))


def _slice_row(found: Slices, number: int, part: Slice, chosen: int | None) -> dict[str, Any]:
    low, high = part.interval
    return {
        "part": number,
        "place": f"{number}",
        "name": slice_name(found, number),
        "rate": _number(part.rate),
        "low": _number(low),
        "high": _number(high),
        "of": numbers.count(part.n),
        "wrong": numbers.count(part.errors),
        "said": numbers.percent(part.rate),
        "between": numbers.interval(low, high) or numbers.UNDEFINED,
        "chosen": int(number == chosen),
    }


Direction = tuple[int, int, int]
"""True class, predicted class, number of images."""


def directions(pairs: Sequence[ConfusedPair]) -> list[Direction]:
    """Return both directions of each pair, side by side, the more frequent one first."""
    found = []
    for pair in pairs:
        there, back = (pair.first, pair.second, pair.first_as_second), (pair.second, pair.first, pair.second_as_first)
        found += [there, back] if there[2] >= back[2] else [back, there]
    return found


def pairs_chart(
    pairs: Sequence[ConfusedPair],
    classes: Sequence[str],
    chosen: tuple[int | None, int | None] = (None, None),
    true_classes: Sequence[str] | None = None,
) -> Spec:
    """Draw how often each class of a pair was taken for the other.

    Parameters
    ----------
    pairs : sequence of ConfusedPair
        Drawn from top to bottom.
    classes : sequence of str (C,)
    chosen : tuple of int or None
        True and predicted class of a direction that is framed.
    true_classes : sequence of str (C,), optional
        What the true classes are called, where the images are from another data set than the classes.

    Returns
    -------
    Spec
        Its bars can be clicked; the field is `direction`, a place in `directions(pairs)`.
    """
    truths = classes if true_classes is None else true_classes
    rows: list[dict[str, Any]] = [
        {
            "direction": number,
            "place": f"{number}",
            "name": f"{truths[true]} → {classes[called]}",
            "class": classes[true],
            "images": images,
            "said": numbers.count(images),
            "zero": 0,
            "striped": int(number // 2 % 2 == 1),
            "chosen": int((true, called) == chosen),
        }
        for number, (true, called, images) in enumerate(directions(pairs))
    ]
    top = max([row["images"] for row in rows], default=1)
    chart = _pairs(theme.mode(), tuple(row["name"] for row in rows), tuple(classes), top)
    return copy.deepcopy(chart) | {"datasets": {"pairs": rows}}


@lru_cache(maxsize=32)
def _pairs(mode: theme.Mode, names: tuple[str, ...], classes: tuple[str, ...], top: int) -> Spec:
    """Return the chart without its data."""
    y = _labels("place", names, "true → predicted class")
    x = alt.X("images:Q", title="images", scale=alt.Scale(domain=[0, 1.12 * top], nice=False))
    x = x.axis(whole_axis(tickCount=6, labelFlush=False))
    base = alt.Chart(named("pairs")).encode(y=y)
    stripes = base.transform_filter("datum.striped == 1").mark_rect(color=theme.colour("textColor"), opacity=0.06)
    colours = alt.Scale(domain=list(classes), range=list(theme.class_colours(len(classes))))
    bars = base.mark_bar(height={"band": 0.72}).encode(x=x, color=alt.Color("class:N", scale=colours, legend=None))
    text = base.mark_text(align="left", dx=4, color=theme.colour("textColor")).encode(x=x, text="said:N")
    tooltip = [alt.Tooltip("name:N", title="true → predicted"), alt.Tooltip("said:N", title="images")]
    chart = alt.layer(stripes, bars, text, targets(base, "direction", tooltip=tooltip))
    chart = chart.properties(
        title="Classes confused most, both ways", height=BAR * max(len(names), 1), autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart)


def pairs_table(
    pairs: Sequence[ConfusedPair], classes: Sequence[str], true_classes: Sequence[str] | None = None
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of both directions of every pair."""
    return ["true class", "predicted class", "images"], [
        [(true_classes or classes)[true], classes[called], images] for true, called, images in directions(pairs)
    ]


def _labels(field: str, names: Sequence[str], title: str | None) -> alt.Y:
    """Write names beside places that are told apart by number, as two names may be equal; they go as JSON."""
    axis = alt.Axis(
        title=title,
        labelExpr=f"{json.dumps(list(names))}[toNumber(datum.value)]",
        labelLimit=0,
        labelFlush=False,
        labelOverlap=False,
        ticks=False,
        domain=False,
        grid=False,
    )
    return alt.Y(
        f"{field}:N",
        sort=None,
        scale=alt.Scale(domain=[f"{number}" for number in range(len(names))], padding=0),
        axis=axis,
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
