import math

import numpy as np
import pytest
from scipy.stats import binomtest

from explorer.analysis.evaluation.mistakes import Slices, brightness, ink, ordered
from explorer.errors import ExplorerError


def _images(n, seed=4):
    images = np.random.default_rng(seed).integers(0, 256, (n, 28, 28), dtype=np.uint8)
    images[images < np.random.default_rng(seed + 1).integers(0, 200, (n, 1, 1))] = 0
    return images


@pytest.mark.parametrize(("by", "sign"), [("loss", -1), ("confidence", -1), ("margin", 1)])
def test_mistakes_stand_in_the_wanted_order(random_predictions, by, sign):
    p = random_predictions
    values = getattr(p, by)
    wrong = [row for row in range(p.n) if p.predicted[row] != p.labels[row]]
    assert len(wrong) > 20
    assert ordered(p, by).tolist() == sorted(wrong, key=lambda row: sign * values[row])
    assert ordered(p, by, reverse=True).tolist() == sorted(wrong, key=lambda row: -sign * values[row])


def test_the_usual_order_is_that_of_the_predictions(random_predictions):
    np.testing.assert_array_equal(ordered(random_predictions), random_predictions.mistakes())


@pytest.mark.parametrize("reverse", [False, True])
def test_any_rows_can_be_ordered_and_equals_stay(make_predictions, reverse):
    p = make_predictions([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], [0, 0, 0, 0])
    rows = ordered(p, "confidence", np.array([3, 2, 1, 0]), reverse)
    assert rows.tolist() == ([3, 2, 1, 0] if reverse else [2, 1, 0, 3])


def _check(part, p, inside):
    assert part.n == len(inside)
    assert part.errors == sum(p.predicted[row] != p.labels[row] for row in inside)
    if not inside:
        assert np.isnan([part.rate, *part.interval]).all()
        return
    assert part.rate == pytest.approx(part.errors / part.n)
    expected = binomtest(part.errors, part.n).proportion_ci(method="wilson")
    assert part.interval == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("by", ["class", "predicted"])
def test_slices_by_class(random_predictions, by):
    p = random_predictions
    slices = Slices.from_predictions(p, by)
    assert [part.name for part in slices.parts] == list(p.classes)
    of = p.labels if by == "class" else p.predicted
    for k, part in enumerate(slices.parts):
        inside = [row for row in range(p.n) if of[row] == k]
        assert slices.rows(k).tolist() == inside
        assert math.isnan(part.low)
        _check(part, p, inside)


@pytest.mark.parametrize(("by", "measure"), [("brightness", brightness), ("ink", ink)])
def test_slices_by_measure_are_fifths(random_predictions, by, measure):
    p, images = random_predictions, _images(300)
    slices = Slices.from_predictions(p, by, images)
    values = measure(images)
    assert [part.n for part in slices.parts] == pytest.approx([60] * 5, abs=3 if by == "ink" else 0)
    assert sum(part.n for part in slices.parts) == 300
    for k, part in enumerate(slices.parts):
        inside = slices.rows(k).tolist()
        _check(part, p, inside)
        assert part.name is None
        assert (part.low, part.high) == (values[inside].min(), values[inside].max())
    for darker, brighter in zip(slices.parts, slices.parts[1:], strict=False):
        assert darker.high < brighter.low


def test_measures_by_hand():
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    images[1] = 255
    images[2, 0] = 51
    assert brightness(images).tolist() == pytest.approx([0, 1, 0.2 / 28])
    assert ink(images).tolist() == pytest.approx([0, 1, 1 / 28])


def test_equal_images_stay_together(random_predictions):
    images = np.zeros((300, 28, 28), dtype=np.uint8)
    images[:10] = 7
    parts = Slices.from_predictions(random_predictions, "ink", images).parts
    assert [part.n for part in parts] == [290, 0, 0, 0, 10]
    assert math.isnan(parts[1].low)
    _check(parts[1], random_predictions, [])


@pytest.mark.parametrize("by", ["class", "predicted", "brightness", "ink"])
def test_an_empty_split_has_empty_slices(make_predictions, by):
    p = make_predictions(np.empty((0, 3)), [])
    slices = Slices.from_predictions(p, by, np.empty((0, 28, 28), dtype=np.uint8))
    assert [part.n for part in slices.parts] == [0] * (3 if by in ("class", "predicted") else 5)
    assert all(math.isnan(part.rate) for part in slices.parts)


def test_one_image_is_one_slice(make_predictions):
    slices = Slices.from_predictions(make_predictions([[1.0, 0.0]], [1]), "brightness", _images(1))
    assert sorted(part.n for part in slices.parts) == [0, 0, 0, 0, 1]
    assert sum(part.errors for part in slices.parts) == 1


@pytest.mark.parametrize("images", [None, _images(299)])
def test_a_measure_needs_the_images(random_predictions, images):
    with pytest.raises(ExplorerError, match="300 images of the predictions"):
        Slices.from_predictions(random_predictions, "ink", images)
