import re

import numpy as np
import pytest

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.intervals import wilson
from explorer.ui.charts import MATRIX_VIEWS
from explorer.ui.kit import explanations

CLASSES = ("cat", "dog", "T-shirt*")
MATRIX = ConfusionMatrix(np.array([[8, 2, 0], [1, 5, 4], [0, 0, 10]]), CLASSES)


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


@pytest.mark.parametrize("view", MATRIX_VIEWS)
def test_shaded_errors_are_explained(view):
    text = explanations.confusion(MATRIX, view, errors_only=True)
    assert "diagonal is left grey" in text
    assert sentences(text) <= 4


def test_names_of_another_data_set_are_not_set_against_those_of_the_model():
    text = explanations.confusion(MATRIX, "Counts", True, ("0", "1", "2"))
    assert "another data set" in text
    assert "dog" not in text
    assert sentences(text) <= 4


def test_rates_hold_the_numbers_of_the_class():
    found = explanations.rates(MATRIX.element(1))
    assert [term for term, _ in found] == ["Precision 71.4%", "Recall 50.0%", "Specificity 90.0%", "F1 58.8%"]
    assert "5 of 7 images called dog are dog" in found[0][1]
    assert "5 of 10 images of dog are found" in found[1][1]
    assert "18 of 20 images of other classes" in found[2][1]


def test_rates_of_an_absent_class_are_undefined():
    absent = ConfusionMatrix(np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]]), CLASSES)
    text = dict(explanations.rates(absent.element(2)))
    assert "undefined" in text["Recall –"]


@pytest.mark.parametrize("method", explanations.METHODS)
def test_a_map_is_explained_by_its_strongest_pixel(method):
    values = np.zeros((28, 28))
    values[4, 9] = -2
    text = explanations.attribution(method, "T-shirt*", values)
    assert "row 4, column 9" in text
    assert r"T\-shirt\*" in text
    assert sentences(text) <= 4
    assert "zero everywhere" in explanations.attribution(method, "dog", np.zeros((28, 28)))
    assert "same value everywhere, 0.25" in explanations.attribution(method, "dog", np.full((28, 28), 0.25))
    erased = explanations.attribution("grad-cam", "dog", np.zeros((28, 28)))
    assert "no pixel has an influence" not in erased
    assert "speak against the score of dog" in erased


def test_the_methods_are_those_of_the_analysis():
    from explorer.analysis.attribution import METHODS

    assert {name: method.title for name, method in METHODS.items()} == explanations.METHODS
    assert set(explanations.UNITS) == set(METHODS)
