"""What the classes lose when units are switched off."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, said, specification, whole_axis, with_percents
from explorer.ui.kit import numbers, theme
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.text import plain

if TYPE_CHECKING:
    from explorer.analysis.inside.ablation import Ablation, Broken

ROW = 24
BEFORE, AFTER = "before", "after"


def recall_before_and_after(found: "Ablation", title: str) -> Spec:
    """Draw the recall of each class with and without the units: a hollow and a full mark on one line."""
    classes = [plain(name) for name in found.before.classes]
    before, after = found.recall
    rows = [
        {"class": name, "before": float(was), "after": float(now), "change": float(now - was)}
        for name, was, now in zip(classes, before, after, strict=True)
        if not np.isnan(was)
    ]
    points: list[dict[str, Any]] = [
        {"class": name, "recall": float(value), "when": when}
        for name, *both in zip(classes, before, after, strict=True)
        for when, value in zip((BEFORE, AFTER), both, strict=True)
        if not np.isnan(value)
    ]
    y = alt.Y("class:N", sort=classes, title=None, axis=alt.Axis(labelLimit=120, labelFlush=False))
    axis = alt.Axis(format=".0%", tickCount=5, labelFlush=False)
    scale = alt.Scale(domain=[math.floor(10 * min((row["recall"] for row in points), default=0.0)) / 10, 1])
    x = alt.X("recall:Q", title="recall", axis=axis, scale=scale)
    ink, accent = theme.colour("textColor"), theme.colour("primaryColor")
    tooltip = [
        alt.Tooltip("class:N"),
        said("before"),
        said("after"),
    ]
    lines = (
        with_percents(alt.Chart(named("classes")), "before", "after")
        .mark_rule(strokeWidth=3, color=accent, opacity=0.5)
        .encode(
            y=y,
            x=alt.X("before:Q", title="recall", axis=axis, scale=scale),
            x2="after:Q",
            tooltip=tooltip,
        )
    )
    marks = (
        with_percents(alt.Chart(named("points")), "recall")
        .mark_point(size=70, strokeWidth=2, opacity=1)
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "when:N",
                scale=alt.Scale(domain=[BEFORE, AFTER], range=[ink, accent]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            shape=alt.Shape("when:N", scale=alt.Scale(domain=[BEFORE, AFTER], range=["circle", "diamond"])),
            fill=alt.Color(
                "when:N", scale=alt.Scale(domain=[BEFORE, AFTER], range=["transparent", accent]), legend=None
            ),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("when:N"), said("recall")],
        )
    )
    chart = alt.layer(lines, marks).properties(
        title=title, height=ROW * max(1, len(rows)), autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart, classes=rows, points=points)


def recall_table(found: "Ablation") -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: for each class its recall before and after."""
    before, after = found.recall
    rows: list[list[Cell]] = [
        [name, float(was), float(now)] for name, was, now in zip(found.before.classes, before, after, strict=True)
    ]
    return ["class", "recall before", "recall after"], rows


def broken_pairs(pairs: "Sequence[Broken]", classes: Sequence[str]) -> Spec:
    """Draw the pairs of classes that are confused more often than before."""
    names = [plain(name) for name in classes]
    rows = [
        {
            "pair": f"{names[pair.true]} taken for {names[pair.predicted]}",
            "before": pair.before,
            "after": pair.after,
            "more": pair.more,
        }
        for pair in pairs
    ]
    y = alt.Y("pair:N", sort=[str(row["pair"]) for row in rows], title=None, axis=alt.Axis(labelLimit=240))
    x = alt.X("more:Q", title="images more than before", axis=whole_axis())
    tooltip = [alt.Tooltip(name) for name in ("pair:N", "before:Q", "after:Q")]
    bars = alt.Chart(named("pairs")).mark_bar(color=theme.colour("primaryColor")).encode(x=x, y=y, tooltip=tooltip)
    chart = bars.properties(
        title="Class pairs that break", height=ROW * max(1, len(rows)), autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart, pairs=rows)


def broken_table(pairs: "Sequence[Broken]", classes: Sequence[str]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the pairs."""
    rows: list[list[Cell]] = [[classes[one.true], classes[one.predicted], one.before, one.after] for one in pairs]
    return ["true class", "predicted class", "images before", "images after"], rows


def importance(accuracies: Sequence[float], whole: float, title: str, chosen: Sequence[int] = ()) -> Spec:
    """Draw what the accuracy loses without each unit alone, the greatest loss first.

    Parameters
    ----------
    accuracies : sequence of float
        Without unit 0, 1, ...
    whole : float
        With all.
    title : str
    chosen : sequence of int
        Units that are marked.
    """
    order = sorted(range(len(accuracies)), key=lambda unit: (accuracies[unit], unit))
    rows = [
        {
            "place": place,
            "unit": str(unit),
            "loss": whole - accuracies[unit],
            "accuracy": accuracies[unit],
            "points": numbers.signed(numbers.points(accuracies[unit], whole)),
            "chosen": unit in chosen,
        }
        for place, unit in enumerate(order)
    ]
    labels = alt.Axis(labelAngle=0, labelOverlap=True)
    x = alt.X("unit:N", sort=[str(unit) for unit in order], title="unit switched off", axis=labels)
    y = alt.Y("loss:Q", title="accuracy lost", axis=alt.Axis(format=".1%", tickCount=5))
    accent, rest = theme.colour("primaryColor"), theme.sequential()[5]
    colour = alt.condition("datum.chosen", alt.value(accent), alt.value(rest))
    tooltip = [
        alt.Tooltip("unit:N"),
        said("accuracy", "accuracy without it"),
        alt.Tooltip("points:N", title="points lost"),
    ]
    bars = (
        with_percents(alt.Chart(named("units")), "accuracy").mark_bar().encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    chart = bars.properties(title=title, height=170, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart, units=rows)


def importance_table(accuracies: Sequence[float], whole: float) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: the accuracy without each unit, and what it loses."""
    return ["unit", "accuracy without it", "accuracy lost"], [
        [unit, accuracy, whole - accuracy] for unit, accuracy in enumerate(accuracies)
    ]
