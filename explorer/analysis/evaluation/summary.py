"""One evaluation in a few figures and as a JSON document, and predictions as a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.analysis.evaluation.calibration import Reliability
from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.intervals import CONFIDENCE, AucIntervals, Interval, wilson
from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves
from explorer.analysis.evaluation.predictions import FloatArray, Predictions
from explorer.analysis.evaluation.ranking import Rankings
from explorer.analysis.evaluation.roc import RocCurves
from explorer.analysis.files import atomic_output, or_none


@dataclass(frozen=True)
class Headline:
    """The figures by which an evaluation is known; NaN where undefined.

    Attributes
    ----------
    n : int
        Number of images.
    accuracy, misclassification_rate : float
    accuracy_interval, misclassification_interval : Interval
        95% (Wilson).
    macro_precision, macro_recall, macro_f1 : float
        Means over the classes for which they are defined.
    macro_auc, micro_auc : float
    log_loss : float
        Nats.
    expected_calibration_error : float
        With 15 bins of confidence of equal width.
    """

    n: int
    accuracy: float
    accuracy_interval: Interval
    misclassification_rate: float
    misclassification_interval: Interval
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_auc: float
    micro_auc: float
    log_loss: float
    expected_calibration_error: float

    @classmethod
    def from_predictions(cls, predictions: Predictions, rankings: Rankings | None = None) -> Headline:
        """Compute all of them.

        Parameters
        ----------
        predictions : Predictions
        rankings : Rankings, optional
            Those of the predictions, where they are there already.
        """
        matrix = ConfusionMatrix.from_predictions(predictions)
        ranked = rankings or Rankings.from_predictions(predictions)
        areas = [ranking.auc for ranking in ranked.per_class if ranking.defined]
        right = int(matrix.counts.trace())
        return cls(
            n=predictions.n,
            accuracy=matrix.accuracy,
            accuracy_interval=wilson(right, predictions.n),
            misclassification_rate=matrix.misclassification_rate,
            misclassification_interval=wilson(predictions.n - right, predictions.n),
            macro_precision=matrix.macro_precision,
            macro_recall=matrix.macro_recall,
            macro_f1=matrix.macro_f1,
            macro_auc=float(np.mean(areas)) if areas else float("nan"),
            micro_auc=ranked.micro.auc,
            log_loss=predictions.log_loss,
            expected_calibration_error=Reliability.from_predictions(predictions).expected_calibration_error,
        )


def evaluation_document(predictions: Predictions, checkpoint_name: str) -> dict[str, Any]:
    """Sum up predictions for JSON.

    Parameters
    ----------
    predictions : Predictions
        What to sum up.
    checkpoint_name : str
        The name by which the user knows the checkpoint.

    Returns
    -------
    dict
        `checkpoint`, `dataset`, `split`, `n`, `accuracy`, `misclassification_rate`, `log_loss` (nats),
        `confusion_matrix` (rows true, columns predicted), `auc` and `average_precision` (`macro`, `micro`,
        `per_class`), `precision`, `recall` and `f1` (`macro`, `per_class`), `expected_calibration_error` (15 bins) and
        `intervals` (`confidence`; `[low, high]` of `accuracy` and `misclassification_rate` by Wilson, of `auc` by
        DeLong for a class and by bootstrap of `resamples` for the averages). Plain Python values, None for what is
        undefined.
    """
    rankings = Rankings.from_predictions(predictions)
    headline = Headline.from_predictions(predictions, rankings)
    matrix = ConfusionMatrix.from_predictions(predictions)
    return {
        "checkpoint": checkpoint_name,
        "dataset": predictions.dataset,
        "split": predictions.split,
        "n": headline.n,
        "accuracy": or_none(headline.accuracy),
        "misclassification_rate": or_none(headline.misclassification_rate),
        "log_loss": or_none(headline.log_loss),
        "confusion_matrix": matrix.counts.tolist(),
        "auc": RocCurves.from_rankings(rankings).auc_document(),
        "precision": _by_class(headline.macro_precision, matrix.precision),
        "recall": _by_class(headline.macro_recall, matrix.recall),
        "f1": _by_class(headline.macro_f1, matrix.f1),
        "average_precision": PrecisionRecallCurves.from_rankings(rankings).average_precision_document(),
        "expected_calibration_error": or_none(headline.expected_calibration_error),
        "intervals": {
            "confidence": CONFIDENCE,
            "accuracy": headline.accuracy_interval.document(),
            "misclassification_rate": headline.misclassification_interval.document(),
            "auc": AucIntervals.from_predictions(predictions, rankings=rankings).document(),
        },
    }


def _by_class(macro: float, per_class: FloatArray) -> dict[str, Any]:
    return {"macro": or_none(macro), "per_class": [or_none(value) for value in per_class]}


def write_predictions_csv(path: str | os.PathLike[str], predictions: Predictions) -> None:
    """Write one row for each image, completely or not at all.

    Parameters
    ----------
    path : path-like
        The file; an existing one is replaced.
    predictions : Predictions
        The rows: `index` (position in the file of the data set), `label`, `predicted` and the probabilities
        `p_0`, `p_1`, ... with nine significant digits.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    size = len(predictions.classes)
    keys = (predictions.indices, predictions.labels, predictions.predicted)
    rows = np.column_stack((*keys, predictions.probabilities))
    header = ",".join(["index", "label", "predicted", *(f"p_{k}" for k in range(size))])
    row_format = ",".join(["%d"] * len(keys) + ["%.9g"] * size)
    with atomic_output(path) as stream:
        np.savetxt(stream, rows, fmt=row_format, header=header, comments="")
