"""From an Altair chart to the specification that is sent to the browser.

Altair checks every part against its schema again and again; for our charts that took most of the time of a rerun (of
1.4 s for the ROC curves, 1.2 s). The tests check the specifications instead, and the data go beside the chart.
"""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
from altair.utils import schemapi

from explorer.ui.kit import theme

Spec = dict[str, Any]
Rows = Sequence[dict[str, Any]]

FIT_WIDTH = alt.AutoSizeParams(type="fit-x", contains="padding")
"""As wide as the place, axes included; the height given is that of the plot. Streamlit would count titles into it."""

OWN_SIZE = alt.AutoSizeParams(type="pad", contains="padding")
"""Width and height given are those of the plot."""

PADDING = {"left": 0, "top": 4, "right": 18, "bottom": 4}
"""Pixels around a chart; at the right so that the last number of the axis is not cut."""

schemapi.disable_debug_mode()


def named(name: str) -> alt.NamedData:
    """Refer to data that `specification` adds."""
    return alt.NamedData(name)


def said(field: str, title: str | None = None) -> alt.Tooltip:
    """Tell a share in a tooltip as `formats.percent` writes it; the chart needs `with_percents` for the field."""
    return alt.Tooltip(f"{field}_said:N", title=title or field)


def with_percents(chart: alt.Chart, *fields: str) -> alt.Chart:
    """Let the browser write shares as `formats.percent` does, so that rows need not hold both number and text."""
    for field in fields:
        value = f"datum[{json.dumps(field)}]"
        rest = f"floor(min({value}, 1 - {value}) * 1000 + 0.500001) / 1000"
        chart = chart.transform_calculate(
            calculate=f"{value} == null ? '–' : {value} > 0 && {value} < 0.0005 ? '<0.1%' : "
            f"{value} < 1 && {value} > 0.9995 ? '>99.9%' : format({value} > 0.5 ? 1 - {rest} : {rest}, '.1%')",
            as_=f"{field}_said",
        )
    return chart


def specification(chart: alt.Chart | alt.LayerChart | alt.FacetChart, **datasets: Rows) -> Spec:
    """Return a chart as Vega-Lite, with the rows of each data set that it names.

    Its words have the page's colour: Streamlit's own grey is too pale to be read on white.
    """
    spec: Spec = chart.to_dict(validate=False)
    ink = theme.colour("textColor")
    config = spec.setdefault("config", {})
    for part in ("axis", "legend"):
        config[part] = {"labelColor": ink, "titleColor": ink} | config.get(part, {})
    spec["datasets"] = {name: list(rows) for name, rows in datasets.items()}
    return spec


HEIGHT = 190
"""Of the plot, in pixels: two of them stand below one another on a screen, and can be read from the last row."""
FIRST_LOSS = 2.5
"""End of the axis of an empty chart: a little above the loss of guessing among ten classes, ln 10."""

SEEN = alt.Opacity("seen:Q", scale=None)
_ABOVE = 6
TICKS = 5
_LABELS = 36
"""Pixels reserved for the numbers of an axis, so that the plot stays where it is when they become longer."""


def whole_axis(**settings: Any) -> alt.Axis:
    """Return an axis of whole numbers: no mark between them, which rounded would repeat one of them.

    Vega halves the steps of an axis that reaches over one or two, whatever its least step.
    """
    hidden: Any = {"condition": {"test": "datum.value % 1", "value": 0}, "value": 1}
    label = "datum.value % 1 ? '' : datum.label"
    settings = {"format": ",d", "tickMinStep": 1, "labelExpr": label, "tickOpacity": hidden} | settings
    return alt.Axis(gridOpacity=hidden, **settings)


def epoch_axis() -> alt.X:
    """Return the horizontal axis."""
    axis = whole_axis(tickCount=10, labelFlush=False, labelPadding=4, titlePadding=2)
    return alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False), axis=axis)


def value_axis(**settings: Any) -> alt.Axis:
    """Return a vertical axis whose numbers never stand out above or below the plot, which would move it."""
    return alt.Axis(
        minExtent=_LABELS,
        maxExtent=_LABELS,
        tickCount=TICKS,
        labelFlush=True,
        labelPadding=4,
        titlePadding=2,
        labelOverlap="greedy",
        **settings,
    )


def room(accuracies: Sequence[float]) -> list[float]:
    """Widen a range so that its ends do not lie on the frame, within 0 and 1."""
    low, high = min(accuracies), max(accuracies)
    margin = max(0.05 * (high - low), 0.005)
    return [max(0.0, low - margin), min(1.0, high + margin)]


def framed(title: str, x: alt.X, y: alt.Y, *layers: alt.Chart) -> Spec:
    """Put layers on axes that reach at least to the marks of `span` and `held`, which are not seen.

    Those of `span` lie above the plot, where they keep room for half a number of the vertical axis.
    """
    unseen: dict[str, Any] = {"opacity": 0, "tooltip": None}
    span = alt.Chart(named("span")).mark_point(**unseen).encode(x=x, y=alt.value(-_ABOVE))
    held = alt.Chart(named("held")).mark_point(**unseen).encode(y=y)
    heading = alt.TitleParams(title, offset=2)
    chart = alt.layer(span, held, *layers).properties(title=heading, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)


CLICKED = "clicked"
"""Name of the selection that a click makes."""


def targets(base: alt.Chart, field: str, **encodings: Any) -> alt.Chart:
    """Return unseen rectangles that take the clicks for the marks beneath them, and show which one is chosen.

    Parameters
    ----------
    base : alt.Chart
        With its data, of which each row has `chosen` (0 or 1).
    field : str
        What tells the rows apart; its value is what the server learns.
    **encodings
        The place of the rectangles, and their tooltip.
    """
    accent = theme.colour("primaryColor")
    frame = alt.condition("datum.chosen == 1", alt.value(accent), alt.value("transparent"))
    selection = alt.selection_point(name=CLICKED, fields=[field], toggle=False)
    chart = base.mark_rect(fill="transparent", strokeWidth=2, cursor="pointer")
    named: alt.Chart = chart.encode(stroke=frame, **encodings).properties(name="targets")
    return named.add_params(selection)


def clicked(state: Any, field: str) -> Any:
    """Return the value of the clicked mark from what a chart's widget holds; None where nothing is."""
    try:
        points = state["selection"][CLICKED]
        return points[0][field]
    except (KeyError, IndexError, TypeError):
        return None
