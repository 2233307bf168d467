import csv
import json
import re

import numpy as np
import pytest
from sklearn import metrics

from explorer.analysis.evaluation.calibration import Reliability
from explorer.analysis.evaluation.intervals import AucIntervals, wilson
from explorer.analysis.evaluation.summary import Headline, evaluation_document, write_predictions_csv
from explorer.errors import ExplorerError


def test_the_document_has_the_agreed_keys_and_figures(random_predictions):
    p = random_predictions
    document = json.loads(json.dumps(evaluation_document(p, "mnist-lenet"), allow_nan=False))
    assert list(document) == [
        "checkpoint",
        "dataset",
        "split",
        "n",
        "accuracy",
        "misclassification_rate",
        "log_loss",
        "confusion_matrix",
        "auc",
        "precision",
        "recall",
        "f1",
        "average_precision",
        "expected_calibration_error",
        "intervals",
    ]
    assert list(document["auc"]) == ["macro", "micro", "per_class"]
    assert (document["checkpoint"], document["dataset"], document["split"], document["n"]) == (
        "mnist-lenet",
        "mnist",
        "validation",
        300,
    )
    assert document["accuracy"] == pytest.approx(metrics.accuracy_score(p.labels, p.predicted))
    assert document["log_loss"] == pytest.approx(metrics.log_loss(p.labels, p.probabilities))
    assert document["confusion_matrix"] == metrics.confusion_matrix(p.labels, p.predicted).tolist()
    truth = np.eye(10)[p.labels]
    for average in ("macro", "micro"):
        expected = metrics.average_precision_score(truth, p.probabilities, average=average)
        assert document["average_precision"][average] == pytest.approx(expected)
    per_class = metrics.precision_recall_fscore_support(p.labels, p.predicted)
    macro = metrics.precision_recall_fscore_support(p.labels, p.predicted, average="macro")
    for k, name in enumerate(("precision", "recall", "f1")):
        assert document[name]["per_class"] == pytest.approx(per_class[k].tolist())
        assert document[name]["macro"] == pytest.approx(macro[k])
    error = Reliability.from_predictions(p).expected_calibration_error
    assert document["expected_calibration_error"] == pytest.approx(error)
    intervals = document["intervals"]
    assert intervals["confidence"] == 0.95
    right = int(p.correct.sum())
    assert intervals["accuracy"] == list(wilson(right, 300))
    assert intervals["misclassification_rate"] == list(wilson(300 - right, 300))
    assert intervals["auc"] == AucIntervals.from_predictions(p).document()
    for name in ("macro", "micro"):
        low, high = intervals["auc"][name]
        assert low < document["auc"][name] < high


def test_the_headline_equals_the_document(random_predictions):
    headline, document = (of(random_predictions) for of in (Headline.from_predictions, _document))
    assert headline.n == document["n"]
    for name in ("accuracy", "misclassification_rate", "log_loss", "expected_calibration_error"):
        assert getattr(headline, name) == document[name]
    for name in ("precision", "recall", "f1", "auc"):
        assert getattr(headline, f"macro_{name}") == document[name]["macro"]
    assert headline.micro_auc == document["auc"]["micro"]
    assert list(headline.accuracy_interval) == document["intervals"]["accuracy"]
    assert list(headline.misclassification_interval) == document["intervals"]["misclassification_rate"]


def _document(predictions):
    return evaluation_document(predictions, "x")


def test_undefined_figures_are_null(make_predictions):
    empty = evaluation_document(make_predictions(np.empty((0, 2)), []), "x")
    assert json.loads(json.dumps(empty, allow_nan=False)) == {
        "checkpoint": "x",
        "dataset": "mnist",
        "split": "validation",
        "n": 0,
        "accuracy": None,
        "misclassification_rate": None,
        "log_loss": None,
        "confusion_matrix": [[0, 0], [0, 0]],
        "auc": {"macro": None, "micro": None, "per_class": [None, None]},
        "precision": {"macro": None, "per_class": [None, None]},
        "recall": {"macro": None, "per_class": [None, None]},
        "f1": {"macro": None, "per_class": [None, None]},
        "average_precision": {"macro": None, "micro": None, "per_class": [None, None]},
        "expected_calibration_error": None,
        "intervals": {
            "confidence": 0.95,
            "accuracy": [None, None],
            "misclassification_rate": [None, None],
            "auc": {
                "macro": [None, None],
                "micro": [None, None],
                "per_class": [[None, None], [None, None]],
                "resamples": 1000,
            },
        },
    }


@pytest.mark.parametrize("labels", [[], [0], [2, 2, 2]])
def test_headlines_of_very_little(make_predictions, labels):
    headline = Headline.from_predictions(make_predictions(np.zeros((len(labels), 3)), labels))
    assert headline.n == len(labels)
    assert np.isnan(headline.macro_auc)
    assert np.isnan(headline.accuracy) == (not labels)
    json.dumps(evaluation_document(make_predictions(np.zeros((len(labels), 3)), labels), "x"), allow_nan=False)


def test_the_table_comes_back(tmp_path, random_predictions):
    p = random_predictions
    path = tmp_path / "predictions.csv"
    write_predictions_csv(path, p)
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["index", "label", "predicted", *(f"p_{k}" for k in range(10))]
    np.testing.assert_array_equal(
        [[int(cell) for cell in row[:3]] for row in rows],
        np.stack([p.indices, p.labels, p.predicted], axis=1),
    )
    np.testing.assert_allclose(np.array([row[3:] for row in rows], dtype=float), p.probabilities, rtol=5.1e-9)
    digits = [len(re.sub(r"e.*|\.|^0\.0*", "", cell)) for row in rows for cell in row[3:]]
    assert max(digits) == 9


def test_a_failed_table_leaves_no_file(tmp_path, random_predictions):
    occupied = tmp_path / "file"
    occupied.write_text("x")
    with pytest.raises(ExplorerError, match="its folder is a file"):
        write_predictions_csv(occupied / "predictions.csv", random_predictions)
    with pytest.raises(ExplorerError, match="not an ordinary file"):
        write_predictions_csv(tmp_path, random_predictions)
    assert list(tmp_path.iterdir()) == [occupied]
