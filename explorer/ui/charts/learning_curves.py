"""Learning curves: what the history of a run looks like.

The specification of a chart stays the same while a run goes on: only its data change, which the browser then puts
into the picture that is there. Even the ends of the axes come with the data, as marks that are not seen.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import altair as alt

from explorer.store.losses import FIELDS
from explorer.training.tracking.reading import ScalarSeries
from explorer.ui.charts.specs import (
    FIRST_LOSS,
    FIT_WIDTH,
    PADDING,
    SEEN,
    TICKS,
    Rows,
    Spec,
    epoch_axis,
    framed,
    named,
    room,
    said,
    specification,
    value_axis,
    whole_axis,
    with_percents,
)
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.seed_groups import LearningCurve

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


Quantity = Literal["accuracy", "loss"]
Axis = Literal["epoch", "seconds"]
MAX_RUNS = 8
"""More curves than that are not told apart."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
HEIGHT = 250
SHORT = 20
"""Characters of a label of which two stand side by side in a legend."""


@dataclass(frozen=True)
class Point:
    """One run by its size: number of parameters, and best validation accuracy from 0 to 1.

    `settings` says which of its settings are not the usual ones.
    """

    run: str
    name: str
    settings: str
    dataset: str
    model: str
    parameters: int
    accuracy: float


def overlaid_curves(curves: Sequence[LearningCurve], quantity: Quantity, until: float, axis: Axis = "epoch") -> Spec:
    """Draw the curves of up to `MAX_RUNS` runs, a colour and a sign each; training is dashed and thinner.

    Parameters
    ----------
    curves : sequence of Curve
    quantity : {'accuracy', 'loss'}
    until : float
        The last epoch or second on the axis. As long as it stays, only the data of the chart change.
    axis : {'epoch', 'seconds'}
        What the curves are drawn by.
    """
    labels = [curve.label for curve in curves]
    by_time = axis == "seconds"
    x = alt.X(f"{axis}:Q", title="seconds" if by_time else "epoch", scale=alt.Scale(domain=[0, until], nice=False))
    y = alt.Y(f"{quantity}:Q", title="accuracy" if quantity == "accuracy" else "loss (nats)")
    y = y.scale(zero=False).axis(format=".0%" if quantity == "accuracy" else "~g")
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("images:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("seconds:Q", format=",.1f"),
        said("accuracy"),
        alt.Tooltip("loss:Q", format=".3f"),
    ]
    x = x.axis(format=",~f", tickCount=6, labelFlush=False) if by_time else x.axis(whole_axis())
    base = with_percents(alt.Chart(named("epochs")), "accuracy").encode(
        x=x, y=y, color=_colours(labels), tooltip=tooltip
    )
    dashes = alt.Scale(domain=[TRAINING, VALIDATION], range=[[4, 3], [1, 0]])
    widths = alt.Scale(domain=[TRAINING, VALIDATION], range=[1.2, 2])
    lines = base.mark_line().encode(
        strokeDash=alt.StrokeDash("images:N", scale=dashes, legend=None),
        strokeWidth=alt.StrokeWidth("images:N", scale=widths, legend=None),
    )
    points = base.transform_filter(f"datum.images == '{VALIDATION}'").mark_point(filled=True, opacity=1, size=34)
    seeds = alt.Chart(named("seeds")).mark_line(strokeWidth=1, strokeOpacity=0.45)
    seeds = seeds.encode(x=x, y=y, color=_colours(labels), detail="seed:N", tooltip=tooltip)
    several = [
        {**row, "seed": number}
        for curve in curves
        for number, one in enumerate(curve.seeds)
        for row in _rows(curve.label, one)
        if row["images"] == VALIDATION
    ]
    chart = alt.layer(*([seeds] if several else []), lines, points.encode(shape=_shapes(labels)))
    title = f"{quantity.capitalize()} by {'time' if by_time else 'epoch'} (dashed: training images)"
    chart = chart.properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    rows = [row for curve in curves for row in _rows(curve.label, curve.epochs)]
    return specification(chart, epochs=rows, **({"seeds": several} if several else {}))


