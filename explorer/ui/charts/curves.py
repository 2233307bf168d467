"""Learning curves: what the history of a run looks like.

The specification of a chart stays the same while a run goes on: only its data change, which the browser then puts
into the picture that is there. Even the ends of the axes come with the data, as marks that are not seen.
"""

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import altair as alt

from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Rows, Spec, named, specification
from explorer.ui.export import Cell

TRAINING, VALIDATION = "training", "validation"
HEIGHT = 124
MAX_STEPS = 200
MAX_EPOCHS = 100
"""More marks than that are not told apart on the screen; the rest is thinned evenly."""

FIRST_LOSS = 2.5
"""End of the axis of an empty chart: a little above the loss of guessing among ten classes, ln 10."""

DECADE = 10
ABOVE = 6
TICKS = 5
LABELS = 36
"""Pixels reserved for the numbers of an axis, so that the plot stays where it is when they become longer."""

SEEN = alt.Opacity("seen:Q", scale=None)

History = Sequence[dict[str, Any]]


def loss_curve(history: History, epochs: int) -> Spec:
    """Draw the loss of single batches behind that of whole epochs.

    Parameters
    ----------
    history : sequence of dict
        Lines of a run's history.
    epochs : int
        Where the axis ends.
    """
    steps, lines = _steps(history), _epochs(history)
    held = [row["loss"] for row in (*steps, *lines)][:1] or [0.0, FIRST_LOSS]
    return _filled(_loss_chart(theme.mode()), epochs, "loss", held, steps=steps, epochs=lines)


def accuracy_curve(history: History, epochs: int) -> Spec:
    """Draw the accuracy of each epoch; parameters as of `loss_curve`."""
    lines = _epochs(history)
    held = _room([line["accuracy"] for line in lines]) if lines else [0.0, 1.0]
    return _filled(_accuracy_chart(theme.mode()), epochs, "accuracy", held, epochs=lines)


def rate_curve(history: History, epochs: int) -> Spec:
    """Draw the learning rate by step, on a logarithmic axis where it spans a factor of ten or more.

    Parameters as of `loss_curve`. A rate of zero, with which a schedule may end, has no place on such an axis.
    """
    rows = _thinned([_place(line) | {"rate": line["learning_rate"]} for line in history if line["kind"] == "step"])
    values = [row["rate"] for row in rows if row["rate"] > 0]
    wide = bool(values) and max(values) / min(values) >= DECADE
    kept = [row for row in rows if row["rate"] > 0] if wide else rows
    return _filled(_rate_chart(theme.mode(), wide), epochs, "rate", values[:1] or [0.001], rates=kept)


