import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from explorer.analysis.confusion import ConfusionMatrix
from explorer.analysis.predictions import Predictions


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


@pytest.mark.parametrize("index", [-1, 3])
def test_there_are_no_other_classes(index):
    with pytest.raises(IndexError):
        _matrix([0], [0], 3).element(index)
