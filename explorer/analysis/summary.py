"""One evaluation as a JSON document, and predictions as a table."""

import os
from typing import Any

import numpy as np

from explorer.analysis._output import atomic_output
from explorer.analysis.confusion import ConfusionMatrix
from explorer.analysis.predictions import Predictions
from explorer.analysis.roc import RocCurves


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
        `confusion_matrix` (rows true, columns predicted) and `auc` (`macro`, `micro`, `per_class`), plain
        Python values, None for what is undefined.
    """
    some = predictions.n > 0
    return {
        "checkpoint": checkpoint_name,
        "dataset": predictions.dataset,
        "split": predictions.split,
        "n": predictions.n,
        "accuracy": predictions.accuracy if some else None,
        "misclassification_rate": predictions.misclassification_rate if some else None,
        "log_loss": predictions.log_loss if some else None,
        "confusion_matrix": ConfusionMatrix.from_predictions(predictions).counts.tolist(),
        "auc": RocCurves.from_predictions(predictions).auc_document(),
    }


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
