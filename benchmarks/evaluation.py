"""The parts of the page Evaluate, each from logits to what is drawn."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from explorer.analysis.evaluation.calibration import Reliability, TemperatureScaling
from explorer.analysis.evaluation.comparison import Comparison
from explorer.analysis.evaluation.confusion import ConfusionMatrix, similar_order
from explorer.analysis.evaluation.intervals import AucIntervals
from explorer.analysis.evaluation.mistakes import KEYS, KINDS, Slices, ordered
from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves
from explorer.analysis.evaluation.predictions import Predictions, predict
from explorer.analysis.evaluation.ranking import Rankings
from explorer.analysis.evaluation.rejection import CoverageCurve
from explorer.analysis.evaluation.roc import RocCurves
from explorer.analysis.evaluation.summary import Headline
from explorer.analysis.evaluation.thresholds import crossing, elements_at
from explorer.data import catalog
from explorer.data.splits import Split, load_split
from explorer.store.checkpoints import Classifier

CORNER = 0.2


def parts(classifier: Classifier, split: Split) -> dict[str, Callable[[], object]]:
    """Return what computes each part of the page anew from logits that are there, and all of them.

    Parameters
    ----------
    classifier : Classifier
    split : Split
        The images that are judged. The temperature is fitted on the validation split of the same set, and the second
        model of the comparison is the first with noise on its logits.
    """
    validation = load_split(split.dataset, "validation")
    judged, fitted_on = _predictions(classifier, split), _predictions(classifier, validation)
    noise = np.random.default_rng(0).normal(0, 0.5, judged.logits.shape).astype(np.float32)
    other = replace(judged, logits=judged.logits + noise, checkpoint="another")

    def anew(compute: Callable[..., object], *predictions: Predictions) -> Callable[[], object]:
        return lambda: compute(*(replace(one) for one in predictions))

    single: dict[str, Callable[[], object]] = {
        "headline": anew(Headline.from_predictions, judged),
        "matrix, pairs, order by similarity": anew(_matrix, judged),
        "ROC curves, thinned twice": anew(_roc, judged),
        "intervals of all AUCs": anew(AucIntervals.from_predictions, judged),
        "precision-recall curves, thinned": anew(_precision_recall, judged),
        "a threshold and who crosses it": anew(_threshold, judged),
        "reliability, temperature, coverage": anew(_calibration, fitted_on, judged),
        "mistakes in three orders, four slices": anew(lambda one: _mistakes(one, split), judged),
        "two models": anew(_comparison, judged, other),
    }

    def everything() -> None:
        one = replace(judged)
        rankings = Rankings.from_predictions(one)
        Headline.from_predictions(one, rankings)
        _matrix(one)
        _roc(one, rankings)
        AucIntervals.from_predictions(one, rankings=rankings)
        _precision_recall(one, rankings)
        _threshold(one)
        _calibration(replace(fitted_on), one)
        _mistakes(one, split)
        _comparison(one, replace(other))

    return {"all of it": everything, **single}


def _predictions(classifier: Classifier, split: Split) -> Predictions:
    classes = catalog.get(split.dataset).classes
    return Predictions(
        predict(classifier, split.images), split.labels, split.indices, classes, "one", split.dataset, split.name
    )


def _matrix(predictions: Predictions) -> object:
    matrix = ConfusionMatrix.from_predictions(predictions)
    views = matrix.by_row, matrix.by_column, matrix.off_diagonal
    elements = [matrix.element(k) for k in range(len(matrix.classes))]
    return views, elements, matrix.confused_pairs(), matrix.reordered(similar_order(matrix))


def _roc(predictions: Predictions, rankings: Rankings | None = None) -> object:
    curves = RocCurves.from_rankings(rankings or Rankings.from_predictions(predictions))
    return [(curve.thin(), curve.thin(corner=CORNER)) for curve in (*curves.per_class, curves.micro, curves.macro)]


def _precision_recall(predictions: Predictions, rankings: Rankings | None = None) -> object:
    curves = PrecisionRecallCurves.from_rankings(rankings or Rankings.from_predictions(predictions))
    return [curve.outline() for curve in (*curves.per_class, curves.micro, curves.macro)]


def _threshold(predictions: Predictions) -> object:
    return elements_at(predictions, 0, 0.5), crossing(predictions, 0, 0.5, 0.4)


def _calibration(fitted_on: Predictions, judged: Predictions) -> object:
    scaling = TemperatureScaling.from_predictions(fitted_on, judged)
    return scaling, Reliability.from_predictions(judged), CoverageCurve.from_predictions(judged).thin()


def _mistakes(predictions: Predictions, split: Split) -> object:
    orders = [ordered(predictions, key) for key in KEYS]
    return orders, [Slices.from_predictions(predictions, kind, split.images) for kind in KINDS]


def _comparison(first: Predictions, second: Predictions) -> object:
    comparison = Comparison.from_predictions(first, second)
    return comparison.verdict(), comparison.document("a", "b"), comparison.rows("only_a"), comparison.rows("only_b")
