"""Scalars of several runs in one chart."""

from collections.abc import Mapping
from dataclasses import dataclass

import altair as alt

from explorer.training.tracking.reading import Series
from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, said, specification, with_percents
from explorer.ui.export import Cell

HEIGHT = 280
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


def scalar_curves(tag: str, curves: Mapping[str, Series]) -> Spec:
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
    whole = alt.Axis(format=",d", tickMinStep=1, labelFlush=False)
    x = alt.X("step:Q", title=step_name(tag), axis=whole, scale=alt.Scale(zero=False, nice=False))
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
        .properties(title=about.title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    )
    return specification(chart, points=[row for title, curve in curves.items() for row in _points(title, curve)])


def scalar_table(tag: str, curves: Mapping[str, Series]) -> tuple[list[str], list[list[Cell]]]:
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


def _points(title: str, curve: Series) -> list[dict[str, object]]:
    stride = max(1, -(-len(curve.steps) // MAX_POINTS))
    pairs = list(zip(curve.steps, curve.values, strict=True))
    finite = [(step, value) for step, value in pairs if abs(value) < float("inf")]
    return [{"run": title, "step": step, "value": value} for step, value in finite[::stride]]
