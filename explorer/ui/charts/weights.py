"""How weights and biases are spread now, and how that moved over the epochs."""

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.inside.filters import Filters, colour, grid
from explorer.training.tracking.reading import HistogramSeries
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification, whole_axis
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.images import img_tag, png
from explorer.ui.kit.text import html_text

if TYPE_CHECKING:
    from explorer.analysis.inside.weights_over_epochs import Movement, WeightHistogram

HEIGHT = 220
BANDS = ((0, 6, 0.18), (1, 5, 0.32), (2, 4, 0.55))
"""Which quantiles bound a band, and how strong it is."""


def weight_histogram(found: "WeightHistogram", title: str, axis: str) -> Spec:
    """Draw the histogram of one tensor; `axis` says what its values are."""
    edges = found.edges.tolist()
    rows = [
        {"low": edges[at], "high": edges[at + 1], "count": int(number)}
        for at, number in enumerate(found.counts)
        if number
    ]
    x = alt.X("low:Q", title=axis, axis=alt.Axis(format=".2~g", tickCount=6), scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("count:Q", title="number of values", axis=whole_axis(tickCount=5))
    tooltip = [
        alt.Tooltip("low:Q", title="from", format=".3~g"),
        alt.Tooltip("high:Q", title="to", format=".3~g"),
        alt.Tooltip("count:Q", title="values", format=",d"),
    ]
    bars = (
        alt.Chart(named("bins")).mark_rect(color=theme.sequential()[5]).encode(x=x, x2="high:Q", y=y, tooltip=tooltip)
    )
    bars = bars.encode(y2=alt.datum(0))
    chart = bars.properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart, bins=rows)


def histogram_table(found: "WeightHistogram") -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: ends of each bin and the number of values in it."""
    edges = found.edges.tolist()
    return ["from", "to", "values"], [[edges[at], edges[at + 1], int(number)] for at, number in enumerate(found.counts)]


def movement_bands(found: "Movement", chosen: int | None, title: str, axis: str) -> Spec:
    """Draw how the values of one tensor moved: bands that hold all, 90% and half of them, and the median as a line.

    Parameters
    ----------
    found : Movement
        Of at least two epochs.
    chosen : int or None
        The epoch that is marked.
    title, axis : str
    """
    rows = [
        {"epoch": epoch, **{f"q{at}": float(value) for at, value in enumerate(found.quantiles[row])}}
        for row, epoch in enumerate(found.epochs)
    ]
    x = alt.X("epoch:Q", title="epoch", axis=whole_axis(), scale=alt.Scale(nice=False))
    base = alt.Chart(named("epochs")).encode(x=x)
    tooltip = [alt.Tooltip("epoch:Q", format=",d")] + [
        alt.Tooltip(f"q{at}:Q", title=name, format=".3~g")
        for at, name in enumerate(("lowest", "5%", "25%", "median", "75%", "95%", "highest"))
    ]
    colour = theme.sequential()[6]
    layers = [
        base.mark_area(color=colour, opacity=strength).encode(
            y=alt.Y(f"q{low}:Q", title=axis, axis=alt.Axis(format=".2~g", tickCount=6)), y2=f"q{high}:Q"
        )
        for low, high, strength in BANDS
    ]
    layers.append(base.mark_line(color=theme.colour("textColor"), point=True).encode(y="q3:Q", tooltip=tooltip))
    if chosen is not None:
        layers.append(
            alt.Chart(named("chosen"))
            .mark_rule(color=theme.colour("primaryColor"), strokeDash=[4, 3])
            .encode(x="epoch:Q")
        )
    chart = alt.layer(*layers).properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    marks = [] if chosen is None else [{"epoch": chosen}]
    return specification(chart, epochs=rows, chosen=marks)


def movement_table(found: "Movement") -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: for each epoch the quantiles and the standard deviation."""
    header = ["epoch", "lowest", "5%", "25%", "median", "75%", "95%", "highest", "standard deviation"]
    rows: list[list[Cell]] = [
        [epoch, *found.quantiles[row].tolist(), float(found.std[row])] for row, epoch in enumerate(found.epochs)
    ]
    return header, rows


HISTOGRAMS_HEIGHT = 280


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
    ticks = whole_axis(labelFlush=False, grid=False)
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
        .properties(title=title, height=HISTOGRAMS_HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    )
    return specification(chart, cells=_cells(series, largest))


def epoch_histogram_table(series: HistogramSeries) -> tuple[list[str], list[list[Cell]]]:
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


SHOWN = 40
SIDE = 56
"""Screen pixels of a filter, or a little less: as many times its own size as fit."""

COLUMNS = 10


def filter_pictures(filters: Filters, shown: int = SHOWN) -> str:
    """Return the first filters as HTML, warm where a brighter pixel raises the output, cold where it lowers it.

    Parameters
    ----------
    filters : Filters
    shown : int
        At most so many.

    Returns
    -------
    str
        With a title that says how many there are, and the colour scale. Names stand beneath the templates of
        classes; a unit or kernel tells its number when pointed at.
    """
    images = filters.images[:shown]
    scale = max(1, SIDE // max(images.shape[1:]))
    tiles = zip(colour(images, filters.largest, _ramp()), filters.names, strict=False)
    cells = "".join(_cell(tile, name, scale, filters.of_classes) for tile, name in tiles)
    return (
        '<div style="font-size:.8rem;line-height:1.35">'
        '<div style="display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;align-items:center;margin-bottom:.5rem">'
        f"<strong>{_title(filters, len(images))}</strong>{_scale(filters.largest)}</div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:4px">{cells}</div></div>'
    )


def filters_png(filters: Filters) -> bytes:
    """Return the filters of `filter_pictures` as one PNG."""
    return png(grid(filters, COLUMNS, scale=_png_scale(filters), shown=SHOWN, colours=_ramp()))


def filter_table(filters: Filters) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all filters, a row for each weight."""
    rows: list[list[Cell]] = [
        [filters.names[number], row, column, float(value)]
        for (number, row, column), value in np.ndenumerate(filters.images)
    ]
    return ["filter", "row", "column", "weight"], rows


def _png_scale(filters: Filters) -> int:
    side: int = max(filters.images.shape[1:])
    return max(1, SIDE // side)


def _title(filters: Filters, shown: int) -> str:
    if filters.of_classes:
        return "Weights of each class"
    what = "hidden unit" if filters.kind == "weights" else "kernel"
    many = f"{filters.n:,} {what}s" if filters.n != 1 else f"1 {what}"
    return f"First layer: {many}" if shown == filters.n else f"First layer: {shown} of {many}"


def _cell(tile: NDArray[np.uint8], name: str, scale: int, named: bool) -> str:
    text = html_text(name)
    label = f'<div style="width:5.2rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis">{text}</div>'
    return f'<div title="{text}">{img_tag(tile, scale, name)}{label if named else ""}</div>'


def _scale(largest: float) -> str:
    """Draw the colours with the weights at their ends and in the middle."""
    stops = ",".join(theme.diverging())
    bar = (
        f'<span style="width:8rem;height:.6rem;border-radius:2px;background:linear-gradient(to right,{stops})"></span>'
    )
    start, end = f"−{largest:.2g}", f"+{largest:.2g}"
    return f'<span style="display:flex;gap:.4rem;align-items:center">weight {start}{bar}{end}</span>'


def _ramp() -> list[list[float]]:
    return [[channel / 255 for channel in theme.rgb(code)] for code in theme.diverging()]