def curve_table(history: History) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows, a line an epoch."""
    header = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"]
    return header, [[line[name] for name in header] for line in history if line["kind"] == "epoch"]


def _epochs(history: History) -> Rows:
    lines = [line for line in history if line["kind"] == "epoch"]
    kept = lines[:: -(-len(lines) // MAX_EPOCHS) or 1]
    if kept and kept[-1] is not lines[-1]:
        kept[-1] = lines[-1]
    return [
        {"epoch": line["epoch"], "series": series, "loss": line[f"{key}_loss"], "accuracy": line[f"{key}_accuracy"]}
        for line in kept
        for series, key in ((TRAINING, "train"), (VALIDATION, "validation"))
    ]


def _steps(history: History) -> Rows:
    steps = [line for line in history if line["kind"] == "step" and line["loss"] is not None]
    return _thinned([_place(line) | {"loss": line["loss"]} for line in steps])


def _place(line: dict[str, Any]) -> dict[str, Any]:
    return {"epoch": line["epoch"] - 1 + line["step"] / line["steps"]}


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:: -(-len(rows) // MAX_STEPS) or 1]


def _room(accuracies: Sequence[float]) -> list[float]:
    """Widen a range so that its ends do not lie on the frame, within 0 and 1."""
    low, high = min(accuracies), max(accuracies)
    room = max(0.05 * (high - low), 0.005)
    return [max(0.0, low - room), min(1.0, high + room)]


def _filled(spec: Spec, end: int, field: str, held: Sequence[float], **datasets: Rows) -> Spec:
    """Return a copy of a specification with data in it; to build one anew takes 10 ms, too long for every second.

    Vega complains about a scale without data, so a data set that is still empty gets a row that is not seen.
    """
    filled = {
        name: [row | {"seen": 1} for row in rows] or [{"epoch": 0, "series": TRAINING, field: held[0], "seen": 0}]
        for name, rows in datasets.items()
    }
    axes = {"span": [{"epoch": 0}, {"epoch": max(end, 1)}], "held": [{field: value} for value in held]}
    return copy.deepcopy(spec) | {"datasets": axes | filled}


@cache
def _loss_chart(mode: theme.Mode) -> Spec:
    x = _epoch_axis()
    y = alt.Y("loss:Q", title="loss (nats)", scale=alt.Scale(zero=False, nice=TICKS), axis=_axis())
    grey = theme.colour("textColor", mode)
    steps = alt.Chart(named("steps")).mark_line(color=grey, strokeOpacity=0.25, strokeWidth=1, clip=True)
    steps = steps.encode(x=x, y=y, opacity=SEEN)
    return _framed("Loss", x, y, steps, _lines(x, y, mode, "top-right"))


@cache
def _accuracy_chart(mode: theme.Mode) -> Spec:
    x = _epoch_axis()
    y = alt.Y("accuracy:Q", title="accuracy", axis=_axis(format=".0%"), scale=alt.Scale(zero=False, nice=TICKS))
    return _framed("Accuracy", x, y, _lines(x, y, mode, "bottom-right"))


@cache
def _rate_chart(mode: theme.Mode, wide: bool) -> Spec:
    scale = alt.Scale(type="log", nice=True) if wide else alt.Scale(zero=True, nice=TICKS)
    x = _epoch_axis()
    y = alt.Y("rate:Q", title="learning rate", scale=scale, axis=_axis(format="~g"))
    tooltip = [alt.Tooltip("epoch:Q", format=".2f"), alt.Tooltip("rate:Q", title="learning rate", format=".3g")]
    line = alt.Chart(named("rates")).mark_line(
        color=theme.colour("primaryColor", mode), interpolate="step-after", strokeWidth=1.5, clip=True
    )
    return _framed("Learning rate", x, y, line.encode(x=x, y=y, opacity=SEEN, tooltip=tooltip))


def _epoch_axis() -> alt.X:
    axis = alt.Axis(format="d", tickMinStep=1, tickCount=10, labelFlush=False, labelPadding=4, titlePadding=2)
    return alt.X("epoch:Q", title="epoch", scale=alt.Scale(nice=False), axis=axis)


def _axis(**settings: Any) -> alt.Axis:
    """Return a vertical axis whose numbers never stand out above or below the plot, which would move it."""
    return alt.Axis(
        minExtent=LABELS,
        maxExtent=LABELS,
        tickCount=TICKS,
        labelFlush=True,
        labelPadding=4,
        titlePadding=2,
        labelOverlap="greedy",
        **settings,
    )


def _lines(x: alt.X, y: alt.Y, mode: theme.Mode, corner: Literal["top-right", "bottom-right"]) -> alt.Chart:
    """Draw the epochs, with the legend in the corner of the plot that curves of this kind leave free."""
    names = [TRAINING, VALIDATION]
    legend = alt.Legend(
        title=None,
        orient=corner,
        offset=6,
        padding=4,
        fillColor=theme.colour("backgroundColor", mode),
        symbolType="stroke",
        symbolStrokeWidth=2.5,
    )
    colours = alt.Scale(domain=names, range=[theme.colour("textColor", mode), theme.colour("primaryColor", mode)])
    dashes = alt.Scale(domain=names, range=[[5, 3], [1, 0]])
    tooltip = [
        alt.Tooltip("series:N", title="images"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    lines = alt.Chart(named("epochs")).mark_line(point=alt.OverlayMarkDef(size=24), clip=True)
    chart: alt.Chart = lines.encode(
        x=x,
        y=y,
        color=alt.Color("series:N", scale=colours, legend=legend),
        strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=legend),
        opacity=SEEN,
        tooltip=tooltip,
    )
    return chart


def _framed(title: str, x: alt.X, y: alt.Y, *layers: alt.Chart) -> Spec:
    """Put layers on axes that reach at least to the marks of `span` and `held`, which are not seen.

    Those of `span` lie above the plot, where they keep room for half a number of the vertical axis.
    """
    unseen: dict[str, Any] = {"opacity": 0, "tooltip": None}
    span = alt.Chart(named("span")).mark_point(**unseen).encode(x=x, y=alt.value(-ABOVE))
    held = alt.Chart(named("held")).mark_point(**unseen).encode(y=y)
    heading = alt.TitleParams(title, offset=2)
    chart = alt.layer(span, held, *layers).properties(title=heading, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart)
