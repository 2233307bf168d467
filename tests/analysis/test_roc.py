import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.ranking import Rankings
from explorer.analysis.evaluation.roc import RocCurve, RocCurves, binary_curve

# Few distinct values, so that ties within and between the classes are common.
scores = arrays.arrays(np.float64, st.integers(2, 60), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]))
distinct = arrays.arrays(np.float64, st.integers(2, 60), elements=st.floats(0, 1, width=32), unique=True)


@settings(deadline=None)
@given(scores | distinct, st.data())
def test_a_curve_equals_scikit_learn(score, data):
    positive = data.draw(arrays.arrays(np.bool_, len(score)))
    curve = binary_curve("x", positive, score)
    if positive.all() or not positive.any():
        assert not curve.defined
        assert math.isnan(curve.auc)
        return
    fpr, tpr, thresholds = metrics.roc_curve(positive, score)
    np.testing.assert_allclose(curve.fpr, fpr, atol=1e-12)
    np.testing.assert_allclose(curve.tpr, tpr, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert curve.auc == pytest.approx(metrics.roc_auc_score(positive, score), abs=1e-12)


@settings(deadline=None)
@given(scores, st.data())
def test_the_area_is_the_chance_that_a_positive_outranks_a_negative(score, data):
    positive = data.draw(arrays.arrays(np.bool_, len(score)).filter(lambda a: a.any() and not a.all()))
    pairs = score[positive][:, None] - score[~positive][None, :]
    expected = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    assert binary_curve("x", positive, score).auc == pytest.approx(expected, abs=1e-12)


def _predictions(logits, labels):
    names = tuple(f"c{k}" for k in range(logits.shape[1]))
    return Predictions(logits.astype(np.float32), labels, np.arange(len(labels)), names, "", "", "")


@st.composite
def multiclass(draw):
    classes = draw(st.integers(3, 5))
    n = draw(st.integers(1, 40))
    values = st.sampled_from([-3.0, -1.0, 0.0, 0.5, 2.0]) | st.floats(-20, 20, width=32)
    logits = draw(arrays.arrays(np.float64, (n, classes), elements=values))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    return _predictions(logits, labels)


@settings(deadline=None)
@given(multiclass())
def test_all_areas_equal_scikit_learn(p):
    curves = RocCurves.from_predictions(p)
    truth = label_binarize(p.labels, classes=range(len(p.classes)))
    areas = []
    for k, curve in enumerate(curves.per_class):
        if 0 < truth[:, k].sum() < p.n:
            areas.append(metrics.roc_auc_score(truth[:, k], p.probabilities[:, k]))
            assert curve.auc == pytest.approx(areas[-1], abs=1e-12)
        else:
            assert math.isnan(curve.auc)
            assert not curve.defined
    micro = metrics.roc_auc_score(truth.ravel(), p.probabilities.ravel())
    assert curves.micro.auc == pytest.approx(micro, abs=1e-12)
    if areas:
        assert curves.macro.auc == pytest.approx(np.mean(areas), abs=1e-12)
        assert metrics.auc(curves.macro.fpr, curves.macro.tpr) == pytest.approx(np.mean(areas), abs=1e-9)
    else:
        assert math.isnan(curves.macro.auc)


def test_ten_classes_equal_scikit_learn_in_one_call(random_predictions):
    p = random_predictions
    areas = RocCurves.from_predictions(p).auc_document()
    for average in ("macro", "micro"):
        expected = metrics.roc_auc_score(p.labels, p.probabilities, multi_class="ovr", average=average)
        assert areas[average] == pytest.approx(expected, abs=1e-12)
    expected = metrics.roc_auc_score(p.labels, p.probabilities, multi_class="ovr", average=None)
    np.testing.assert_allclose(areas["per_class"], expected, atol=1e-12)


def test_the_macro_curve_averages_the_class_curves(random_predictions):
    curves = RocCurves.from_predictions(random_predictions)
    grid = np.unique(np.concatenate([curve.fpr for curve in curves.per_class]))
    expected = np.mean([np.interp(grid, curve.fpr, curve.tpr) for curve in curves.per_class], axis=0)
    ours = np.array([curves.macro.tpr[curves.macro.fpr == rate].max() for rate in grid])
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    for rates in (curves.macro.fpr, curves.macro.tpr):
        assert rates[0] == 0
        assert rates[-1] == pytest.approx(1)
        assert (np.diff(rates) >= 0).all()


@pytest.mark.parametrize("n", [1, 5])
def test_constant_scores_are_chance(make_predictions, n):
    curves = RocCurves.from_predictions(make_predictions(np.zeros((n, 3)), np.arange(n) % 3))
    assert curves.micro.auc == 0.5
    assert curves.micro.fpr.tolist() == [0, 1]
    assert curves.micro.tpr.tolist() == [0, 1]


def test_one_image_defines_only_the_micro_average(make_predictions):
    document = RocCurves.from_predictions(make_predictions([[3.0, 1.0, 0.0]], [0])).auc_document()
    assert document == {"macro": None, "micro": 1.0, "per_class": [None, None, None]}


def test_no_images_define_nothing(make_predictions):
    document = RocCurves.from_predictions(make_predictions(np.empty((0, 2)), [])).auc_document()
    assert document == {"macro": None, "micro": None, "per_class": [None, None]}


def _farthest(curve, drawn):
    """Greatest distance of a corner of the curve from the drawn polyline."""
    a = np.stack([drawn.fpr, drawn.tpr], axis=1)
    start, step = a[:-1], np.diff(a, axis=0)
    worst = 0.0
    for point in np.stack([curve.fpr, curve.tpr], axis=1):
        along = ((point - start) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-300)
        nearest = start + along.clip(0, 1)[:, None] * step
        worst = max(worst, float(np.hypot(*(point - nearest).T).min()))
    return worst


@pytest.mark.parametrize("points", [50, 400])
@pytest.mark.parametrize("quality", [0.0, 1.0, 3.0])
def test_thinning_stays_within_a_pixel(points, quality):
    random = np.random.default_rng(5)
    positive = random.random(20_000) < 0.3
    curve = binary_curve("x", positive, random.normal(quality * positive, 1.0))
    thin = curve.thin(points)
    assert len(curve.fpr) > 1000
    assert len(thin.fpr) == len(thin.thresholds) == points
    assert _farthest(curve, thin) < 1 / points
    assert thin.auc == curve.auc
    assert (thin.fpr[0], thin.tpr[0], thin.fpr[-1], thin.tpr[-1]) == (0, 0, 1, 1)
    assert thin.thresholds[0] == np.inf
    assert (np.diff(thin.thresholds[1:]) <= 0).all()


def test_all_points_go_into_the_corner_that_is_shown():
    random = np.random.default_rng(5)
    positive = random.random(20_000) < 0.5
    curve = binary_curve("x", positive, random.normal(3 * positive, 1.0))
    thin = curve.thin(400, corner=0.1)
    assert len(thin.fpr) == 400
    shown = (curve.fpr <= 0.1) & (curve.tpr >= 0.9)
    assert shown.sum() > 400
    inside = RocCurve("x", curve.fpr[shown], curve.tpr[shown], curve.thresholds[shown], curve.auc)
    assert _farthest(inside, thin) < 0.1 / 400
    assert _farthest(inside, curve.thin(400)) > 0.1 / 400
    assert thin.tpr[0] == pytest.approx(0.9, abs=1e-3)
    assert thin.fpr[-1] == pytest.approx(0.1, abs=1e-3)


def test_a_curve_that_stays_out_of_the_corner_is_thinned_as_a_whole():
    random = np.random.default_rng(5)
    curve = binary_curve("x", random.random(20_000) < 0.5, random.random(20_000))
    whole, corner = curve.thin(400), curve.thin(400, corner=0.2)
    np.testing.assert_array_equal(corner.fpr, whole.fpr)
    np.testing.assert_array_equal(corner.tpr, whole.tpr)


def test_a_staircase_of_the_worst_kind_stays_within_a_pixel():
    steps = np.arange(2001)
    curve = RocCurve("x", (steps // 2) / 1000, ((steps + 1) // 2) / 1000, -steps.astype(float), 0.5)
    assert _farthest(curve, curve.thin(400)) < 1 / 400


def test_rankings_that_are_there_give_the_same_curves(random_predictions):
    ours = RocCurves.from_rankings(Rankings.from_predictions(random_predictions))
    theirs = RocCurves.from_predictions(random_predictions)
    assert ours.auc_document() == theirs.auc_document()
    np.testing.assert_array_equal(ours.micro.tpr, theirs.micro.tpr)


def test_small_curves_are_not_thinned(random_predictions):
    curve = RocCurves.from_predictions(random_predictions).per_class[0]
    assert curve.thin(400) is curve


def test_a_curve_needs_two_points(random_predictions):
    with pytest.raises(ValueError, match="at least 2"):
        RocCurves.from_predictions(random_predictions).micro.thin(1)


def test_a_curve_goes_on_to_the_edge_of_the_corner():
    positive = np.arange(3000) % 2 == 0
    scores = np.where(positive, 3.0, np.where(np.arange(3000) % 4 == 1, 1.0, 2.0)) + np.arange(3000) % 7 * 1e-3
    curve = binary_curve("x", positive, np.concatenate([scores[:2990], np.linspace(0, 1, 10)]))
    thin = curve.thin(4, corner=0.2)
    assert (thin.fpr[-1], thin.tpr[0]) == (pytest.approx(0.2), pytest.approx(0.8))
