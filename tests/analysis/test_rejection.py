import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.rejection import CoverageCurve


@st.composite
def cases(draw, most=30):
    n = draw(st.integers(1, most))
    logits = draw(arrays.arrays(np.float32, (n, 2), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 1)))
    return Predictions(logits, labels, np.arange(n), ("a", "b"), "", "", "")


@settings(deadline=None)
@given(cases())
def test_each_point_is_the_accuracy_of_what_is_kept(p):
    curve = CoverageCurve.from_predictions(p)
    assert curve.thresholds.tolist() == sorted(set(p.confidence.tolist()), reverse=True)
    for coverage, accuracy, threshold in zip(curve.coverage, curve.accuracy, curve.thresholds, strict=True):
        kept = p.confidence >= threshold
        assert coverage == pytest.approx(kept.mean())
        assert accuracy == pytest.approx(p.correct[kept].mean())
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(p.accuracy)


@settings(deadline=None, max_examples=30)
@given(cases(most=5))
def test_the_area_is_the_mean_over_all_orders_that_confidence_allows(p):
    areas = []
    for order in itertools.permutations(range(p.n)):
        confidence = p.confidence[list(order)]
        if (np.diff(confidence) <= 0).all():
            wrong = ~p.correct[list(order)]
            areas.append(np.mean([wrong[:k].mean() for k in range(1, p.n + 1)]))
    assert CoverageCurve.from_predictions(p).aurc == pytest.approx(np.mean(areas), abs=1e-12)


def test_a_share_of_images_is_reached_by_whole_steps(make_predictions):
    p = make_predictions([[3.0, 0.0], [2.0, 0.0], [2.0, 0.0], [1.0, 0.0]], [0, 0, 1, 1])
    curve = CoverageCurve.from_predictions(p)
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert [curve.accuracy_at(share) for share in (0.0, 0.25, 0.3, 0.75, 0.8, 1.0)] == pytest.approx(
        [1, 1, 2 / 3, 2 / 3, 0.5, 0.5]
    )


def test_without_images_nothing_is_defined(make_predictions):
    curve = CoverageCurve.from_predictions(make_predictions(np.empty((0, 2)), []))
    assert len(curve.coverage) == len(curve.thin().coverage) == 0
    assert math.isnan(curve.aurc)
    assert math.isnan(curve.accuracy_at(0.5))


@pytest.mark.parametrize("quality", [0.5, 2.0, 6.0])
def test_thinning_stays_within_a_pixel(make_predictions, quality):
    random = np.random.default_rng(3)
    labels = random.integers(0, 10, 10_000)
    logits = random.normal(size=(10_000, 10))
    logits[np.arange(10_000), labels] += quality
    curve = CoverageCurve.from_predictions(make_predictions(logits, labels))
    thin = curve.thin()
    assert len(curve.coverage) > 400 >= len(thin.coverage)
    points, drawn = (one.coverage * 800 + 400j * one.accuracy for one in (curve, thin))
    step = np.diff(drawn)
    for point in points[::7]:
        offset = point - drawn[:-1]
        along = ((offset * step.conj()).real / np.maximum(np.abs(step) ** 2, 1e-30)).clip(0, 1)
        assert np.abs(offset - along * step).min() < 1
    assert thin.aurc == curve.aurc
