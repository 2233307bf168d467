"""Histograms of a tensor over the epochs, as a map: a column for each epoch, darker where more values lie."""

import math
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from explorer.training.tracking.reading import HistogramSeries
from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

HEIGHT = 280


def histogram_map(series: HistogramSeries, title: str, axis: str) -> Spec:
    """Draw how the values of a tensor are spread in each epoch.

    Parameters
    ----------
    series : HistogramSeries
    title : str
        Of the figure.
    axis : str
        What the values are: weight, gradient.

    Returns
    -------
    Spec
        The shade grows with the square root of the share, so that rare values are seen.
    """
    largest = float(series.shares.max(initial=0.0)) or 1.0
    x_scale = alt.Scale(domain=_span(series.epochs), nice=False)
    y_scale = alt.Scale(domain=[float(series.edges[0]), float(series.edges[-1])], nice=False)
    ticks = alt.Axis(format=",d", tickMinStep=1, labelFlush=False, grid=False)
    shade = alt.Color("depth:Q", scale=alt.Scale(domain=[0, 1], range=list(theme.sequential())), legend=None)
    chart = (
        alt.Chart(named("cells"))
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", title="epoch", axis=ticks, scale=x_scale),
            x2="right:Q",
            y=alt.Y("low:Q", title=axis, axis=alt.Axis(format=".2~g", grid=False), scale=y_scale),
            y2="high:Q",
            color=shade,
            tooltip=[
                alt.Tooltip("epoch:Q", format=",d"),
                alt.Tooltip("low:Q", title="from", format=".2~g"),
                alt.Tooltip("high:Q", title="to", format=".2~g"),
                alt.Tooltip("share:Q", title="share of the values", format=".1%"),
            ],
        )
        .properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    )
    return specification(chart, cells=_cells(series, largest))


def histogram_table(series: HistogramSeries) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: for each epoch and bin its ends and the share of the values in it."""
    rows: list[list[Cell]] = [
        [epoch, float(series.edges[number]), float(series.edges[number + 1]), float(share)]
        for epoch, shares in zip(series.epochs, series.shares, strict=True)
        for number, share in enumerate(shares)
    ]
    return ["epoch", "from", "to", "share"], rows


def quantile(series: HistogramSeries, row: int, share: float) -> float:
    """Return the value below which a share of the values of one epoch lies, as well as the bins tell it."""
    below = np.concatenate([[0.0], series.shares[row].cumsum()])
    return float(np.interp(share, below, series.edges))


def _cells(series: HistogramSeries, largest: float) -> list[dict[str, Any]]:
    edges = series.edges.tolist()
    return [
        {
            "epoch": epoch,
            "left": left,
            "right": right,
            "low": edges[number],
            "high": edges[number + 1],
            "share": float(share),
            "depth": math.sqrt(share / largest),
        }
        for epoch, (left, right), shares in zip(series.epochs, _columns(series.epochs), series.shares, strict=True)
        for number, share in enumerate(shares)
        if share > 0
    ]


def _columns(epochs: tuple[int, ...]) -> list[tuple[float, float]]:
    """Return where the column of each epoch begins and ends: half way to its neighbours."""
    middles = [(one + other) / 2 for one, other in pairwise(epochs)]
    first, last = _span(epochs)
    return list(zip([first, *middles], [*middles, last], strict=True))


def _span(epochs: tuple[int, ...]) -> list[float]:
    return [epochs[0] - 0.5, epochs[-1] + 0.5]
