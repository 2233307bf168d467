"""Learning curves: what the history of a run looks like."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Rows, Spec, named, specification
from explorer.ui.export import Cell

TRAINING, VALIDATION = "training", "validation"
HEIGHT = 210
MAX_STEPS = 400
"""More marks than that are not told apart on the screen; the rest is thinned evenly."""

History = Sequence[dict[str, Any]]


def loss_curve(history: History, epochs: int) -> Spec:
    """Draw the loss of single batches behind that of whole epochs."""
    x = _epoch_axis(epochs)
    y = alt.Y("loss:Q", title="loss (nats)", scale=alt.Scale(zero=False))
    grey = theme.colour("textColor")
    steps = alt.Chart(named("steps")).mark_line(color=grey, opacity=0.25, strokeWidth=1).encode(x=x, y=y)
    chart = alt.layer(steps, _lines(x, y)).properties(**_frame("Loss"))
    return specification(chart, steps=_steps(history), epochs=_epochs(history))


def accuracy_curve(history: History, epochs: int) -> Spec:
    """Draw the accuracy of each epoch."""
    rows = _epochs(history)
    scale = alt.Scale(zero=False) if rows else alt.Scale(domain=[0, 1])
    y = alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=scale)
    chart = alt.layer(_lines(_epoch_axis(epochs), y)).properties(**_frame("Accuracy"))
    return specification(chart, epochs=rows)


def curve_table(history: History) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows, a line an epoch."""
    header = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"]
    return header, [[line[name] for name in header] for line in history if line["kind"] == "epoch"]


def _epochs(history: History) -> Rows:
    return [
        {"epoch": line["epoch"], "series": series, "loss": line[f"{key}_loss"], "accuracy": line[f"{key}_accuracy"]}
        for line in history
        if line["kind"] == "epoch"
        for series, key in ((TRAINING, "train"), (VALIDATION, "validation"))
    ]


def _steps(history: History) -> Rows:
    rows = [
        {"epoch": line["epoch"] - 1 + line["step"] / line["steps"], "loss": line["loss"]}
        for line in history
        if line["kind"] == "step" and line["loss"] is not None
    ]
    return rows[:: max(1, -(-len(rows) // MAX_STEPS))]


def _epoch_axis(epochs: int) -> alt.X:
    return alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[0, max(epochs, 1)], nice=False),
        axis=alt.Axis(format="d", tickMinStep=1),
    )


def _lines(x: alt.X, y: alt.Y) -> alt.Chart:
    names = [TRAINING, VALIDATION]
    legend = alt.Legend(title=None, orient="top", offset=4, symbolType="stroke", symbolStrokeWidth=2.5)
    colours = alt.Scale(domain=names, range=[theme.colour("textColor"), theme.colour("primaryColor")])
    chart: alt.Chart = (
        alt.Chart(named("epochs"))
        .mark_line(point=alt.OverlayMarkDef(size=24), clip=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color("series:N", scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[5, 3], [1, 0]]), legend=legend),
            tooltip=[
                alt.Tooltip("series:N", title="images"),
                alt.Tooltip("epoch:Q"),
                alt.Tooltip("loss:Q", format=".4f"),
                alt.Tooltip("accuracy:Q", format=".1%"),
            ],
        )
    )
    return chart


def _frame(title: str) -> dict[str, Any]:
    return {"title": title, "height": HEIGHT, "autosize": FIT_WIDTH, "padding": PADDING}
