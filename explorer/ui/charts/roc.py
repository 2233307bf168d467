"""ROC curves of all classes and their two averages."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from explorer.analysis.roc import RocCurve, RocCurves
from explorer.ui import theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

HEIGHT = 310
POINTS = 400
"""Points of a curve that go to the browser; more are not told apart on the screen."""

CORNER = 0.2


def roc_chart(curves: RocCurves, chosen: int | None = None, corner: bool = False) -> Spec:
    """Draw one curve for each class, and the micro and macro averages.

    Parameters
    ----------
    curves : RocCurves
    chosen : int, optional
        A class whose curve is drawn stronger.
    corner : bool
        Show only the upper left corner, where good classifiers differ.

    Returns
    -------
    Spec
        With the area under each curve in the legend; undefined curves stand there without a line.
    """
    every = [*curves.per_class, curves.micro, curves.macro]
    labels = [f"{curve.name} {_area(curve)}" for curve in every]
    neutral = theme.colour("textColor")
    classes = len(curves.per_class)
    colours = [*theme.class_colours(classes), neutral, neutral]
    dashes = [*(list(dash) for dash in theme.class_dashes(classes)), [1, 2], [8, 3]]
    legend = alt.Legend(
        title="Area under the curve (AUC)",
        orient="bottom",
        columns=alt.ExprRef("width < 420 ? 2 : 4"),
        labelLimit=0,
        symbolType="stroke",
        symbolSize=300,
        symbolStrokeWidth=2.5,
    )
    x_domain, y_domain = ([0, CORNER], [1 - CORNER, 1]) if corner else ([0, 1], [0, 1])
    x = alt.X(
        "fpr:Q",
        title="false positive rate",
        scale=alt.Scale(domain=x_domain),
        axis=alt.Axis(format=".0%", labelFlush=False),
    )
    y = alt.Y("tpr:Q", title="true positive rate (recall)", scale=alt.Scale(domain=y_domain)).axis(
        format=".0%", labelFlush=False
    )
    strong = [label for index, label in enumerate(labels) if index == chosen or index >= classes]
    width = alt.condition(alt.FieldOneOfPredicate("curve", strong), alt.value(2.8), alt.value(1.4))
    lines = (
        alt.Chart(named("points"))
        .mark_line(clip=True, interpolate="linear")
        .encode(
            x=x,
            y=y,
            color=alt.Color("curve:N", sort=None, scale=alt.Scale(domain=labels, range=colours), legend=legend),
            strokeDash=alt.StrokeDash("curve:N", scale=alt.Scale(domain=labels, range=dashes), legend=legend),
            strokeWidth=width,
            order=alt.Order("step:Q"),
            tooltip=[
                alt.Tooltip("curve:N"),
                alt.Tooltip("fpr:Q", format=".2%", title="false positive rate"),
                alt.Tooltip("tpr:Q", format=".2%", title="true positive rate"),
            ],
        )
    )
    chance = alt.Chart(named("chance"))
    diagonal = chance.mark_line(clip=True, color="#8a8f98", strokeWidth=1).encode(x=x, y=y)
    chart = alt.layer(diagonal, lines).properties(
        title="ROC curves: each class against the rest", height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(
        chart,
        points=_points(every, labels, CORNER if corner else 1.0),
        chance=[{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}],
    )


def roc_table(curves: RocCurves) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all corners of all curves, at full resolution."""
    header = ["curve", "auc", "false positive rate", "true positive rate", "threshold"]
    rows: list[list[Cell]] = [
        [curve.name, curve.auc, float(fpr), float(tpr), float(threshold)]
        for curve in (*curves.per_class, curves.micro, curves.macro)
        for fpr, tpr, threshold in zip(curve.fpr, curve.tpr, curve.thresholds, strict=True)
    ]
    return header, rows


def _area(curve: RocCurve) -> str:
    return f"{curve.auc:.4f}" if curve.defined else "undefined"


def _points(curves: Sequence[RocCurve], labels: Sequence[str], zoom: float) -> list[dict[str, Any]]:
    """Return the points that a plot of the corner up to `zoom` needs."""
    return [
        {"curve": label, "step": step, "fpr": round(float(fpr), 6), "tpr": round(float(tpr), 6)}
        for curve, label in zip(curves, labels, strict=True)
        for thin in [curve.thin(POINTS, zoom)]
        for step, (fpr, tpr) in enumerate(zip(thin.fpr, thin.tpr, strict=True))
    ]
