"""Two sides of a duel in one chart: their curves, and the difference between them, seed by seed.

As in `curves`, the specification of a race stays the same while it goes on: only its data change.
"""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.experiments.duels import Difference
from explorer.ui.charts.matrix import HEIGHT, NUMBER_SIZE
from explorer.ui.charts.specs import (
    FIRST_LOSS,
    FIT_WIDTH,
    PADDING,
    SEEN,
    Rows,
    Spec,
    epoch_axis,
    framed,
    named,
    room,
    said,
    specification,
    targets,
    value_axis,
    with_percents,
)
from explorer.ui.kit import numbers, theme
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.images import on_scale

MAX_WIDE = 50
"""From this ratio of the greatest to the smallest loss on, its axis is logarithmic."""
DASHES = ([1, 0], [6, 3])
SHAPES = ("circle", "square")
ROW = 22
"""Pixels for each seed in the plot of differences."""
MEAN = "mean"
ONE_LINE = 22
"""Characters of a legend that fit beside one another above half a page."""


@dataclass(frozen=True)
class Race:
    """What is drawn of the two sides of a duel.

    Attributes
    ----------
    setting : str
        What they differ in, the title of the legend.
    labels : tuple of str
        The sides in the legend, different from one another.
    end : int
        Where the axis ends, in epochs.
    seeds : sequence of dict
        `side` (its label), `seed`, `epoch`, `accuracy` and `loss` of the validation images; empty for a single seed.
    means : sequence of dict
        The same without `seed`, over the seeds of a side.
    steps : sequence of dict
        `side`, `epoch` (with a fraction) and `loss`, of single batches.
    """

    setting: str
    labels: tuple[str, str]
    end: int
    seeds: Rows
    means: Rows
    steps: Rows


def accuracy_race(race: Race) -> Spec:
    """Draw the validation accuracy of both sides by epoch: thin for each seed, thick for their mean."""
    found = [row["accuracy"] for row in (*race.seeds, *race.means)]
    held = room(found) if found else [0.0, 1.0]
    return _filled(_accuracy_chart(theme.mode(), race.setting, race.labels), race, "accuracy", held)


def loss_race(race: Race) -> Spec:
    """Draw the validation loss of both sides by epoch, and behind it the loss of single batches."""
    found = [row["loss"] for row in (*race.seeds, *race.means, *race.steps)]
    wide = bool(found) and min(found) > 0 and max(found) / min(found) >= MAX_WIDE
    held = found[:1] or [0.0, FIRST_LOSS]
    return _filled(_loss_chart(theme.mode(), race.setting, race.labels, wide), race, "loss", held)


def side_colours(mode: theme.Mode | None = None) -> tuple[str, str]:
    """Return the colours of side a and b: blue and orange, which colour-blind people tell apart too."""
    colours = theme.diverging(mode)
    return colours[1], colours[-2]


def difference_plot(differences: Mapping[int, float], found: Difference) -> Spec:
    """Draw the difference of each seed, and their mean with its interval, in percentage points.

    Parameters
    ----------
    differences : mapping of int to float
        Side b minus side a by seed, as shares.
    found : Difference
        Their mean, as a share.
    """
    names = [f"seed {seed}" for seed in differences]
    place = alt.Y("place:N", title=None, sort=[*names, MEAN], scale=alt.Scale(domain=[*names, MEAN], padding=0.5))
    place = place.axis(grid=False, ticks=False, domain=False, labelPadding=8)
    x = alt.X("points:Q", title="percentage points, B minus A", scale=alt.Scale(zero=True, padding=8))
    x = x.axis(format=".3~g", tickCount=6, labelFlush=False)
    accent, grey = theme.colour("primaryColor"), theme.colour("textColor")
    tooltip = [alt.Tooltip("place:N", title="of"), alt.Tooltip("points:Q", title="points", format="+.2f")]
    zero = alt.Chart(named("zero")).mark_rule(color=grey, opacity=0.5).encode(x=x)
    dots = alt.Chart(named("seeds")).mark_point(filled=True, size=60, opacity=0.85, color=grey)
    bar = alt.Chart(named("interval")).mark_rule(strokeWidth=3, color=accent).encode(x=x, x2="high:Q", y=place)
    mean = alt.Chart(named("mean")).mark_point(filled=True, size=110, opacity=1, color=accent, shape="diamond")
    layers = alt.layer(
        zero,
        dots.encode(x=x, y=place, tooltip=tooltip),
        bar.encode(
            tooltip=[
                alt.Tooltip("points:Q", title="from", format="+.2f"),
                alt.Tooltip("high:Q", title="to", format="+.2f"),
            ]
        ),
        mean.encode(x=x, y=place, tooltip=tooltip),
    )
    chart = layers.properties(
        title=alt.TitleParams("Difference by seed", offset=8),
        height=ROW * (len(names) + 1),
        autosize=FIT_WIDTH,
        padding=PADDING,
    )
    low, high = (100 * (found.mean if end is None else end) for end in (found.low, found.high))
    return specification(
        chart,
        zero=[{"points": 0}],
        seeds=[{"place": f"seed {seed}", "points": 100 * value} for seed, value in differences.items()],
        interval=[{"place": MEAN, "points": low, "high": high}],
        mean=[{"place": MEAN, "points": 100 * found.mean}],
    )


