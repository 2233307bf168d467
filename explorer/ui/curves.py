"""Learning curves: what the history of a run looks like."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

TRAINING, VALIDATION = "training", "validation"
HEIGHT = 310
MAX_STEPS = 600
"""More marks than that are not told apart on the screen; the rest is thinned evenly."""

_SERIES = alt.Color(
    "series:N",
    scale=alt.Scale(domain=[TRAINING, VALIDATION], range=["#8a8f98", "#c2410c"]),
    legend=alt.Legend(title=None, orient="top", offset=4, symbolType="stroke"),
)
_DASH = alt.StrokeDash("series:N", scale=alt.Scale(domain=[TRAINING, VALIDATION], range=[[5, 3], [1, 0]]), legend=None)


def epoch_table(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return a row an epoch and series: `epoch`, `series`, `loss` (nats) and `accuracy` (0 to 1)."""
    rows = [
        {"epoch": line["epoch"], "series": series, "loss": line[f"{key}_loss"], "accuracy": line[f"{key}_accuracy"]}
        for line in history
        if line["kind"] == "epoch"
        for series, key in ((TRAINING, "train"), (VALIDATION, "validation"))
    ]
    return pd.DataFrame(rows, columns=["epoch", "series", "loss", "accuracy"])


def step_table(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the noted steps: `epoch` as a fraction and the loss of that one batch; at most `MAX_STEPS` rows."""
    rows = [
        {"epoch": line["epoch"] - 1 + line["step"] / line["steps"], "loss": line["loss"]}
        for line in history
        if line["kind"] == "step" and line["loss"] is not None
    ]
    return pd.DataFrame(rows[:: max(1, -(-len(rows) // MAX_STEPS))], columns=["epoch", "loss"])


def rows(history: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows of a table with a line an epoch."""
    header = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"]
    return header, [[line[name] for name in header] for line in history if line["kind"] == "epoch"]


def loss_curve(history: Sequence[dict[str, Any]], epochs: int) -> alt.LayerChart:
    """Draw the loss of single batches behind that of whole epochs."""
    x = _epoch_axis(epochs)
    y = alt.Y("loss:Q", title="loss (nats)", scale=alt.Scale(zero=False))
    steps = alt.Chart(step_table(history)).mark_line(color="#8a8f98", opacity=0.35, strokeWidth=1).encode(x=x, y=y)
    return _frame(alt.layer(steps, _lines(epoch_table(history), x, y)), "Loss")


def accuracy_curve(history: Sequence[dict[str, Any]], epochs: int) -> alt.LayerChart:
    """Draw the accuracy of each epoch."""
    x = _epoch_axis(epochs)
    table = epoch_table(history)
    scale = alt.Scale(domain=[0, 1]) if table.empty else alt.Scale(zero=False)
    y = alt.Y("accuracy:Q", title="accuracy", axis=alt.Axis(format=".0%"), scale=scale)
    return _frame(alt.layer(_lines(table, x, y)), "Accuracy")


def _epoch_axis(epochs: int) -> alt.X:
    return alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[0, max(epochs, 1)], nice=False),
        axis=alt.Axis(format="d", tickMinStep=1),
    )


def _lines(table: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    tooltip = [
        alt.Tooltip("series:N", title="set"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("loss:Q", format=".4f"),
        alt.Tooltip("accuracy:Q", format=".1%"),
    ]
    marks = alt.Chart(table).mark_line(point=alt.OverlayMarkDef(size=30), clip=True)
    return marks.encode(x=x, y=y, color=_SERIES, strokeDash=_DASH, tooltip=tooltip)


def _frame(chart: alt.LayerChart, title: str) -> alt.LayerChart:
    return chart.properties(title=title, height=HEIGHT)
