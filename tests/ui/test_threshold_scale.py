from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.ui.evaluate import threshold


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.50"),
        (0.3, "0.30"),
        (0.305, "0.305"),
        (0.0015, "0.0015"),
        (0.99985, "0.99985"),
        (1.2e-6, "1.2 × 10⁻⁶"),
        (1 - 3e-8, "1 − 3 × 10⁻⁸"),
        (0.0, "0"),
        (1.0, "1"),
    ],
)
def test_thresholds_are_written_with_sensible_digits(value, text):
    assert threshold.written(threshold.rounded(value)) == text


def test_stops_rise_and_are_told_apart():
    assert list(threshold.GRID) == sorted(set(threshold.GRID))
    assert len({threshold.written(stop) for stop in threshold.GRID}) == len(threshold.GRID)
    assert threshold.DEFAULT in threshold.GRID
    assert all(threshold.rounded(stop) == stop for stop in threshold.GRID)
    odds = [stop / (1 - stop) for stop in threshold.GRID]
    assert max(after / before for before, after in pairwise(odds)) < 1.4


@given(st.floats(0, 1))
def test_rounding_keeps_three_digits_and_is_stable(value):
    rounded = threshold.rounded(value)
    side = min(value, 1 - value)
    assert abs(rounded - value) <= 0.0051 * side + 1e-16
    assert 0 <= rounded <= 1
    assert threshold.parse(str(rounded)) == pytest.approx(rounded, rel=1e-9)
    assert threshold.written(rounded)


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "-0.1", "1.5", "0,5"])
def test_what_is_no_threshold_is_refused(text):
    assert threshold.parse(text) is None
