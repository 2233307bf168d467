"""Everything that follows from predictions, each result computed when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data import catalog

if TYPE_CHECKING:
    from explorer.analysis.calibration import Reliability
    from explorer.analysis.confusion import ConfusionMatrix
    from explorer.analysis.intervals import AucIntervals
    from explorer.analysis.precision_recall import PrecisionRecallCurves
    from explorer.analysis.predictions import Predictions
    from explorer.analysis.ranking import Rankings
    from explorer.analysis.rejection import CoverageCurve
    from explorer.analysis.roc import RocCurves
    from explorer.analysis.summary import Headline


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
        from explorer.analysis.confusion import ConfusionMatrix

        return ConfusionMatrix.from_predictions(self.predictions)

    @cached_property
    def similar(self) -> tuple[int, ...]:
        """The order of the classes in which those that are confused stand side by side."""
        from explorer.analysis.similarity import similar_order

        return similar_order(self.matrix)

    @cached_property
    def rankings(self) -> "Rankings":
        """The images by falling probability of each class."""
        from explorer.analysis.ranking import Rankings

        return Rankings.from_predictions(self.predictions)

    @cached_property
    def headline(self) -> "Headline":
        """The figures by which an evaluation is known."""
        from explorer.analysis.summary import Headline

        return Headline.from_predictions(self.predictions, self.rankings)

    @cached_property
    def roc(self) -> "RocCurves":
        """The ROC curves at full resolution."""
        from explorer.analysis.roc import RocCurves

        return RocCurves.from_rankings(self.rankings)

    @cached_property
    def areas(self) -> "AucIntervals":
        """The 95% intervals of the areas under the ROC curves."""
        from explorer.analysis.intervals import AucIntervals

        return AucIntervals.from_predictions(self.predictions, rankings=self.rankings)

    @cached_property
    def precision_recall(self) -> "PrecisionRecallCurves":
        """The precision-recall curves at full resolution."""
        from explorer.analysis.precision_recall import PrecisionRecallCurves

        return PrecisionRecallCurves.from_rankings(self.rankings)

    @cached_property
    def reliability(self) -> "Reliability":
        """Confidence against accuracy."""
        from explorer.analysis.calibration import Reliability

        return Reliability.from_predictions(self.predictions)

    @cached_property
    def coverage(self) -> "CoverageCurve":
        """Accuracy against the share of images kept."""
        from explorer.analysis.rejection import CoverageCurve

        return CoverageCurve.from_predictions(self.predictions)


def of(predictions: "Predictions") -> Results:
    """Return the results of predictions, those of the same weights, images and precision from memory."""
    rounded = predictions.exact_predicted is not None
    checksum = catalog.get(predictions.dataset).checksum
    return _results(predictions.checkpoint, checksum, predictions.split, rounded, predictions)


@st.cache_resource(max_entries=24, show_spinner=False)
def _results(digest: str, checksum: str, split: str, rounded: bool, _predictions: "Predictions") -> Results:
    return Results(_predictions)
