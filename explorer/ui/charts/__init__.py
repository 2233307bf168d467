"""Charts, drawn by Altair from result objects. Nothing is computed here that a result does not hold."""

from explorer.ui.charts.attribution import attribution_map, attribution_table
from explorer.ui.charts.learning_curves import accuracy_curve, curve_table, loss_curve
from explorer.ui.charts.matrix import MATRIX_VIEWS, confusion_matrix, confusion_table
from explorer.ui.charts.probabilities import probability_bars, probability_table

__all__ = [
    "MATRIX_VIEWS",
    "accuracy_curve",
    "attribution_map",
    "attribution_table",
    "confusion_matrix",
    "confusion_table",
    "curve_table",
    "loss_curve",
    "probability_bars",
    "probability_table",
]
