import re

import numpy as np
import pytest

from explorer.analysis.confusion import ConfusionMatrix
from explorer.analysis.intervals import wilson
from explorer.analysis.predictions import Predictions
from explorer.analysis.roc import RocCurves
from explorer.ui import explanations
from explorer.ui.charts import MATRIX_VIEWS

CLASSES = ("cat", "dog", "T-shirt*")
MATRIX = ConfusionMatrix(np.array([[8, 2, 0], [1, 5, 4], [0, 0, 10]]), CLASSES)


@pytest.fixture
def curves():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    logits = random.normal(size=(200, 3)).astype(np.float32)
    logits[np.arange(200), labels] += 1
    return RocCurves.from_predictions(Predictions(logits, labels, np.arange(200), CLASSES, "x", "d", "test"))


def sentences(text):
    return len(re.findall(r"[.!?](?= |$)", text))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(hits, n, low, high):
    """81 of 263 is Newcombe's example (Statistics in Medicine 17, 1998, table I)."""
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


def test_without_images_the_interval_is_unknown():
    empty = ConfusionMatrix(np.zeros((3, 3), dtype=np.int64), CLASSES)
    assert explanations.interval(empty) == "–"


@pytest.mark.parametrize("view", MATRIX_VIEWS)
def test_the_matrix_is_explained_by_its_largest_error(view):
    text = explanations.confusion(MATRIX, view)
    assert r"4 images of dog were taken for T\-shirt\*" in text
    assert sentences(text) <= 4
    if view == "By row":
        assert "40.0% of all dog" in text
    if view == "By column":
        assert "28.6% of all that was called" in text


def test_a_matrix_without_errors_says_so():
    perfect = ConfusionMatrix(np.diag([3, 3, 3]), CLASSES)
    assert "no image is classified wrongly" in explanations.confusion(perfect, "Counts")


def test_elements_hold_the_numbers_of_the_class():
    terms = [term for term, _ in explanations.elements(MATRIX.element(1))]
    assert terms[:4] == [
        "5 true positives (TP)",
        "5 false negatives (FN)",
        "2 false positives (FP)",
        "18 true negatives (TN)",
    ]
    assert terms[4:] == ["Precision 71.4%", "Recall 50.0%", "Specificity 90.0%", "F1 58.8%"]


def test_elements_of_an_absent_class_are_undefined():
    absent = ConfusionMatrix(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]), CLASSES)
    text = dict(explanations.elements(absent.element(2)))
    assert "undefined" in text["Recall –"]


def test_the_curve_is_explained_with_a_point_on_it(curves):
    text = explanations.roc(curves, 1)
    found = re.search(r"([\d.]+)% are found with ([\d.]+)% false alarms", text)
    assert found
    tpr, fpr = (float(value) / 100 for value in found.groups())
    curve = curves.per_class[1]
    at = np.flatnonzero(np.isclose(curve.fpr, fpr, atol=6e-4) & np.isclose(curve.tpr, tpr, atol=6e-4))
    assert len(at) >= 1
    assert sentences(text) <= 4


def test_an_undefined_curve_says_why():
    labels = np.zeros(4, dtype=np.int64)
    predictions = Predictions(np.eye(4, 3, dtype=np.float32), labels, np.arange(4), CLASSES, "x", "d", "test")
    curves = RocCurves.from_predictions(predictions)
    assert "There is no curve for dog" in explanations.roc(curves, 1)
    assert explanations.auc(curves, 1) == []


def test_the_area_is_explained_as_the_share_of_pairs(curves):
    (of_class, averages) = explanations.auc(curves, 0)
    assert f"{round(curves.per_class[0].auc * 10_000):,} of 10,000" in of_class
    assert f"({curves.macro.auc:.4f})" in averages
    assert f"({curves.micro.auc:.4f})" in averages


@pytest.mark.parametrize("method", explanations.METHODS)
def test_a_map_is_explained_by_its_strongest_pixel(method):
    values = np.zeros((28, 28))
    values[4, 9] = -2
    text = explanations.attribution(method, "T-shirt*", values)
    assert "row 4, column 9" in text
    assert r"T\-shirt\*" in text
    assert sentences(text) <= 4
    assert "zero everywhere" in explanations.attribution(method, "dog", np.zeros((28, 28)))


def test_the_methods_are_those_of_the_analysis():
    from explorer.analysis.attribution import METHODS

    assert {name: method.title for name, method in METHODS.items()} == explanations.METHODS
    assert set(explanations.UNITS) == set(METHODS)
