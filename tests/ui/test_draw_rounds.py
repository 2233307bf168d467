"""Rounds of the challenges, with a clock and models of the test's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.ui.draw import rounds
from explorer.ui.draw.rounds import LIMITS, Moment, Round

MODELS = ("a", "b")
START = np.zeros((28, 28), np.uint8)


def shares(label, share):
    found = np.full(10, (1 - share) / 9)
    found[label] = share
    return found


def moment(label=3, share=0.8, second=None, image=START, strokes=1, beginnings=1):
    return Moment(beginnings, image, shares(label, share), second, strokes)


def begun(kind, label=3):
    return Round(kind, label, None if kind == "draw" else START, 1, 100.0, MODELS)


def changed(pixels):
    image = START.copy()
    image.ravel()[:pixels] = 255
    return image


def test_drawing_is_worth_the_probability_at_once_and_half_at_the_end():
    found = begun("draw")
    found.look(moment(), MODELS, 100.0)
    assert found.best.points == 80
    late = begun("draw")
    late.look(moment(), MODELS, 100.0 + LIMITS["draw"])
    assert late.best.points == 40


def test_the_best_moment_counts():
    found = begun("draw")
    for share, seconds in ((0.5, 5), (0.9, 10), (0.1, 15)):
        found.look(moment(share=share), MODELS, 100 + seconds)
    assert found.best.moment.first[3] == pytest.approx(0.9)
    assert found.best.seconds == pytest.approx(10)


def test_nothing_counts_after_the_time():
    found = begun("draw")
    found.look(moment(share=0.2), MODELS, 110)
    found.look(moment(share=1.0), MODELS, 100 + LIMITS["draw"] + 0.1)
    assert found.ended
    assert not found.broken
    assert found.best.moment.first[3] == pytest.approx(0.2)
    assert found.left(1000) == 0


@pytest.mark.parametrize(
    ("seen", "models"), [(moment(share=1.0, beginnings=2), MODELS), (moment(share=1.0), ("a", "c"))]
)
def test_another_picture_or_model_breaks_the_round(seen, models):
    found = begun("draw")
    found.look(seen, models, 101)
    assert found.broken
    assert found.best is None


def test_only_one_of_two_is_to_be_fooled():
    found = begun("fool")
    found.look(moment(share=0.9, second=shares(3, 0.9)), MODELS, 101)
    assert found.best.points == 0
    found.look(moment(label=5, share=0.9, second=shares(5, 0.9)), MODELS, 102)
    assert found.best.points == 0
    found.look(moment(label=5, share=0.91, second=shares(3, 0.8)), MODELS, 103)
    assert found.best.points == round(100 * 0.99 * 0.8)
    alone = begun("fool")
    alone.look(moment(label=5), MODELS, 101)
    assert alone.best is None


def test_much_may_change_while_the_answer_stays():
    found = begun("keep")
    found.look(moment(image=changed(392)), MODELS, 101)
    assert (found.best.points, found.best.changed) == (50, 392)
    found.look(moment(label=5, image=changed(784)), MODELS, 102)
    assert found.best.points == 50


def test_a_ground_that_is_hardly_grey_is_worth_little_and_counts_as_changed():
    pale = np.full((28, 28), 8, np.uint8)
    kept, flipped = begun("keep"), begun("flip")
    kept.look(moment(image=pale), MODELS, 101)
    flipped.look(moment(label=5, image=pale), MODELS, 101)
    assert kept.best.points == 3
    assert flipped.best.changed == 784


def test_the_fewest_pixels_that_flip_count_against_the_machine():
    found = begun("flip")
    found.look(moment(image=changed(5)), MODELS, 101)
    assert found.best is None
    assert found.flip_points(4) == 0
    for pixels in (20, 8, 30):
        found.look(moment(label=5, image=changed(pixels)), MODELS, 102)
    assert found.best.changed == 8
    assert (found.flip_points(4), found.flip_points(9), found.flip_points(None)) == (50, 100, 100)


def test_how_many_images_were_tried_is_said():
    assert rounds.none_found(64, "keep").startswith("None of 64 random test images is recognised by the model.")
    assert "by both models" in rounds.none_found(64, "fool")


def test_an_empty_canvas_is_nothing():
    found = begun("draw")
    found.look(None, MODELS, 101)
    assert found.best is None
    assert not found.ended


@given(
    kind=st.sampled_from(["draw", "fool", "keep", "flip"]),
    strokes=st.integers(-(2**60), 2**60),
    share=st.floats(0, 1),
    seconds=st.floats(-100, 1000),
    pixels=st.integers(0, 784),
)
def test_no_forged_value_is_worth_more_than_the_maximum(kind, strokes, share, seconds, pixels):
    found = begun(kind)
    seen = moment(3, share, shares(3, 1.0), changed(pixels), strokes)
    found.look(seen, MODELS, 100 + seconds)
    if found.best is not None:
        assert 0 <= found.best.points <= 100
        assert 0 <= found.flip_points(pixels) <= 100