def difference_table(differences: Mapping[int, float], found: Difference) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: the difference of each seed, then the mean with its interval, in percentage points."""
    rows: list[list[Cell]] = [[str(seed), 100 * value, None, None] for seed, value in differences.items()]
    ends: list[Cell] = [None if end is None else 100 * end for end in (found.low, found.high)]
    return ["seed", "b_minus_a_points", "low_95", "high_95"], [*rows, [MEAN, 100 * found.mean, *ends]]


def _filled(spec: Spec, race: Race, field: str, held: Sequence[float]) -> Spec:
    """Return a copy of a specification with the data of a race; an empty data set gets a row that is not seen."""
    unseen = {"side": race.labels[0], "seed": 0, "epoch": 0, field: held[0], "seen": 0, "sign": SHAPES[0]}
    used = {"seeds": race.seeds, "means": race.means} | ({"steps": race.steps} if field == "loss" else {})
    signs = dict(zip(race.labels, SHAPES, strict=True))
    filled = {
        name: [row | {"seen": 1, "sign": signs[row["side"]]} for row in rows] or [unseen] for name, rows in used.items()
    }
    axes = {"span": [{"epoch": 0}, {"epoch": max(race.end, 1)}], "held": [{field: value} for value in held]}
    return copy.deepcopy(spec) | {"datasets": axes | filled}


@lru_cache(maxsize=64)
def _accuracy_chart(mode: theme.Mode, setting: str, labels: tuple[str, str]) -> Spec:
    x = epoch_axis()
    y = alt.Y("accuracy:Q", title="accuracy", axis=value_axis(format=".1~%"), scale=alt.Scale(zero=False, nice=5))
    layers = _lines(x, y, _sides(mode, setting, labels))
    return framed("Validation accuracy", x, y, *layers)


@lru_cache(maxsize=64)
def _loss_chart(mode: theme.Mode, setting: str, labels: tuple[str, str], wide: bool) -> Spec:
    x = epoch_axis()
    scale = alt.Scale(type="log") if wide else alt.Scale(zero=False, nice=5)
    y = alt.Y("loss:Q", title="loss (nats)", scale=scale, axis=value_axis(format=".3~g"))
    sides = _sides(mode, setting, labels)
    steps = alt.Chart(named("steps")).mark_line(strokeOpacity=0.3, strokeWidth=1, clip=True)
    layers = _lines(x, y, sides)
    return framed("Validation loss", x, y, steps.encode(x=x, y=y, color=sides["color"], opacity=SEEN), *layers)


def _sides(mode: theme.Mode, setting: str, labels: tuple[str, str]) -> dict[str, Any]:
    """Tell the sides apart by colour, dash and sign, with one legend above the plot."""
    legend = alt.Legend(
        title=setting,
        orient="top",
        direction="horizontal" if sum(map(len, labels)) <= ONE_LINE else "vertical",
        titleLimit=180,
        titlePadding=3,
        offset=4,
        labelLimit=180,
        symbolType="stroke",
        symbolSize=300,
        symbolStrokeWidth=2.5,
    )
    signs = alt.Scale(domain=SHAPES, range=SHAPES)
    return {
        "color": alt.Color("side:N", scale=alt.Scale(domain=labels, range=side_colours(mode)), legend=legend),
        "strokeDash": alt.StrokeDash("side:N", scale=alt.Scale(domain=labels, range=DASHES), legend=legend),
        "shape": alt.Shape("sign:N", scale=signs, legend=None),
    }


def _lines(x: alt.X, y: alt.Y, sides: Mapping[str, Any]) -> list[alt.Chart]:
    """Draw every seed thin and the mean of each side thick."""
    figures = [alt.Tooltip("epoch:Q"), said("accuracy"), alt.Tooltip("loss:Q", format=".3f")]
    tooltip = [alt.Tooltip("side:N"), *figures]
    seeds = with_percents(alt.Chart(named("seeds")), "accuracy").mark_line(strokeOpacity=0.45, strokeWidth=1, clip=True)
    means = with_percents(alt.Chart(named("means")), "accuracy").mark_line(strokeWidth=2.5, clip=True)
    points = with_percents(alt.Chart(named("means")), "accuracy").mark_point(filled=True, size=34, clip=True)
    colour, dash, shape = (sides[name] for name in ("color", "strokeDash", "shape"))
    return [
        seeds.encode(
            x=x,
            y=y,
            color=colour,
            strokeDash=dash,
            detail="seed:N",
            opacity=SEEN,
            tooltip=[*tooltip, alt.Tooltip("seed:O")],
        ),
        means.encode(x=x, y=y, color=colour, strokeDash=dash, opacity=SEEN, tooltip=tooltip),
        points.encode(x=x, y=y, color=colour, shape=shape, opacity=SEEN, tooltip=tooltip),
    ]


BAR = 27
FIELD = "cell"
"""What a click on either chart sends: true class times the number of classes plus predicted class."""

_LEGEND = "datum.value < 0 ? 'A better' : datum.value > 0 ? 'B better' : 'equal'"


def difference_matrix(
    difference: NDArray[np.int64], true: Sequence[str], predicted: Sequence[str], chosen: int | None = None
) -> Spec:
    """Draw the confusion matrix of B less that of A, a signed number in every cell.

    The colour says which one does better: more hits (the framed diagonal) are better, more errors worse.

    Parameters
    ----------
    difference : ndarray
        int64, shape (C, C): rows are true classes, columns predicted ones.
    true, predicted : sequence of str
        Names of the rows and of the columns.
    chosen : int, optional
        A cell that is marked, as `FIELD` counts them.

    Returns
    -------
    Spec
        As wide as its place; the shade grows with the square root of the difference, so small ones are seen.
    """
    ramp = theme.diverging()
    rows = _cells(difference, true, predicted, chosen, ramp)
    size = len(true)
    x = _axis(alt.X("column:N", sort=None, scale=_places(size)), predicted, "predicted class", labelAngle=-40)
    y = _axis(alt.Y("row:N", sort=None, scale=_places(size)), true, "true class", labelFlush=False)
    base = alt.Chart(named("cells")).encode(x=x, y=y)
    legend = alt.Legend(
        title=None, orient="top", values=[-1, 0, 1], labelExpr=_LEGEND, type="symbol", symbolType="square", offset=2
    )
    shade = alt.Color("better:Q", scale=alt.Scale(domain=[-1, 1], range=list(ramp)), legend=legend)
    tooltip = [
        alt.Tooltip("true:N"),
        alt.Tooltip("predicted:N"),
        alt.Tooltip("label:N", title="images, B less A"),
        alt.Tooltip("meaning:N", title="so"),
    ]
    hits = base.transform_filter("datum.row == datum.column")
    chart = alt.layer(
        base.mark_rect().encode(color=shade),
        hits.mark_rect(filled=False, stroke=theme.colour("textColor"), strokeWidth=1, aria=False),
        base.mark_text(fontSize=alt.ExprRef(NUMBER_SIZE)).encode(
            text="label:N", color=alt.Color("ink:N", scale=None, legend=None)
        ),
        targets(base, FIELD, tooltip=tooltip),
    ).resolve_scale(color="independent")
    title = alt.TitleParams("Confusion matrices: B less A, in images", offset=2)
    return specification(chart.properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING), cells=rows)


def checkpoint_difference_table(
    difference: NDArray[np.int64], true: Sequence[str], predicted: Sequence[str]
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the matrix of B less that of A."""
    rows = difference.tolist()
    return ["true class", *predicted], [[name, *row] for name, row in zip(true, rows, strict=True)]


