import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explorer.experiments.duels import paired_difference

accuracies = st.floats(0, 1, allow_nan=False, width=32)


@settings(deadline=None)
@given(st.lists(st.tuples(accuracies, accuracies), min_size=2, max_size=20))
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    first, second = np.array(pairs, dtype=np.float64).T
    found = paired_difference(first.tolist(), second.tolist())
    assert found.mean == pytest.approx((second - first).mean())
    if np.ptp(second - first) < 1e-9:
        return
    interval = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(interval))
    assert found.deviation == pytest.approx(np.std(second - first, ddof=1))
    assert found.is_distinguishable == (stats.ttest_rel(second, first).pvalue < 0.05)


def test_a_single_pair_has_no_spread():
    found = paired_difference([0.5], [0.75])
    assert (found.n, found.mean, found.deviation, found.low, found.high) == (1, 0.25, None, None, None)
    assert not found.is_distinguishable


def test_the_same_difference_every_time_is_certain():
    found = paired_difference([0.5, 0.25], [0.75, 0.5])
    assert (found.low, found.high) == (0.25, 0.25)
    assert found.is_distinguishable
