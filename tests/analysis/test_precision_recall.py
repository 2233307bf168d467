import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurves, binary_precision_recall
from explorer.analysis.evaluation.predictions import Predictions

scores = arrays.arrays(np.float64, st.integers(1, 60), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]))
distinct = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1, width=32), unique=True)


@settings(deadline=None)
@given(scores | distinct, st.data())
def test_a_curve_equals_scikit_learn(score, data):
    positive = data.draw(arrays.arrays(np.bool_, len(score)))
    curve = binary_precision_recall("x", positive, score)
    if not positive.any():
        assert not curve.defined
        assert math.isnan(curve.average_precision)
        assert curve.outline() is curve
        return
    precision, recall, thresholds = metrics.precision_recall_curve(positive, score, drop_intermediate=True)
    np.testing.assert_allclose(curve.precision[::-1], precision, atol=1e-12)
    np.testing.assert_allclose(curve.recall[::-1], recall, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds[:0:-1], thresholds)
    assert curve.thresholds[0] == np.inf
    assert curve.average_precision == pytest.approx(metrics.average_precision_score(positive, score), abs=1e-12)


@st.composite
def multiclass(draw):
    classes = draw(st.integers(3, 5))
    n = draw(st.integers(1, 40))
    values = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0]) | st.floats(-20, 20, width=32)
    logits = draw(arrays.arrays(np.float32, (n, classes), elements=values))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    names = tuple(f"c{k}" for k in range(classes))
    return Predictions(logits, labels, np.arange(n), names, "", "", "")


@settings(deadline=None)
@given(multiclass())
def test_all_average_precisions_equal_scikit_learn(p):
    curves = PrecisionRecallCurves.from_predictions(p)
    truth = label_binarize(p.labels, classes=range(len(p.classes)))
    areas = []
    for k, curve in enumerate(curves.per_class):
        if truth[:, k].any():
            areas.append(metrics.average_precision_score(truth[:, k], p.probabilities[:, k]))
            assert curve.average_precision == pytest.approx(areas[-1], abs=1e-12)
        else:
            assert math.isnan(curve.average_precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        micro = metrics.average_precision_score(truth, p.probabilities, average="micro")
    assert curves.micro.average_precision == pytest.approx(micro, abs=1e-12)
    macro = curves.macro
    assert macro.average_precision == pytest.approx(np.mean(areas), abs=1e-12)
    assert np.diff(macro.recall) @ macro.precision[1:] == pytest.approx(np.mean(areas), abs=1e-12)
    assert (macro.recall[0], macro.precision[0], macro.recall[-1]) == (0, 1, 1)


def test_ten_classes_equal_scikit_learn_in_one_call(random_predictions):
    p = random_predictions
    document = PrecisionRecallCurves.from_predictions(p).average_precision_document()
    truth = np.eye(10)[p.labels]
    for average in ("macro", "micro"):
        expected = metrics.average_precision_score(truth, p.probabilities, average=average)
        assert document[average] == pytest.approx(expected, abs=1e-12)
    expected = metrics.average_precision_score(truth, p.probabilities, average=None)
    np.testing.assert_allclose(document["per_class"], expected, atol=1e-12)


def test_the_macro_curve_is_the_mean_precision_at_each_recall(random_predictions):
    curves = PrecisionRecallCurves.from_predictions(random_predictions)
    for recall, precision in zip(curves.macro.recall[1:], curves.macro.precision[1:], strict=True):
        reached = [one.precision[one.recall >= recall][0] for one in curves.per_class]
        assert precision == pytest.approx(np.mean(reached), abs=1e-12)


def test_no_negatives_are_no_difficulty(make_predictions):
    document = PrecisionRecallCurves.from_predictions(make_predictions([[3.0, 1.0, 0.0]], [0]))
    assert document.average_precision_document() == {"macro": 1.0, "micro": 1.0, "per_class": [1.0, None, None]}


def test_no_images_define_nothing(make_predictions):
    curves = PrecisionRecallCurves.from_predictions(make_predictions(np.empty((0, 2)), []))
    assert curves.average_precision_document() == {"macro": None, "micro": None, "per_class": [None, None]}
    assert curves.macro.outline() is curves.macro


def test_constant_scores_have_the_share_of_positives():
    curve = binary_precision_recall("x", np.array([True, False, False, False]), np.zeros(4))
    assert curve.recall.tolist() == [0, 1]
    assert curve.precision.tolist() == [1, 0.25]
    assert curve.average_precision == 0.25


def test_the_outline_of_a_small_curve_shows_its_steps():
    curve = binary_precision_recall("x", np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))
    line = curve.outline()
    assert line.recall.tolist() == [0, 0, 0.5, 0.5, 0.5, 0.5, 1]
    assert line.precision.tolist() == pytest.approx([1, 1, 1, 0.5, 0.5, 2 / 3, 2 / 3])
    assert line.thresholds.tolist() == [np.inf, 0.9, 0.9, 0.8, 0.8, 0.7, 0.7]


def farthest_in_pixels(curve, line):
    """Greatest distance of a point of the curve's steps from the drawn line, on a plot of 800 by 400."""
    whole = curve.outline(10**9)
    points = whole.recall * 800 + 400j * whole.precision
    drawn = line.recall * 800 + 400j * line.precision
    step = np.diff(drawn)
    worst = 0.0
    for point in points[:: max(1, len(points) // 3000)]:
        offset = point - drawn[:-1]
        along = ((offset * step.conj()).real / np.maximum(np.abs(step) ** 2, 1e-30)).clip(0, 1)
        worst = max(worst, float(np.abs(offset - along * step).min()))
    return worst


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("quality", [0.5, 1.5, 3.0, 5.0])
def test_thinning_stays_within_a_pixel(quality, share):
    random = np.random.default_rng(5)
    positive = random.random(10_000) < share
    curve = binary_precision_recall("x", positive, random.normal(quality * positive, 1.0))
    line = curve.outline()
    assert len(curve.recall) > 400 >= len(line.recall)
    assert (line.recall[0], line.precision[0], line.recall[-1]) == (0, 1, 1)
    assert line.average_precision == curve.average_precision
    assert farthest_in_pixels(curve, line) < 1


def test_even_chance_stays_within_two_pixels():
    random = np.random.default_rng(5)
    curve = binary_precision_recall("x", random.random(10_000) < 0.1, random.random(10_000))
    assert farthest_in_pixels(curve, curve.outline()) < 2


def test_all_points_go_into_the_corner_that_is_shown():
    random = np.random.default_rng(5)
    positive = random.random(20_000) < 0.5
    curve = binary_precision_recall("x", positive, random.normal(3 * positive, 1.0))
    line = curve.outline(400, corner=0.1)
    assert len(line.recall) <= 400
    assert line.recall[0] <= 0.9 <= line.recall[2]
    shown = curve.recall >= 0.9
    drawn = np.interp(curve.recall[shown], line.recall, line.precision)
    whole = curve.outline(400)
    coarse = np.interp(curve.recall[shown], whole.recall, whole.precision)
    assert np.abs(drawn - curve.precision[shown]).mean() < np.abs(coarse - curve.precision[shown]).mean()
    assert line.average_precision == curve.average_precision
