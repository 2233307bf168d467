"""What the page Evaluate judges: one checkpoint, or two side by side, on one split of one data set."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.ui.kit.state import Selection

if TYPE_CHECKING:
    from explorer.analysis.evaluation.calibration import Reliability
    from explorer.analysis.evaluation.confusion import ConfusionMatrix
    from explorer.analysis.evaluation.intervals import AucIntervals
    from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves
    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.analysis.evaluation.ranking import Rankings
    from explorer.analysis.evaluation.rejection import CoverageCurve
    from explorer.analysis.evaluation.roc import RocCurves
    from explorer.analysis.evaluation.summary import Headline


class Results:
    """The results of some predictions, shared by all sessions and only to be read.

    All of them together take 0.13 s for 10,000 images (`python -m benchmarks.evaluation`), so two sessions that ask at
    the same moment may both compute.
    """

    def __init__(self, predictions: "Predictions") -> None:
        self.predictions = predictions

    @cached_property
    def matrix(self) -> "ConfusionMatrix":
        """The confusion matrix."""
        from explorer.analysis.evaluation.confusion import ConfusionMatrix

        return ConfusionMatrix.from_predictions(self.predictions)

    @cached_property
    def similar(self) -> tuple[int, ...]:
        """The order of the classes in which those that are confused stand side by side."""
        from explorer.analysis.evaluation.confusion import similar_order

        return similar_order(self.matrix)

    @cached_property
    def rankings(self) -> "Rankings":
        """The images by falling probability of each class."""
        from explorer.analysis.evaluation.ranking import Rankings

        return Rankings.from_predictions(self.predictions)

    @cached_property
    def headline(self) -> "Headline":
        """The figures by which an evaluation is known."""
        from explorer.analysis.evaluation.summary import Headline

        return Headline.from_predictions(self.predictions, self.rankings)

    @cached_property
    def roc(self) -> "RocCurves":
        """The ROC curves at full resolution."""
        from explorer.analysis.evaluation.roc import RocCurves

        return RocCurves.from_rankings(self.rankings)

    @cached_property
    def areas(self) -> "AucIntervals":
        """The 95% intervals of the areas under the ROC curves."""
        from explorer.analysis.evaluation.intervals import AucIntervals

        return AucIntervals.from_predictions(self.predictions, rankings=self.rankings)

    @cached_property
    def precision_recall(self) -> "PrecisionRecallCurves":
        """The precision-recall curves at full resolution."""
        from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves

        return PrecisionRecallCurves.from_rankings(self.rankings)

    @cached_property
    def reliability(self) -> "Reliability":
        """Confidence against accuracy."""
        from explorer.analysis.evaluation.calibration import Reliability

        return Reliability.from_predictions(self.predictions)

    @cached_property
    def coverage(self) -> "CoverageCurve":
        """Accuracy against the share of images kept."""
        from explorer.analysis.evaluation.rejection import CoverageCurve

        return CoverageCurve.from_predictions(self.predictions)


def of(predictions: "Predictions") -> Results:
    """Return the results of predictions, those of the same weights, images and precision from memory."""
    rounded = predictions.exact_predicted is not None
    checksum = catalog.get(predictions.dataset).checksum
    return _results(predictions.checkpoint, checksum, predictions.split, rounded, predictions)


@st.cache_resource(max_entries=24, show_spinner=False)
def _results(digest: str, checksum: str, split: str, rounded: bool, _predictions: "Predictions") -> Results:
    return Results(_predictions)


@dataclass(frozen=True, eq=False)
class Judged:
    """One checkpoint on the images.

    Attributes
    ----------
    selection : Selection
        The checkpoint and its epoch; `dataset` and `split` are those of the images, whatever it was trained on.
    name : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    results : Results
        Of its predictions.
    """

    selection: Selection
    name: str
    results: Results


@dataclass(frozen=True, eq=False)
class Scope:
    """What the page judges.

    Attributes
    ----------
    a : Judged
        The checkpoint of the sidebar, which every section is about.
    b : Judged or None
        The second one, where the user has chosen one, on the same images.
    foreign : str or None
        Title of the data set that A was trained on, where the images are from another one.
    own : bool
        Whether the images are of the very set that A was trained on, not of drawings for its classes.
    """

    a: Judged
    b: Judged | None = None
    foreign: str | None = None
    own: bool = True

    @property
    def both(self) -> tuple[Judged, ...]:
        """A, and B where there is one."""
        return (self.a,) if self.b is None else (self.a, self.b)

    @property
    def images(self) -> Split:
        """The images that are judged, in the order of the predictions."""
        return load_split(self.a.selection.dataset, self.a.selection.split)


def true_names(scope: Scope) -> tuple[str, ...]:
    """Return the names of the true classes: the model's own unless it was trained on another data set."""
    classes = scope.a.results.predictions.classes
    if scope.foreign is None:
        return classes
    own = catalog.get(scope.a.selection.dataset).classes[: len(classes)]
    return own + classes[len(own) :]


def pair_names(scope: Scope) -> tuple[str, ...]:
    """Name every true class with the one that it is matched with by number, where the two have different names."""
    classes = scope.a.results.predictions.classes
    pairs = zip(true_names(scope), classes, strict=True)
    return tuple(own if own == true else f"{true} → {own}" for true, own in pairs)
