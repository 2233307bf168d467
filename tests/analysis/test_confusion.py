import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from explorer.analysis.evaluation.confusion import ConfusedPair, ConfusionMatrix
from explorer.analysis.evaluation.predictions import Predictions


def _matrix(labels, predicted, classes):
    logits = np.eye(classes, dtype=np.float32)[predicted]
    rows = np.arange(len(labels))
    return ConfusionMatrix.from_predictions(
        Predictions(logits, np.array(labels), rows, tuple("abcdef"[:classes]), "", "", "")
    )


pairs = st.integers(2, 6).flatmap(
    lambda c: st.tuples(
        st.just(c),
        st.lists(st.tuples(st.integers(0, c - 1), st.integers(0, c - 1)), min_size=1, max_size=40),
    )
)


@settings(deadline=None)
@given(pairs)
def test_matrix_and_rates_equal_scikit_learn(drawn):
    classes, both = drawn
    labels, predicted = np.array(both).T
    matrix = _matrix(labels, predicted, classes)
    names = range(classes)
    np.testing.assert_array_equal(matrix.counts, metrics.confusion_matrix(labels, predicted, labels=names))
    assert matrix.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted), abs=1e-12)
    assert matrix.misclassification_rate == pytest.approx(metrics.zero_one_loss(labels, predicted), abs=1e-12)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=names, zero_division=np.nan
    )
    per_class = metrics.multilabel_confusion_matrix(labels, predicted, labels=names)
    for k in names:
        element = matrix.element(k)
        (tn, fp), (fn, tp) = per_class[k]
        assert (tp, fn, fp, tn) == (
            element.true_positives,
            element.false_negatives,
            element.false_positives,
            element.true_negatives,
        )
        np.testing.assert_allclose(
            [element.precision, element.recall, element.f1], [precision[k], recall[k], f1[k]], atol=1e-12
        )
        np.testing.assert_allclose(element.specificity, tn / (tn + fp) if tn + fp else np.nan, atol=1e-12)
        np.testing.assert_allclose(element.false_positive_rate, fp / (tn + fp) if tn + fp else np.nan, atol=1e-12)
    for ours, theirs in ((matrix.precision, precision), (matrix.recall, recall), (matrix.f1, f1)):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    macro = metrics.precision_recall_fscore_support(
        labels, predicted, labels=names, average="macro", zero_division=np.nan
    )
    np.testing.assert_allclose([matrix.macro_precision, matrix.macro_recall, matrix.macro_f1], macro[:3], atol=1e-12)


@settings(deadline=None)
@given(pairs)
def test_normalised_matrices_equal_scikit_learn(drawn):
    classes, both = drawn
    labels, predicted = np.array(both).T
    matrix = _matrix(labels, predicted, classes)
    for ours, way, axis in ((matrix.by_row, "true", 1), (matrix.by_column, "pred", 0)):
        theirs = metrics.confusion_matrix(labels, predicted, labels=range(classes), normalize=way)
        empty = np.broadcast_to(matrix.counts.sum(axis=axis, keepdims=True) == 0, theirs.shape)
        np.testing.assert_allclose(ours[~empty], theirs[~empty], atol=1e-12)
        assert np.isnan(ours[empty]).all()


def test_an_absent_class_has_undefined_rates():
    element = _matrix([0, 1], [0, 1], 3).element(2)
    assert np.isnan([element.precision, element.recall, element.f1]).all()
    assert element.specificity == 1.0


def test_no_images_leave_everything_undefined():
    matrix = _matrix(np.array([], dtype=int), np.array([], dtype=int), 3)
    assert matrix.n == 0
    assert np.isnan(matrix.accuracy)
    assert np.isnan(matrix.by_row).all()
    assert np.isnan([matrix.macro_precision, matrix.macro_recall, matrix.macro_f1]).all()
    assert matrix.confused_pairs() == []


def test_errors_stand_off_the_diagonal():
    matrix = _matrix([0, 0, 1, 2, 2], [0, 1, 1, 0, 0], 3)
    assert matrix.off_diagonal.tolist() == [[0, 1, 0], [0, 0, 0], [2, 0, 0]]
    assert matrix.counts.trace() == 2


@settings(deadline=None)
@given(pairs, st.none() | st.integers(1, 4))
def test_pairs_are_counted_in_both_directions(drawn, limit):
    classes, both = drawn
    labels, predicted = np.array(both).T
    found = _matrix(labels, predicted, classes).confused_pairs(limit)
    expected = []
    for first in range(classes):
        for second in range(first + 1, classes):
            there, back = both.count((first, second)), both.count((second, first))
            if there + back:
                expected.append(ConfusedPair(first, second, there, back))
    expected.sort(key=lambda pair: -pair.total)
    assert found == expected[:limit]


def test_another_order_moves_rows_columns_and_names():
    matrix = _matrix([0, 0, 1, 2, 2], [0, 1, 1, 0, 0], 3)
    moved = matrix.reordered([2, 0, 1])
    assert moved.classes == ("c", "a", "b")
    assert moved.counts.tolist() == [[0, 2, 0], [0, 1, 1], [0, 0, 1]]
    assert moved.element(1) == matrix.element(0)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [0, 1, 3]])
def test_an_order_has_every_class_once(order):
    with pytest.raises(ValueError, match="no order of 3 classes"):
        _matrix([0], [0], 3).reordered(order)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_are_no_other_classes(index):
    with pytest.raises(IndexError):
        _matrix([0], [0], 3).element(index)
