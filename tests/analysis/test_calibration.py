import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.calibration import calibration_curve

from explorer.analysis.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    Reliability,
    TemperatureScaling,
    fit_temperature,
    tempered,
)
from explorer.analysis.evaluation.predictions import Predictions
from explorer.errors import ExplorerError


@st.composite
def cases(draw):
    n = draw(st.integers(1, 40))
    values = st.sampled_from([-1.0, 0.0, 0.5, 2.0]) | st.floats(-10, 10, width=32)
    logits = draw(arrays.arrays(np.float32, (n, 3), elements=values))
    labels = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 2)))
    return Predictions(logits, labels, np.arange(n), ("a", "b", "c"), "", "", "")


def _error_by_the_paper(p, bins):
    """Equations (2) to (5) of Guo et al., image by image."""
    total = 0.0
    for m in range(bins):
        low, high = np.linspace(0, 1, bins + 1)[[m, m + 1]]
        inside = [i for i, confidence in enumerate(p.confidence) if low < confidence <= high]
        if inside:
            accuracy = sum(bool(p.correct[i]) for i in inside) / len(inside)
            confidence = sum(float(p.confidence[i]) for i in inside) / len(inside)
            total += len(inside) / p.n * abs(accuracy - confidence)
    return total


@settings(deadline=None)
@given(cases(), st.sampled_from([1, 4, 15]))
def test_the_diagram_equals_scikit_learn_and_the_error_the_paper(p, bins):
    diagram = Reliability.from_predictions(p, bins)
    filled = diagram.counts > 0
    truth, mean = calibration_curve(p.correct, np.minimum(p.confidence, 1), n_bins=bins)
    np.testing.assert_allclose(diagram.accuracy[filled], truth, atol=1e-12)
    np.testing.assert_allclose(diagram.confidence[filled], mean, atol=1e-12)
    assert np.isnan(diagram.accuracy[~filled]).all()
    assert np.isnan(diagram.confidence[~filled]).all()
    assert diagram.counts.sum() == p.n
    assert len(diagram.edges) == bins + 1
    assert diagram.expected_calibration_error == pytest.approx(_error_by_the_paper(p, bins), abs=1e-12)


def test_fifteen_bins_are_the_rule(random_predictions):
    diagram = Reliability.from_predictions(random_predictions)
    assert len(diagram.counts) == 15
    assert diagram.expected_calibration_error == pytest.approx(_error_by_the_paper(random_predictions, 15), abs=1e-12)


def test_a_confidence_on_an_edge_is_in_the_lower_bin(make_predictions):
    p = make_predictions([[0.0, 0.0]], [0])
    assert Reliability.from_predictions(p, 2).counts.tolist() == [1, 0]


def _log_loss(p, temperature):
    logs = log_softmax(p.logits.astype(np.float64) / temperature, axis=1)
    return -logs[np.arange(p.n), p.labels].mean()


@settings(deadline=None)
@given(cases())
def test_no_other_temperature_has_a_smaller_log_loss(p):
    best = fit_temperature(p)
    assert COLDEST <= best <= HOTTEST
    other = minimize_scalar(lambda t: _log_loss(p, math.exp(t)), bounds=(math.log(COLDEST), math.log(HOTTEST)))
    assert _log_loss(p, best) <= _log_loss(p, math.exp(other.x)) + 1e-9
    for temperature in (COLDEST, 0.5, 1.0, 2.0, HOTTEST):
        assert _log_loss(p, best) <= _log_loss(p, temperature) + 1e-9


def test_the_temperature_is_that_of_a_gradient_descent(random_predictions):
    p = replace(random_predictions, logits=random_predictions.logits * np.float32(3))
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse], max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(inverse * torch.tensor(p.logits).double(), torch.tensor(p.labels))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(p) == pytest.approx(1 / inverse.item(), rel=1e-6)
    assert fit_temperature(p) == pytest.approx(3 * fit_temperature(random_predictions), rel=1e-6)


def test_temperatures_without_an_end(make_predictions):
    right = make_predictions([[2.0, 0.0], [0.0, 1.0]], [0, 1])
    assert fit_temperature(right) == COLDEST
    worse_than_chance = make_predictions([[2.0, 0.0], [0.0, 1.0]], [1, 0])
    assert fit_temperature(worse_than_chance) == HOTTEST
    assert fit_temperature(make_predictions([[1.0, 1.0]], [0])) == 1.0
    assert math.isnan(fit_temperature(make_predictions(np.empty((0, 2)), [])))


def test_a_temperature_moves_probabilities_but_no_prediction(random_predictions):
    p = random_predictions
    hot = tempered(p, 2.5)
    np.testing.assert_allclose(
        hot.probabilities, np.exp(log_softmax(p.logits.astype(np.float64) / 2.5, axis=1)), atol=1e-7
    )
    np.testing.assert_array_equal(hot.predicted, p.predicted)
    close = replace(p, logits=np.full_like(p.logits, 1e38), exact_predicted=np.full(p.n, 3))
    cold = tempered(close, COLDEST)
    assert np.isfinite(cold.log_probabilities).all()
    assert (cold.predicted == 3).all()


def test_scaling_says_what_it_changed(random_predictions):
    fitted_on = replace(random_predictions, logits=random_predictions.logits * np.float32(3))
    judged = replace(fitted_on, logits=fitted_on.logits[:100], labels=fitted_on.labels[:100], indices=np.arange(100))
    scaling = TemperatureScaling.from_predictions(fitted_on, judged)
    assert not scaling.at_limit
    assert scaling.log_loss == pytest.approx((_log_loss(judged, 1), _log_loss(judged, scaling.temperature)), abs=1e-6)
    after = tempered(judged, scaling.temperature)
    expected = (_error_by_the_paper(judged, 15), _error_by_the_paper(after, 15))
    assert scaling.expected_calibration_error == pytest.approx(expected, abs=1e-12)
    assert scaling.log_loss[1] < scaling.log_loss[0]
    assert expected[1] < expected[0]


def test_scaling_at_the_end_of_the_range_says_so(make_predictions):
    right = make_predictions([[2.0, 0.0], [0.0, 1.0]], [0, 1])
    assert TemperatureScaling.from_predictions(right, right).at_limit


def test_empty_splits_are_undefined(make_predictions):
    none, some = make_predictions(np.empty((0, 2)), []), make_predictions([[1.0, 0.0]], [1])
    assert math.isnan(Reliability.from_predictions(none).expected_calibration_error)
    unfitted = TemperatureScaling.from_predictions(none, some)
    assert np.isnan([unfitted.temperature, unfitted.log_loss[1], unfitted.expected_calibration_error[1]]).all()
    assert unfitted.log_loss[0] == pytest.approx(some.log_loss)
    unjudged = TemperatureScaling.from_predictions(some, none)
    assert unjudged.temperature == HOTTEST
    assert np.isnan([*unjudged.log_loss, *unjudged.expected_calibration_error]).all()


@pytest.mark.parametrize("other", [{"checkpoint": "another"}, {"classes": tuple("klmnopqrst")}])
def test_a_temperature_is_for_its_own_checkpoint(random_predictions, other):
    with pytest.raises(ExplorerError, match="only for the checkpoint"):
        TemperatureScaling.from_predictions(random_predictions, replace(random_predictions, **other))
