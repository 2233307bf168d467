import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics

from explorer.analysis.evaluation.comparison import OUTCOMES, Comparison, mcnemar
from explorer.analysis.evaluation.predictions import Predictions
from explorer.errors import CheckpointError, DataError


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test_of_the_images_that_decide(only_a, only_b):
    expected = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand():
    """Nine to one: 2 (1 + 10) / 2^10."""
    assert mcnemar(9, 1) == mcnemar(1, 9) == pytest.approx(22 / 1024)


def _said(predicted, labels):
    logits = np.eye(3, dtype=np.float32)[predicted]
    rows = np.arange(len(labels))
    return Predictions(logits, np.array(labels, dtype=np.int64), rows, ("a", "b", "c"), "", "mnist", "test")


rows = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40)


@settings(deadline=None)
@given(rows)
def test_counts_and_matrices_equal_independent_ones(drawn):
    labels, first, second = np.array(drawn).T
    comparison = Comparison.from_predictions(_said(first, labels), _said(second, labels))
    right = list(zip(first == labels, second == labels, strict=True))
    wanted = {"both_right": (1, 1), "only_a": (1, 0), "only_b": (0, 1), "both_wrong": (0, 0)}
    for outcome, pair in wanted.items():
        expected = [row for row, both in enumerate(right) if both == pair]
        assert comparison.rows(outcome).tolist() == expected
        assert getattr(comparison, outcome) == len(expected)
    assert comparison.accuracy_a == pytest.approx(metrics.accuracy_score(labels, first), abs=1e-12)
    assert comparison.accuracy_b == pytest.approx(metrics.accuracy_score(labels, second), abs=1e-12)
    difference = comparison.accuracy_b - comparison.accuracy_a
    assert comparison.accuracy_difference == pytest.approx(difference, abs=1e-12)
    matrices = [metrics.confusion_matrix(labels, one, labels=range(3)) for one in (first, second)]
    np.testing.assert_array_equal(comparison.matrix_difference, matrices[1] - matrices[0])
    assert comparison.mcnemar_p == mcnemar(comparison.only_a, comparison.only_b)


@settings(deadline=None)
@given(rows)
def test_exchanging_both_exchanges_the_result(drawn):
    labels, first, second = np.array(drawn).T
    one = Comparison.from_predictions(_said(first, labels), _said(second, labels))
    other = Comparison.from_predictions(_said(second, labels), _said(first, labels))
    assert (one.only_a, one.only_b) == (other.only_b, other.only_a)
    assert one.mcnemar_p == other.mcnemar_p
    assert {one.verdict().better, other.verdict().better} in ({None}, {"a", "b"})


def _pair(only_a, only_b, both=20):
    labels = [0] * (only_a + only_b + both)
    first = [0] * only_a + [1] * only_b + [0] * both
    second = [1] * only_a + [0] * only_b + [0] * both
    return Comparison.from_predictions(_said(first, labels), _said(second, labels))


def test_what_chance_explains_is_not_called_a_difference():
    comparison = _pair(5, 8, 9_987)
    verdict = comparison.verdict()
    assert not comparison.distinguishable
    assert verdict.better is None
    assert verdict.finding == "not distinguishable on these 10,000 images"
    assert verdict.counts == "A alone is right on 5 and B alone on 8 of 10,000 images"
    assert "58.1%" in verdict.test
    assert "p = 0.58" in verdict.test


@pytest.mark.parametrize(("only_a", "only_b", "better"), [(30, 5, "a"), (5, 30, "b")])
def test_what_chance_does_not_explain_is(only_a, only_b, better):
    comparison = _pair(only_a, only_b)
    assert comparison.distinguishable
    assert comparison.verdict().better == better
    assert comparison.verdict().finding == f"{better.upper()} is better on these 55 images by more than chance explains"
    assert "p < 0.001" in comparison.verdict().test


def test_the_limit_is_five_percent():
    assert mcnemar(6, 0) < 0.05 < mcnemar(5, 0)
    assert _pair(6, 0).distinguishable
    assert "p = 0.031" in _pair(6, 0).verdict().test
    assert not _pair(5, 0).distinguishable


def test_the_same_predictions_differ_nowhere(random_predictions):
    comparison = Comparison.from_predictions(random_predictions, random_predictions)
    assert (comparison.only_a, comparison.only_b, comparison.mcnemar_p) == (0, 0, 1.0)
    assert not comparison.matrix_difference.any()


def test_one_image_and_none():
    one = Comparison.from_predictions(_said([0], [0]), _said([1], [0]))
    assert one.mcnemar_p == 1.0
    assert one.verdict().finding == "not distinguishable on this image"
    empty = np.empty(0, dtype=np.int64)
    none = Comparison.from_predictions(_said(empty, empty), _said(empty, empty))
    assert math.isnan(none.mcnemar_p)
    assert not none.distinguishable
    assert none.verdict().better is None
    document = none.document("x", "y")
    assert document["accuracy"] == {"a": None, "b": None, "difference": None}
    assert document["mcnemar_p"] is None
    json.dumps(document, allow_nan=False)


def test_the_document_has_the_agreed_keys():
    document = json.loads(json.dumps(_pair(30, 5).document("one", "two"), allow_nan=False))
    assert list(document) == [
        "a",
        "b",
        "dataset",
        "split",
        "n",
        "accuracy",
        *OUTCOMES,
        "mcnemar_p",
        "distinguishable",
        "matrix_difference",
    ]
    assert (document["a"], document["b"], document["dataset"], document["split"]) == ("one", "two", "mnist", "test")
    assert [document[outcome] for outcome in OUTCOMES] == [20, 30, 5, 0]
    assert document["accuracy"] == pytest.approx({"a": 50 / 55, "b": 25 / 55, "difference": -25 / 55})
    assert document["distinguishable"] is True
    assert document["matrix_difference"] == [[-25, 25, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "fashion-mnist"},
        {"split": "test"},
        {"indices": np.arange(300)},
        {"labels": np.zeros(300, dtype=np.int64)},
    ],
)
def test_other_images_are_refused(random_predictions, change):
    with pytest.raises(DataError, match="different images"):
        Comparison.from_predictions(random_predictions, replace(random_predictions, **change))


def test_fewer_images_are_refused(random_predictions):
    p = random_predictions
    fewer = replace(p, logits=p.logits[:9], labels=p.labels[:9], indices=p.indices[:9])
    with pytest.raises(DataError, match=r"300 of mnist .* and 9 of"):
        Comparison.from_predictions(p, fewer)


def test_other_classes_are_refused(random_predictions, make_predictions):
    renamed = replace(random_predictions, classes=tuple("klmnopqrst"))
    with pytest.raises(CheckpointError, match="different names"):
        Comparison.from_predictions(random_predictions, renamed)
    with pytest.raises(CheckpointError, match="one knows 10 classes, the other 3"):
        Comparison.from_predictions(random_predictions, make_predictions(np.zeros((1, 3)), [0]))
