import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from explorer.analysis.evaluation.ranking import Rankings, rank
from explorer.analysis.evaluation.thresholds import OperatingPoints, elements_at, spread

values = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])


@settings(deadline=None)
@given(arrays.arrays(np.float64, st.integers(0, 30), elements=values), st.data())
def test_counts_are_those_of_a_comparison_with_every_image(scores, data):
    positive = data.draw(arrays.arrays(np.bool_, len(scores)))
    thresholds = np.array([0.0, 0.1, 0.15, 0.5, 1.0, 1.1])
    points = OperatingPoints.from_ranking(rank(positive, scores), thresholds)
    assert points.true.tolist() == [int((scores[positive] >= t).sum()) for t in thresholds]
    assert points.false.tolist() == [int((scores[~positive] >= t).sum()) for t in thresholds]
    assert np.isnan(points.recall).all() == (not positive.any())
    assert np.isnan(points.false_positive_rate).all() == (not (~positive).any())


def test_rates_are_those_of_the_two_by_two_table(random_predictions):
    points = OperatingPoints.from_ranking(Rankings.from_predictions(random_predictions).per_class[4])
    assert (np.diff(points.thresholds) < 0).all()
    for place in range(0, len(points.thresholds), 37):
        element = elements_at(random_predictions, 4, float(points.thresholds[place]))
        assert points.recall[place] == pytest.approx(element.recall)
        assert points.precision[place] == pytest.approx(element.precision)
        assert points.false_positive_rate[place] == pytest.approx(element.false_positive_rate)


def test_where_nothing_is_called_positive_the_precision_is_that_of_the_curve():
    points = OperatingPoints.from_ranking(rank(np.array([True, False]), np.array([0.5, 0.4])), np.array([0.9]))
    assert points.precision.tolist() == [1.0]


def test_points_lie_evenly_along_a_curve():
    random = np.random.default_rng(0)
    x, y = np.sort(random.random(5000)) ** 3, np.sort(random.random(5000))
    places = spread(x, y, 100)
    assert len(places) <= 100
    assert (places[0], places[-1]) == (0, 4999)
    way = np.abs(np.diff(x[places])) + np.abs(np.diff(y[places]))
    longest = (np.abs(np.diff(x)) + np.abs(np.diff(y))).max()
    assert way.max() <= (x[-1] - x[0] + y[-1] - y[0]) / 99 + longest


def test_few_points_are_all_kept():
    assert spread(np.arange(5.0), np.zeros(5), 5).tolist() == [0, 1, 2, 3, 4]