def curves_table(curves: Sequence[LearningCurve]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all curves, a line an epoch."""
    names = ["epoch", "seconds", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    return ["run", *names], [
        [curve.label, *(line.get(name) for name in names)] for curve in curves for line in curve.epochs
    ]


def size_and_accuracy(points: Sequence[Point], labels: Mapping[str, str]) -> Spec:
    """Draw runs by number of parameters (logarithmic) and best validation accuracy.

    Parameters
    ----------
    points : sequence of Point
    labels : mapping of str to str
        The chosen runs: label in the legend by run id. They have their colour and sign, the others are grey.
    """
    x = alt.X("parameters:Q", title="parameters", scale=alt.Scale(type="log", nice=False, domain=_domain(points)))
    x = x.axis(format="~s", tickCount=6, labelFlush=False)
    y = alt.Y("accuracy:Q", title="best validation accuracy", scale=alt.Scale(zero=False, padding=8))
    y = y.axis(format=".0%" if _spread(points) > 0.05 else ".1%")
    tooltip = [
        alt.Tooltip("name:N", title="run"),
        alt.Tooltip("settings:N"),
        alt.Tooltip("dataset:N", title="data set"),
        alt.Tooltip("model:N"),
        alt.Tooltip("parameters:Q", format=",d"),
        said("accuracy", "best validation accuracy"),
    ]
    base = with_percents(alt.Chart(named("others")), "accuracy").encode(x=x, y=y, tooltip=tooltip)
    grey = base.mark_point(filled=True, size=36, opacity=0.45, color=theme.colour("textColor"))
    names = list(labels.values())
    marked = (
        with_percents(alt.Chart(named("chosen")), "accuracy")
        .mark_point(filled=True, size=110, opacity=1)
        .encode(x=x, y=y, tooltip=tooltip, color=_colours(names, "label"), shape=_shapes(names, "label"))
    )
    chart = alt.layer(grey, *([marked] if labels else []))
    chart = chart.properties(title="Size and accuracy of the runs", height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    rows = [vars(point) | {"label": labels.get(point.run)} for point in points]
    return specification(
        chart, others=[row for row in rows if not row["label"]], chosen=[row for row in rows if row["label"]]
    )


def size_table(points: Sequence[Point]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the points."""
    header = ["run", "name", "settings", "data set", "model", "parameters", "best validation accuracy"]
    return header, [list(vars(point).values()) for point in points]


def _rows(label: str, epochs: Sequence[Mapping[str, Any]]) -> Rows:
    return [
        {
            "run": label,
            "images": images,
            "epoch": line["epoch"],
            "seconds": line.get("seconds"),
            "accuracy": line[f"{key}_accuracy"],
            "loss": line[f"{key}_loss"],
        }
        for line in epochs
        for images, key in ((TRAINING, "train"), (VALIDATION, "validation"))
        if line[f"{key}_loss"] is not None
    ]


def _colours(labels: Sequence[str], field: str = "run") -> alt.Color:
    scale = alt.Scale(domain=list(labels), range=list(theme.class_colours(len(labels))))
    return alt.Color(f"{field}:N", scale=scale, legend=_legend(labels))


def _shapes(labels: Sequence[str], field: str = "run") -> alt.Shape:
    scale = alt.Scale(domain=list(labels), range=[SHAPES[index % len(SHAPES)] for index in range(len(labels))])
    return alt.Shape(f"{field}:N", scale=scale, legend=_legend(labels))


def _legend(labels: Sequence[str]) -> alt.Legend:
    columns = 2 if max(map(len, labels), default=0) <= SHORT else 1
    return alt.Legend(title=None, orient="top", direction="horizontal", columns=columns, offset=4, labelLimit=360)


def _domain(points: Sequence[Point]) -> list[float]:
    sizes = [point.parameters for point in points] or [1]
    return [min(sizes) / 1.6, max(sizes) * 1.6]


def _spread(points: Sequence[Point]) -> float:
    values = [point.accuracy for point in points] or [0.0]
    return max(values) - min(values)


SCALARS_HEIGHT = 280
MAX_POINTS = 1000
"""Points of a line that go to the browser."""


@dataclass(frozen=True)
class Scalar:
    """How a scalar is called and written: title of the figure, title of the axis, format, and whether less is better.

    `lower` is None where neither is better.
    """

    title: str
    axis: str
    format: str
    lower: bool | None = None


SCALARS = {
    "loss/train": Scalar("Loss on the training images", "loss (nats)", ".4f", True),
    "loss/validation": Scalar("Loss on the validation images", "loss (nats)", ".4f", True),
    "objective/train": Scalar("Objective on the training images", "objective", ".4f"),
    "objective/validation": Scalar("Objective on the validation images", "objective", ".4f"),
    "accuracy/train": Scalar("Accuracy on the training images", "accuracy", ".1%", False),
    "accuracy/validation": Scalar("Accuracy on the validation images", "accuracy", ".1%", False),
    "loss/step": Scalar("Loss of single batches", "loss (nats)", ".4f", True),
    "learning_rate": Scalar("Learning rate", "learning rate", ".2~g"),
    "images_per_second": Scalar("Speed", "images per second", ",.0f"),
}
"""The scalars that every run has, in the order in which they are offered."""


def scalar(tag: str) -> Scalar:
    """Return how a scalar is called; one that is not known by its own name."""
    return SCALARS.get(tag, Scalar(tag, tag, ".4~g"))


def scalar_curves(tag: str, curves: Mapping[str, ScalarSeries]) -> Spec:
    """Draw one scalar of several runs.

    Parameters
    ----------
    tag : str
        Name of the scalar.
    curves : mapping of str to Series
        By the title of the run; titles differ.
    """
    about, titles = scalar(tag), list(curves)
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=alt.ExprRef("width < 420 ? 1 : 3"),
        labelLimit=240,
        symbolType="stroke",
        symbolStrokeWidth=2.5,
    )
    x = alt.X(
        "step:Q", title=step_name(tag), axis=whole_axis(labelFlush=False), scale=alt.Scale(zero=False, nice=False)
    )
    y = alt.Y("value:Q", title=about.axis, axis=alt.Axis(format=_axis_format(about)), scale=alt.Scale(zero=False))
    colours = alt.Scale(domain=titles, range=list(theme.class_colours(len(titles))))
    dashes = alt.Scale(domain=titles, range=[list(dash) for dash in theme.class_dashes(len(titles))])
    few = max((len(curve.steps) for curve in curves.values()), default=0) <= 60
    chart = (
        with_percents(alt.Chart(named("points")), "value")
        .mark_line(point=alt.OverlayMarkDef(size=24) if few else False, clip=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color("run:N", sort=None, scale=colours, legend=legend if len(titles) > 1 else None),
            strokeDash=alt.StrokeDash("run:N", scale=dashes, legend=legend if len(titles) > 1 else None),
            tooltip=[
                alt.Tooltip("run:N"),
                alt.Tooltip("step:Q", title=step_name(tag), format=",d"),
                said("value", about.axis)
                if about.format == ".1%"
                else alt.Tooltip("value:Q", title=about.axis, format=about.format),
            ],
        )
        .properties(title=about.title, height=SCALARS_HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    )
    return specification(chart, points=[row for title, curve in curves.items() for row in _points(title, curve)])


def scalar_table(tag: str, curves: Mapping[str, ScalarSeries]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all points."""
    rows: list[list[Cell]] = [
        [title, step, value]
        for title, curve in curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    return ["run", step_name(tag), tag], rows


def step_name(tag: str) -> str:
    """Say what a scalar is counted by."""
    return "step" if tag.endswith("/step") else "epoch"


def _axis_format(about: Scalar) -> str:
    return {".1%": ".0%", ".4f": ".3~g"}.get(about.format, about.format)


def _points(title: str, curve: ScalarSeries) -> list[dict[str, object]]:
    stride = max(1, -(-len(curve.steps) // MAX_POINTS))
    pairs = list(zip(curve.steps, curve.values, strict=True))
    finite = [(step, value) for step, value in pairs if abs(value) < float("inf")]
    return [{"run": title, "step": step, "value": value} for step, value in finite[::stride]]
