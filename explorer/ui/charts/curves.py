"""Learning curves: what the history of a run looks like.

The specification of a chart stays the same while a run goes on: only its data change, which the browser then puts
into the picture that is there. Even the ends of the axes come with the data, as marks that are not seen.
"""

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import altair as alt

from explorer.store.losses import FIELDS
from explorer.ui import theme
from explorer.ui.charts.frame import FIRST_LOSS, SEEN, TICKS, epoch_axis, framed, room, value_axis
from explorer.ui.charts.specs import Rows, Spec, named
from explorer.ui.export import Cell

TRAINING, VALIDATION = "training", "validation"
MAX_STEPS = 200
MAX_EPOCHS = 100
"""More marks than that are not told apart on the screen; the rest is thinned evenly."""

DECADE = 10

History = Sequence[dict[str, Any]]


def loss_curve(history: History, epochs: int, objective: str = "") -> Spec:
    """Draw the loss of single batches behind that of whole epochs.

    Parameters
    ----------
    history : sequence of dict
        Lines of a run's history.
    epochs : int
        Where the axis ends.
    objective : str, optional
        Draw what is minimised, which is called so, instead of the cross entropy.
    """
    name = "objective" if objective else "loss"
    steps, lines = _steps(history, name), [row for row in _epochs(history, name) if row["loss"] is not None]
    values = [row["loss"] for row in (*steps, *lines)]
    held = values[:1] if len(set(values)) > 1 else [0.0, *(values or [FIRST_LOSS])]
    return _filled(_loss_chart(theme.mode(), objective), epochs, "loss", held, steps=steps, epochs=lines)


def accuracy_curve(history: History, epochs: int) -> Spec:
    """Draw the accuracy of each epoch; parameters as of `loss_curve`."""
    lines = _epochs(history)
    held = room([line["accuracy"] for line in lines]) if lines else [0.0, 1.0]
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
    """Return header and rows, a line an epoch; with what is minimised, where it is not the loss."""
    header = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"]
    lines = [line for line in history if line["kind"] == "epoch"]
    header += [name for name in FIELDS["epoch"] if any(name in line for line in lines)]
    return header, [[line.get(name) for name in header] for line in lines]


def _epochs(history: History, loss: str = "loss") -> Rows:
    lines = [line for line in history if line["kind"] == "epoch"]
    kept = lines[:: -(-len(lines) // MAX_EPOCHS) or 1]
    if kept and kept[-1] is not lines[-1]:
        kept[-1] = lines[-1]
    return [
        {
            "epoch": line["epoch"],
            "series": series,
            "loss": line.get(f"{key}_{loss}"),
            "accuracy": line[f"{key}_accuracy"],
        }
        for line in kept
        for series, key in ((TRAINING, "train"), (VALIDATION, "validation"))
    ]


def _steps(history: History, loss: str) -> Rows:
    steps = [line for line in history if line["kind"] == "step" and line.get(loss) is not None]
    return _thinned([_place(line) | {"loss": line[loss]} for line in steps])


def _place(line: dict[str, Any]) -> dict[str, Any]:
    return {"epoch": line["epoch"] - 1 + line["step"] / line["steps"]}


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:: -(-len(rows) // MAX_STEPS) or 1]


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
def _loss_chart(mode: theme.Mode, objective: str) -> Spec:
    x = epoch_axis()
    y = alt.Y(
        "loss:Q",
        title="objective" if objective else "loss (nats)",
        scale=alt.Scale(zero=False, nice=TICKS),
        axis=value_axis(),
    )
    grey = theme.colour("textColor", mode)
    steps = alt.Chart(named("steps")).mark_line(color=grey, strokeOpacity=0.25, strokeWidth=1, clip=True)
    steps = steps.encode(x=x, y=y, opacity=SEEN)
    title = f"Objective: {objective}" if objective else "Loss"
    return framed(title, x, y, steps, _lines(x, y, mode, "top-right", "objective" if objective else "loss"))


@cache
def _accuracy_chart(mode: theme.Mode) -> Spec:
    x = epoch_axis()
    y = alt.Y("accuracy:Q", title="accuracy", axis=value_axis(format=".0%"), scale=alt.Scale(zero=False, nice=TICKS))
    return framed("Accuracy", x, y, _lines(x, y, mode, "bottom-right"))


@cache
def _rate_chart(mode: theme.Mode, wide: bool) -> Spec:
    scale = alt.Scale(type="log", nice=True) if wide else alt.Scale(zero=True, nice=TICKS)
    x = epoch_axis()
    y = alt.Y("rate:Q", title="learning rate", scale=scale, axis=value_axis(format="~g"))
    tooltip = [alt.Tooltip("epoch:Q", format=".2f"), alt.Tooltip("rate:Q", title="learning rate", format=".3g")]
    line = alt.Chart(named("rates")).mark_line(
        color=theme.colour("primaryColor", mode), interpolate="step-after", strokeWidth=1.5, clip=True
    )
    return framed("Learning rate", x, y, line.encode(x=x, y=y, opacity=SEEN, tooltip=tooltip))


def _lines(
    x: alt.X, y: alt.Y, mode: theme.Mode, corner: Literal["top-right", "bottom-right"], loss: str = "loss"
) -> alt.Chart:
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
        alt.Tooltip("loss:Q", title=loss, format=".4f"),
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
