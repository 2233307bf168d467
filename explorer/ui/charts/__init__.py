"""Charts, drawn by Altair from result objects. Nothing is computed here that a result does not hold."""

from explorer.ui.charts.attribution import attribution_map, attribution_table
from explorer.ui.charts.matrix import MATRIX_VIEWS, confusion_matrix, confusion_table
from explorer.ui.charts.probabilities import probability_bars, probability_table
from explorer.ui.charts.roc import roc_chart, roc_table

__all__ = [
    "MATRIX_VIEWS",
    "attribution_map",
    "attribution_table",
    "confusion_matrix",
    "confusion_table",
    "probability_bars",
    "probability_table",
    "roc_chart",
    "roc_table",
]
