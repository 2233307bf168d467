"""ROC curves of classes and their averages."""

from collections.abc import Sequence

from explorer.analysis.roc import RocCurve
from explorer.ui.charts.class_curves import POINTS, WHOLE, Frame, Grip, Size, Style, draw
from explorer.ui.charts.specs import Spec
from explorer.ui.export import Cell

PLACE = ("false_positive_rate", "recall")
_DIAGONAL = ({"x": 0, "y": 0}, {"x": 1, "y": 1})


def roc_frame(size: Size = WHOLE) -> Frame:
    """Return what stands around ROC curves: all of the plot, or its upper left corner, where good ones differ."""
    return Frame(
        title="ROC curves: each class against the rest",
        x="false positive rate",
        y="true positive rate (recall)",
        legend="AUC (95% interval), click to pick",
        x_domain=(0.0, size[0]),
        y_domain=(1 - size[1], 1.0),
    )


def roc_chart(lines: Sequence[tuple[Style, RocCurve]], size: Size = WHOLE, grip: Grip | None = None) -> Spec:
    """Draw ROC curves and the diagonal of guessing.

    Parameters
    ----------
    lines : sequence of tuple
        Every curve with its style; an undefined one stands in the legend without a line.
    size : tuple of float
        Of the upper left corner that is shown.
    grip : Grip, optional
        The point that can be dragged along one of them.
    """
    thinned = [(style, curve.thin(POINTS, max(size))) for style, curve in lines]
    return draw(roc_frame(size), [(style, curve.fpr, curve.tpr) for style, curve in thinned], _DIAGONAL, grip, PLACE)


def roc_table(curves: Sequence[tuple[str, RocCurve]]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all corners of named curves, at full resolution."""
    header = ["curve", "auc", "false positive rate", "true positive rate", "threshold"]
    rows: list[list[Cell]] = [
        [name, curve.auc, float(fpr), float(tpr), float(threshold)]
        for name, curve in curves
        for fpr, tpr, threshold in zip(curve.fpr, curve.tpr, curve.thresholds, strict=True)
    ]
    return header, rows
