"""What the lie detector measures: deletion and insertion against random orders, and maps of networks that forget."""

from collections.abc import Sequence
from typing import Literal

import altair as alt
import numpy as np

from explorer.analysis.faithfulness import ALIKE, Examination
from explorer.analysis.perturbation import PerturbationCurves
from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

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
