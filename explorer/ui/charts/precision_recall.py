"""Precision-recall curves of classes and their averages."""

from collections.abc import Sequence

from explorer.analysis.precision_recall import PrecisionRecallCurve
from explorer.ui.charts.class_curves import POINTS, WHOLE, Frame, Grip, Size, Style, draw
from explorer.ui.charts.specs import Spec
from explorer.ui.export import Cell

PLACE = ("recall", "precision")


def precision_recall_frame(size: Size = WHOLE) -> Frame:
    """Return what stands around precision-recall curves: all of the plot, or its upper right corner."""
    return Frame(
        title="Precision-recall curves: each class against the rest",
        x="recall",
        y="precision",
        legend="Average precision, click to pick",
        x_domain=(1 - size[0], 1.0),
        y_domain=(1 - size[1], 1.0),
    )


def precision_recall_chart(
    lines: Sequence[tuple[Style, PrecisionRecallCurve]],
    base_rate: float,
    size: Size = WHOLE,
    grip: Grip | None = None,
) -> Spec:
    """Draw precision-recall curves as steps, and the precision of guessing.

    Parameters
    ----------
    lines : sequence of tuple
        Every curve with its style; an undefined one stands in the legend without a line.
    base_rate : float
        Share of positives, which is the precision of guessing at every recall; NaN without images.
    size : tuple of float
        Of the upper right corner that is shown.
    grip : Grip, optional
        The point that can be dragged along one of them.
    """
    outlines = [(style, curve.outline(POINTS, max(size))) for style, curve in lines]
    guide = [{"x": recall, "y": base_rate} for recall in (0, 1) if base_rate == base_rate]
    drawn = [(style, curve.recall, curve.precision) for style, curve in outlines]
    return draw(precision_recall_frame(size), drawn, guide, grip, PLACE)


def precision_recall_table(
    curves: Sequence[tuple[str, PrecisionRecallCurve]],
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all points of named curves, at full resolution."""
    header = ["curve", "average precision", "recall", "precision", "threshold"]
    rows: list[list[Cell]] = [
        [name, curve.average_precision, float(recall), float(precision), float(threshold)]
        for name, curve in curves
        for recall, precision, threshold in zip(curve.recall, curve.precision, curve.thresholds, strict=True)
    ]
    return header, rows
