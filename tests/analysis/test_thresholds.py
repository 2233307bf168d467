import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves
from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.roc import RocCurves
from explorer.analysis.evaluation.thresholds import crossing, elements_at


@st.composite
def cases(draw):
    n = draw(st.integers(0, 25))
    logits = draw(arrays.arrays(np.float32, (n, 3), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 2)))
    return Predictions(logits, labels, np.arange(n), ("a", "b", "c"), "", "", "")


@settings(deadline=None)
@given(cases(), st.integers(0, 2), st.floats(0, 1))
def test_the_table_counts_every_image_once(p, index, threshold):
    element = elements_at(p, index, threshold)
    called = [score >= threshold for score in p.probabilities[:, index].tolist()]
    truth = [label == index for label in p.labels.tolist()]
    pairs = list(zip(called, truth, strict=True))
    assert element.name == "abc"[index]
    assert (
        element.true_positives,
        element.false_negatives,
        element.false_positives,
        element.true_negatives,
    ) == tuple(pairs.count(pair) for pair in [(True, True), (False, True), (True, False), (False, False)])


@settings(deadline=None)
@given(cases(), st.integers(0, 2), st.floats(0, 1.1), st.floats(0, 1.1))
def test_those_that_cross_are_the_difference_of_both_tables(p, index, first, second):
    rows = crossing(p, index, first, second)
    np.testing.assert_array_equal(rows, crossing(p, index, second, first))
    scores = p.probabilities[:, index]
    changed = np.flatnonzero((scores >= first) != (scores >= second))
    np.testing.assert_array_equal(np.sort(rows), changed)
    assert (np.diff(scores[rows]) <= 0).all()
    few, many = elements_at(p, index, max(first, second)), elements_at(p, index, min(first, second))
    gained = many.true_positives - few.true_positives + many.false_positives - few.false_positives
    assert len(rows) == gained


def test_every_point_of_both_curves_is_a_table(random_predictions):
    p = random_predictions
    roc = RocCurves.from_predictions(p).per_class[4]
    for fpr, tpr, threshold in zip(roc.fpr, roc.tpr, roc.thresholds, strict=True):
        element = elements_at(p, 4, threshold)
        assert (element.false_positive_rate, element.recall) == (fpr, tpr)
    curve = PrecisionRecallCurves.from_predictions(p).per_class[4]
    for recall, precision, threshold in list(zip(curve.recall, curve.precision, curve.thresholds, strict=True))[1:]:
        element = elements_at(p, 4, threshold)
        assert (element.recall, element.precision) == (recall, precision)


def test_above_one_nothing_is_positive(random_predictions):
    element = elements_at(random_predictions, 0, float("inf"))
    assert element.true_positives == element.false_positives == 0
    assert np.isnan(element.precision)


def test_equal_scores_keep_the_order_of_the_split(make_predictions):
    p = make_predictions([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [0, 0, 1])
    assert crossing(p, 0, 0.2, 1.0).tolist() == [1, 0, 2]


@pytest.mark.parametrize("index", [-1, 10])
def test_there_are_no_other_classes(random_predictions, index):
    with pytest.raises(IndexError, match="of 10"):
        elements_at(random_predictions, index, 0.5)
    with pytest.raises(IndexError, match="of 10"):
        crossing(random_predictions, index, 0.5, 0.6)
