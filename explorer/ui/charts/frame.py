"""The frame of a chart over epochs, whose plot stays where it is while a run goes on."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification

HEIGHT = 190
"""Of the plot, in pixels: two of them stand below one another on a screen, and can be read from the last row."""
FIRST_LOSS = 2.5
"""End of the axis of an empty chart: a little above the loss of guessing among ten classes, ln 10."""

SEEN = alt.Opacity("seen:Q", scale=None)
_ABOVE = 6
TICKS = 5
_LABELS = 36
"""Pixels reserved for the numbers of an axis, so that the plot stays where it is when they become longer."""


def epoch_axis() -> alt.X:
    """Return the horizontal axis."""
    axis = alt.Axis(format="d", tickMinStep=1, tickCount=10, labelFlush=False, labelPadding=4, titlePadding=2)
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