def recall_differences(
    a: NDArray[np.float64], b: NDArray[np.float64], names: Sequence[str], chosen: int | None = None
) -> Spec:
    """Draw the recall of each class by B less that by A, in percentage points.

    Parameters
    ----------
    a, b : ndarray
        float64, shape (C,): recalls from 0 to 1, NaN where the class does not occur.
    names : sequence of str
    chosen : int, optional
        A class that is marked.
    """
    size = len(names)
    rows = [_bar(k, float(a[k]), float(b[k]), names[k], size, chosen) for k in range(size)]
    reach = 1.25 * max([abs(row["points"]) for row in rows], default=0) or 1.0
    y = _axis(alt.Y("row:N", sort=None, scale=_places(size)), names, None, labelFlush=False)
    x = alt.X("points:Q", title="recall of B less that of A (percentage points)")
    x = x.scale(domain=[-reach, reach], nice=False).axis(format="~g", tickCount=7, labelFlush=False)
    base = alt.Chart(named("classes")).encode(y=y)
    colours = alt.Scale(domain=["A", "B"], range=list(side_colours()))
    legend = alt.Legend(title=None, orient="top", labelExpr="datum.label + ' finds more'", offset=2)
    bars = base.transform_filter("datum.points != 0").mark_bar(height={"band": 0.7})
    ink = theme.colour("textColor")
    zero = alt.Chart(named("zero")).mark_rule(color=ink)
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in _BAR_TOOLTIP]
    text = base.mark_text(color=ink).encode(text="label:N")
    chart = alt.layer(
        bars.encode(x=x, color=alt.Color("better:N", scale=colours, legend=legend)),
        zero.encode(x="points:Q"),
        text.transform_filter("datum.points >= 0").mark_text(color=ink, align="left", dx=5).encode(x=x),
        text.transform_filter("datum.points < 0").mark_text(color=ink, align="right", dx=-5).encode(x=x),
        targets(base, FIELD, tooltip=tooltip),
    )
    chart = chart.properties(
        title=alt.TitleParams("Recall of each class, B less A", offset=2),
        height=BAR * max(size, 1),
        autosize=FIT_WIDTH,
        padding=PADDING,
    )
    return specification(chart, classes=rows, zero=[{"points": 0}])


