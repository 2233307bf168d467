"""Several runs in one chart: their curves, and their size against their accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Rows, Spec, named, said, specification, with_percents
from explorer.ui.export import Cell

Quantity = Literal["accuracy", "loss"]
Axis = Literal["epoch", "seconds"]
MAX_RUNS = 8
"""More curves than that are not told apart."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
HEIGHT = 250
TRAINING, VALIDATION = "training", "validation"
SHORT = 20
"""Characters of a label of which two stand side by side in a legend."""


@dataclass(frozen=True)
class Curve:
    """The learning curve of one run, or the mean of several that differ in their seed alone.

    Attributes
    ----------
    label : str
        Name in the legend, different from that of every other run.
    epochs : sequence of dict
        Lines of the history, one an epoch.
    seeds : sequence of sequence of dict
        Those of each run that the mean is over; empty for a single run.
    """

    label: str
    epochs: Sequence[Mapping[str, Any]]
    seeds: Sequence[Sequence[Mapping[str, Any]]] = ()


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


def overlaid_curves(curves: Sequence[Curve], quantity: Quantity, until: float, axis: Axis = "epoch") -> Spec:
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
    x = x.axis(format="~g", tickCount=6, labelFlush=False) if by_time else x.axis(format="d", tickMinStep=1)
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


def curves_table(curves: Sequence[Curve]) -> tuple[list[str], list[list[Cell]]]:
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
