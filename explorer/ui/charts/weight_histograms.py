"""How weights and biases are spread now, and how that moved over the epochs."""

from typing import TYPE_CHECKING

import altair as alt

from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

if TYPE_CHECKING:
    from explorer.analysis.inside.weights_over_epochs import Histogram, Movement

HEIGHT = 220
BANDS = ((0, 6, 0.18), (1, 5, 0.32), (2, 4, 0.55))
"""Which quantiles bound a band, and how strong it is."""


def weight_histogram(found: "Histogram", title: str, axis: str) -> Spec:
    """Draw the histogram of one tensor; `axis` says what its values are."""
    edges = found.edges.tolist()
    rows = [
        {"low": edges[at], "high": edges[at + 1], "count": int(number)}
        for at, number in enumerate(found.counts)
        if number
    ]
    x = alt.X("low:Q", title=axis, axis=alt.Axis(format=".2~g", tickCount=6), scale=alt.Scale(nice=False, zero=False))
    y = alt.Y("count:Q", title="number of values", axis=alt.Axis(format=",d", tickCount=5, tickMinStep=1))
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


def histogram_table(found: "Histogram") -> tuple[list[str], list[list[Cell]]]:
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
    ticks = alt.Axis(format=",d", tickMinStep=1)
    x = alt.X("epoch:Q", title="epoch", axis=ticks, scale=alt.Scale(nice=False))
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
