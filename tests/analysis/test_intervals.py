import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest, norm
from sklearn import metrics

from explorer.analysis.evaluation import intervals as evaluation_intervals
from explorer.analysis.evaluation.intervals import (
    AucIntervals,
    bootstrap_averages,
    delong,
    draw,
    exact,
    first_order,
    wilson,
)
from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.ranking import Rankings

scores = arrays.arrays(np.float64, st.integers(2, 50), elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]))
distinct = arrays.arrays(np.float64, st.integers(2, 50), elements=st.floats(0, 1, width=32), unique=True)


@settings(deadline=None)
@given(st.integers(1, 20_000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_a_share_has_scipys_wilson_interval(n, share, confidence):
    hits = round(share * n)
    expected = binomtest(hits, n).proportion_ci(confidence, method="wilson")
    assert wilson(hits, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_observations_leave_a_share_open():
    interval = wilson(0, 0)
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.document() == [None, None]


def _delong_by_the_paper(positive, score):
    """Equations (2) to (5) of DeLong et al. for one curve, by all pairs."""
    x, y = score[positive], score[~positive]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    theta = psi.mean()
    v10, v01 = psi.mean(axis=1), psi.mean(axis=0)
    s10 = ((v10 - theta) ** 2).sum() / (len(x) - 1)
    s01 = ((v01 - theta) ** 2).sum() / (len(y) - 1)
    return theta, s10 / len(x) + s01 / len(y)


@settings(deadline=None)
@given(scores | distinct, st.data())
def test_delong_equals_the_paper(score, data):
    positive = data.draw(arrays.arrays(np.bool_, len(score)))
    result = delong(positive, score)
    if min(positive.sum(), (~positive).sum()) < 2:
        assert math.isnan(result.variance)
        assert np.isnan(result.interval).all()
        assert math.isnan(result.auc) == (positive.all() or not positive.any())
        return
    auc, variance = _delong_by_the_paper(positive, score)
    assert result.auc == pytest.approx(auc, abs=1e-12)
    assert result.variance == pytest.approx(variance, abs=1e-12)
    half = norm.ppf(0.975) * math.sqrt(variance)
    assert result.interval == pytest.approx((max(0, auc - half), min(1, auc + half)), abs=1e-7)


def test_delong_by_hand():
    """Three positives that outrank 2, 2 and 1 of two negatives: V10 = 1, 1, 0.5 and V01 = 1, 2/3."""
    result = delong(np.array([True, True, True, False, False]), np.array([5.0, 4.0, 2.0, 3.0, 1.0]))
    assert result.auc == pytest.approx(5 / 6)
    assert result.variance == pytest.approx((1 / 12) / 3 + (1 / 18) / 2)


def test_perfect_separation_has_no_variance():
    result = delong(np.array([True, True, False, False]), np.array([4.0, 3.0, 2.0, 1.0]))
    assert (result.auc, result.variance, result.interval) == (1.0, 0.0, (1.0, 1.0))


def _ten_classes(n, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, n)
    logits = random.normal(0, 1.5, (n, 10)).round(1)
    logits[np.arange(n), labels] += 2
    names = tuple("abcdefghij")
    return Predictions(logits.astype(np.float32), labels, np.arange(n), names, "", "", "test")


def _areas_of(predictions, rows):
    truth = np.eye(10)[predictions.labels[rows]]
    probabilities = predictions.probabilities[rows]
    return [metrics.roc_auc_score(truth, probabilities, average=average) for average in ("macro", "micro")]


def _by_class(predictions):
    order = np.argsort(predictions.labels, kind="stable")
    parts = (predictions.logits[order], predictions.labels[order], predictions.indices[order])
    return Predictions(*parts, predictions.classes, "", "", "test")


def test_areas_of_drawn_images_equal_scikit_learn():
    p = _by_class(_ten_classes(200))
    counts = draw(np.bincount(p.labels), 5, np.random.default_rng(3))
    ours = exact(p.probabilities, p.labels)(counts)
    for row, weights in zip(ours, counts, strict=True):
        drawn = np.repeat(np.arange(p.n), weights.astype(int))
        assert row == pytest.approx(_areas_of(p, drawn), abs=1e-12)


def test_the_first_order_is_close_and_right_without_resampling():
    p = _by_class(_ten_classes(3000))
    areas, slopes = first_order(p, Rankings.from_predictions(p))
    assert areas == pytest.approx(_areas_of(p, np.arange(p.n)), abs=1e-12)
    np.testing.assert_allclose(slopes.sum(axis=0), 0, atol=1e-12)
    counts = draw(np.bincount(p.labels), 200, np.random.default_rng(3))
    estimates = areas + counts @ slopes
    truths = [_areas_of(p, np.repeat(np.arange(p.n), one.astype(int))) for one in counts[:25]]
    errors = (estimates[:25] - truths).std(axis=0)
    assert (errors < 0.1 * estimates.std(axis=0)).all()
    assert (errors > 0).all()


def test_each_class_is_drawn_as_often_as_it_occurs():
    sizes = np.array([3, 0, 50, 1])
    counts = draw(sizes, 400, np.random.default_rng(0))
    assert counts.shape == (400, 54)
    assert (counts[:, :3].sum(axis=1) == 3).all()
    assert (counts[:, 3:53].sum(axis=1) == 50).all()
    assert (counts[:, 53] == 1).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.25)
    assert counts[:, 3:53].var() == pytest.approx(1 - 1 / 50, abs=0.05)


@pytest.mark.parametrize("n", [250, 2000])
def test_the_interval_is_that_of_a_plain_bootstrap(n):
    p = _ten_classes(n)
    random = np.random.default_rng(7)
    rows = [np.flatnonzero(p.labels == k) for k in range(10)]
    draws = [np.concatenate([random.choice(one, len(one)) for one in rows]) for _ in range(250)]
    plain = np.quantile([_areas_of(p, drawn) for drawn in draws], [0.025, 0.975], axis=0)
    ours = AucIntervals.from_predictions(p, resamples=2000)
    width = plain[1] - plain[0]
    assert (np.abs(np.array([ours.macro, ours.micro]).T - plain) < 0.2 * width).all()
    assert ours.resamples == 2000


def test_classes_have_delongs_interval(random_predictions):
    p = random_predictions
    intervals = AucIntervals.from_predictions(p, resamples=10)
    for k in range(10):
        auc, variance = _delong_by_the_paper(p.labels == k, p.probabilities[:, k])
        half = norm.ppf(0.975) * math.sqrt(variance)
        assert intervals.per_class[k] == pytest.approx((auc - half, min(1, auc + half)), abs=1e-9)


def test_the_seed_decides(random_predictions):
    def ends(**options):
        return AucIntervals.from_predictions(random_predictions, resamples=50, **options).micro

    assert ends(seed=1) == ends(seed=1)
    assert ends(seed=1) != ends(seed=2)
    low, high = ends(confidence=0.5)
    assert ends().low < low < high < ends().high


def test_parts_of_the_work_do_not_change_the_result(random_predictions, monkeypatch):
    p = random_predictions
    rankings = Rankings.from_predictions(p)
    monkeypatch.setattr(evaluation_intervals, "EXACT", 0)
    whole = bootstrap_averages(p, rankings, 20, 5)
    monkeypatch.setattr(evaluation_intervals, "_AT_ONCE", 900)
    np.testing.assert_allclose(bootstrap_averages(p, rankings, 20, 5), whole, atol=1e-12)


@pytest.mark.parametrize("exact_up_to", [0, 10**9])
@pytest.mark.parametrize(
    ("labels", "macro", "micro"),
    [
        ([], False, False),
        ([0], False, False),
        ([0, 1, 2], False, False),
        ([0, 0, 0, 0], False, True),
        ([0, 1, 0, 1, 1], True, True),
    ],
)
def test_what_is_undefined_stays_so(make_predictions, monkeypatch, labels, macro, micro, exact_up_to):
    monkeypatch.setattr(evaluation_intervals, "EXACT", exact_up_to)
    logits = np.random.default_rng(0).normal(size=(len(labels), 3))
    document = AucIntervals.from_predictions(make_predictions(logits, labels), resamples=20).document()
    assert (document["macro"] != [None, None]) == macro
    assert (document["micro"] != [None, None]) == micro
    assert document["per_class"][2] == [None, None]
    assert document["resamples"] == 20
