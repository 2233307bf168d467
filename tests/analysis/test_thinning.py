import numpy as np
import pytest

from explorer.analysis.evaluation.precision_recall import PLOT, TOLERANCE, simplify


def _distances(points, start, end):
    chord = points[end] - points[start]
    offset = points[start : end + 1] - points[start]
    along = ((offset * np.conj(chord)).real / max(abs(chord) ** 2, 1e-30)).clip(0, 1)
    return np.abs(offset - along * chord)


def _by_recursion(points, start, end):
    """Douglas and Peucker's algorithm as it is usually written."""
    distances = _distances(points, start, end)
    if distances.max() <= TOLERANCE:
        return [start, end]
    middle = start + int(distances.argmax())
    return _by_recursion(points, start, middle)[:-1] + _by_recursion(points, middle, end)


@pytest.mark.parametrize("roughness", [0.0, 0.02, 0.3])
def test_the_points_are_those_of_the_usual_algorithm(roughness):
    random = np.random.default_rng(2)
    x = np.sort(random.random(900))
    y = np.sqrt(x) + roughness * random.normal(size=900)
    expected = _by_recursion(x * PLOT[0] + 1j * y * PLOT[1], 0, 899)
    assert simplify(x, y, 899).tolist() == expected


def test_a_limit_keeps_the_points_that_matter_most():
    random = np.random.default_rng(2)
    x = np.sort(random.random(900))
    y = np.sqrt(x)
    y[450] = 0.0
    kept = simplify(x, y + 0.01 * random.random(900), 10)
    assert len(kept) == 10
    assert {0, 450, 899} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_a_spike_on_one_spot_survives():
    x = np.full(1000, 0.5)
    y = np.linspace(0, 0.5, 1000)
    y[300] = 1.0
    assert simplify(x, y).tolist() == [0, 300, 301, 999]


def test_a_straight_line_needs_its_ends_only():
    line = np.linspace(0, 1, 5000)
    assert simplify(line, line).tolist() == [0, 4999]


def test_few_points_all_stay():
    assert simplify(np.linspace(0, 1, 400), np.random.default_rng(0).random(400)).tolist() == list(range(400))
    assert simplify(np.empty(0), np.empty(0)).tolist() == []


def test_a_line_needs_two_points():
    with pytest.raises(ValueError, match="at least 2"):
        simplify(np.zeros(3), np.zeros(3), 1)