_BAR_TOOLTIP = (("name", "true class"), ("of_a", "found by A"), ("of_b", "found by B"), ("label", "difference"))


def recall_table(
    a: NDArray[np.float64], b: NDArray[np.float64], names: Sequence[str]
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: recalls from 0 to 1 and their difference."""
    rows: list[list[Cell]] = [
        [name, float(one), float(two), float(two - one)] for name, one, two in zip(names, a, b, strict=True)
    ]
    return ["class", "recall_a", "recall_b", "b_minus_a"], rows


def _cells(
    difference: NDArray[np.int64],
    true: Sequence[str],
    predicted: Sequence[str],
    chosen: int | None,
    ramp: tuple[str, ...],
) -> list[dict[str, Any]]:
    largest = int(np.abs(difference).max(initial=0)) or 1
    size = len(true)
    cells = []
    for (row, column), value in np.ndenumerate(difference):
        gain = int(value) if row == column else -int(value)
        better = math.copysign(math.sqrt(abs(gain) / largest), gain)
        cells.append(
            {
                "row": row,
                "column": column,
                FIELD: row * size + column,
                "true": true[row],
                "predicted": predicted[column],
                "label": numbers.signed(int(value), 0),
                "meaning": "equal" if not gain else "B is better here" if gain > 0 else "A is better here",
                "better": better,
                "ink": theme.ink_on(_colour(better, ramp)),
                "chosen": int(row * size + column == chosen),
            }
        )
    return cells


def _bar(k: int, a: float, b: float, name: str, size: int, chosen: int | None) -> dict[str, Any]:
    known = not (math.isnan(a) or math.isnan(b))
    points = numbers.points(a, b) if known else 0.0
    return {
        "row": k,
        FIELD: k * size + k,
        "name": name,
        "points": points,
        "better": "B" if points > 0 else "A",
        "label": numbers.signed(points) if known else "–",
        "of_a": numbers.percent(a),
        "of_b": numbers.percent(b),
        "chosen": int(k == chosen),
    }


def _places(size: int) -> alt.Scale:
    return alt.Scale(domain=list(range(size)), padding=0)


def _axis(channel: Any, names: Sequence[str], title: str | None, **options: Any) -> Any:
    """Write names beside places that are told apart by number, as two names may be equal; they go as JSON."""
    labels = f"{json.dumps(list(names))}[toNumber(datum.value)]"
    return channel.axis(
        title=title,
        labelExpr=labels,
        labelLimit=0,
        labelOverlap=False,
        ticks=False,
        domain=False,
        grid=False,
        **options,
    )


def _colour(place: float, ramp: tuple[str, ...]) -> str:
    """Return the colour of a place from -1 to 1 as the browser mixes it."""
    return f"#{on_scale((place + 1) / 2, ramp).round().astype(np.uint8).tobytes().hex()}"
