"""Two sides of a duel in one chart: their curves, and the difference between them, seed by seed.

As in `curves`, the specification of a race stays the same while it goes on: only its data change.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt

from explorer.studies.differences import Difference
from explorer.ui import theme
from explorer.ui.charts.frame import FIRST_LOSS, SEEN, epoch_axis, framed, room, value_axis
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Rows, Spec, named, said, specification, with_percents
from explorer.ui.export import Cell

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
