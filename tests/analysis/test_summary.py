import csv
import json
import re

import numpy as np
import pytest
from sklearn import metrics

from explorer.analysis.summary import evaluation_document, write_predictions_csv
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
    }


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
