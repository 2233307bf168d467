"""The two kinds of curves that the section shows, with what differs between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.ui.charts import class_curves
from explorer.ui.charts.class_curves import WHOLE, Grip, Place, Size, Style
from explorer.ui.charts.specs import Spec
from explorer.ui.evaluate.scope import Results
from explorer.ui.evaluate.threshold import DEFAULT
from explorer.ui.kit import numbers
from explorer.ui.kit.figure import Table

if TYPE_CHECKING:
    from explorer.analysis.evaluation.intervals import Interval
    from explorer.analysis.evaluation.predictions import FloatArray

SIZES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
"""Parts of an axis that can be shown."""
_ROOM = 1.5, 1.1
"""How much more is shown than to the bend of a curve, and than to its point at the usual threshold."""


@dataclass(frozen=True, eq=False)
class DrawnCurve:
    """One curve of the figure.

    Attributes
    ----------
    key : str
        Tells it from the others.
    title : str
        Plain text.
    results : Results
        Of the checkpoint and the split that it is of.
    which : int
        Number of the class; C for the micro and C + 1 for the macro average of C classes.
    colour : str
    dash : tuple of int
    strong : bool
    """

    key: str
    title: str
    results: Results
    which: int
    colour: str
    dash: tuple[int, int] = (1, 0)
    strong: bool = False

    def style(self, area: str) -> Style:
        """Return how it looks, with its area in the legend."""
        return Style(self.key, f"{self.title} {area}", self.colour, self.dash, self.strong)


class Roc:
    """True against false positive rate."""

    name = "roc-curves"
    place: Place = class_curves.PLACE

    best = (0.0, 1.0)
    frame = staticmethod(class_curves.roc_frame)

    @staticmethod
    def line(series: DrawnCurve) -> "tuple[FloatArray, FloatArray]":
        """Return the points of a curve across and up."""
        curve = series.results.roc.every[series.which]
        return curve.fpr, curve.tpr

    @staticmethod
    def area(series: DrawnCurve) -> str:
        """Write the area under the curve with its 95% interval."""
        area = series.results.roc.every[series.which].auc
        if area != area:
            return "undefined"
        ends = numbers.area_interval(*interval(series.results, series.which)).replace(" to ", "–")
        return f"{numbers.area(area)} ({ends})" if ends else numbers.area(area)

    @classmethod
    def chart(cls, drawn: Sequence[DrawnCurve], focus: DrawnCurve, size: Size, grip: Grip | None) -> Spec:
        """Draw the curves."""
        lines = [(one.style(cls.area(one)), one.results.roc.every[one.which]) for one in drawn]
        return class_curves.roc_chart(lines, size, grip)

    @staticmethod
    def table(drawn: Sequence[DrawnCurve]) -> Table:
        """Return the data of the curves at full resolution."""
        return class_curves.roc_table([(one.title, one.results.roc.every[one.which]) for one in drawn])


class PrecisionRecall:
    """Precision against recall."""

    name = "precision-recall-curves"
    place: Place = class_curves.PRECISION_RECALL_PLACE

    best = (1.0, 1.0)
    frame = staticmethod(class_curves.precision_recall_frame)

    @staticmethod
    def line(series: DrawnCurve) -> "tuple[FloatArray, FloatArray]":
        """Return the points of a curve across and up."""
        curve = series.results.precision_recall.every[series.which]
        return curve.recall, curve.precision

    @staticmethod
    def area(series: DrawnCurve) -> str:
        """Write the average precision."""
        area = series.results.precision_recall.every[series.which].average_precision
        return numbers.area(area) if area == area else "undefined"

    @classmethod
    def chart(cls, drawn: Sequence[DrawnCurve], focus: DrawnCurve, size: Size, grip: Grip | None) -> Spec:
        """Draw the curves, and the precision of guessing for the one in focus."""
        lines = [(one.style(cls.area(one)), one.results.precision_recall.every[one.which]) for one in drawn]
        return class_curves.precision_recall_chart(lines, base_rate(focus.results, focus.which), size, grip)

    @staticmethod
    def table(drawn: Sequence[DrawnCurve]) -> Table:
        """Return the data of the curves at full resolution."""
        curves = [(one.title, one.results.precision_recall.every[one.which]) for one in drawn]
        return class_curves.precision_recall_table(curves)


Kind = type[Roc] | type[PrecisionRecall]
KINDS: dict[str, Kind] = {"roc": Roc, "precision-recall": PrecisionRecall}
TITLES = {"roc": "ROC", "precision-recall": "Precision-recall"}


def corner(kind: Kind, drawn: Sequence[DrawnCurve]) -> Size:
    """Return how much of the axes shows where the curves are.

    In it lie of every curve the bend, the point whose greater distance from the best corner is least, and of every
    class the point at the usual threshold.
    """
    import numpy as np

    from explorer.analysis.evaluation.thresholds import OperatingPoints

    needed, found = np.zeros(2), False
    for series in drawn:
        gaps = np.abs(np.array(kind.line(series)) - np.array(kind.best)[:, None])
        if not gaps.size:
            continue
        found = True
        needed = np.maximum(needed, _ROOM[0] * gaps[:, gaps.max(axis=0).argmin()])
        per_class = series.results.rankings.per_class
        if series.which < len(per_class):
            usual = OperatingPoints.from_ranking(per_class[series.which], np.array([DEFAULT]))
            at = np.array([getattr(usual, name)[0] for name in kind.place])
            needed = np.maximum(needed, _ROOM[1] * np.abs(at - kind.best))
    across, up = (next((size for size in SIZES if size >= share), 1.0) for share in needed)
    return (across, up) if found else WHOLE


def interval(results: Results, which: int) -> "Interval":
    """Return the 95% interval of an area under a ROC curve; NaN where undefined."""
    areas = results.areas
    return (*areas.per_class, areas.micro, areas.macro)[which]


def base_rate(results: Results, which: int) -> float:
    """Return the precision of guessing, the share of positives; NaN without images."""
    rankings = results.rankings
    of: list[Any] = [*rankings.per_class, rankings.micro]
    defined = [one.positives / (one.positives + one.negatives) for one in rankings.per_class if one.positives]
    if which == len(of):
        return sum(defined) / len(defined) if defined else float("nan")
    whole = of[which].positives + of[which].negatives
    return of[which].positives / whole if whole else float("nan")
