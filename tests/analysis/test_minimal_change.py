"""The fewest pixels: against exhaustive search where that is possible, and on a shipped checkpoint."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import nn

from explorer.analysis.adversarial import fewest_pixels as module
from explorer.analysis.adversarial.fewest_pixels import minimal_change
from explorer.analysis.drawings.challenges import (
    change,
    changed_pixels,
    drawing_points,
    flipping_points,
    keeping_points,
    misleading_points,
)
from explorer.analysis.evaluation.predictions import predict
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint


class Small(nn.Module):
    """A smooth classifier of images of any size."""

    def __init__(self, pixels, classes=3, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 8), nn.Tanh(), nn.Linear(8, classes))

    def forward(self, pixels):
        return self.layers(pixels)


def fewest(model, image, predicted):
    """Return the smallest number of pixels set to black or white that flips the prediction, by trying all."""
    for count in range(1, image.size + 1):
        tries = []
        for places in combinations(range(image.size), count):
            for levels in product((0, 255), repeat=count):
                changed = image.copy().ravel()
                changed[list(places)] = levels
                tries.append(changed.reshape(image.shape))
        if (predict(model, np.stack(tries)).argmax(1) != predicted).any():
            return count
    return None


@pytest.mark.parametrize("seed", range(6))
def test_it_comes_near_the_fewest_of_all(seed):
    image = np.random.default_rng(seed).integers(0, 256, (3, 3), np.uint8)
    model = Small(9, seed=seed).eval()
    found = minimal_change(model, image)
    best = fewest(model, image, found.predicted)
    assert found.flipped == (best is not None)
    if best is not None:
        assert best <= len(found.pixels) <= best + 1


def test_a_linear_model_is_flipped_by_the_pixels_that_count_most(linear):
    model, slope = linear
    image = np.full((28, 28), 128, np.uint8)
    logits = predict(model, image[None])[0]
    target = int(logits.argsort()[-2])
    found = minimal_change(model, image, target=target)
    gains = np.abs((slope[target] - slope[found.predicted]).numpy()).ravel()
    chosen = [gains[28 * pixel.row + pixel.column] for pixel in found.pixels]
    assert found.flipped
    assert sorted(chosen) == pytest.approx(np.sort(gains)[-len(chosen) :], rel=0.2)


def test_the_result_is_what_it_says(classifier, split):
    image = split.images[0]
    found = minimal_change(classifier, image)
    assert found.predicted == predict(classifier, image[None])[0].argmax()
    assert found.flipped
    assert (predict(classifier, found.image[None])[0].argmax() != found.predicted) == found.flipped
    again = image.copy()
    for pixel, probabilities in zip(found.pixels, found.probabilities[1:], strict=True):
        assert again[pixel.row, pixel.column] == pixel.before != pixel.after
        assert pixel.after in (0, 255)
        again[pixel.row, pixel.column] = pixel.after
        expected = torch.tensor(predict(classifier, again[None])).double().softmax(1)[0]
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert np.array_equal(again, found.image)
    assert changed_pixels(image, found.image) == len(found.pixels)


def test_no_change_can_be_left_out(classifier, split):
    for image in split.images[:4]:
        found = minimal_change(classifier, image)
        for pixel in found.pixels if len(found.pixels) > 1 else ():
            without = found.image.copy()
            without[pixel.row, pixel.column] = pixel.before
            assert predict(classifier, without[None])[0].argmax() == found.predicted


def test_a_wanted_class_is_reached(classifier, split):
    image = split.images[1]
    for target in range(3):
        found = minimal_change(classifier, image, target=target)
        assert found.flipped
        assert found.probabilities[-1].argmax() == target


def test_the_class_that_it_is_already_needs_no_pixel(classifier, split):
    image = split.images[1]
    predicted = int(predict(classifier, image[None])[0].argmax())
    found = minimal_change(classifier, image, target=predicted)
    assert found.flipped
    assert found.pixels == ()
    assert np.array_equal(found.image, image)
    assert found.probabilities.shape == (1, 10)


def test_it_gives_up_within_its_bounds(linear):
    model, _ = linear
    image = np.full((28, 28), 128, np.uint8)
    worst = int(predict(model, image[None])[0].argmin())
    found = minimal_change(model, image, target=worst, most_pixels=1)
    assert not found.flipped
    assert len(found.pixels) == 1
    found = minimal_change(model, image, target=worst, most_queries=1700)
    assert found.queries <= 1700 + 10
    assert not found.flipped
    assert minimal_change(model, image, most_queries=10).pixels == ()


def test_a_model_that_never_changes_its_mind_is_given_up():
    class Constant(nn.Module):
        def forward(self, pixels):
            return torch.tensor([1.0, 0.0]) + 0 * pixels.sum((1, 2, 3))[:, None]

    found = minimal_change(Constant(), np.zeros((4, 4), np.uint8))
    assert not found.flipped
    assert len(found.pixels) <= 16


def test_the_same_input_gives_the_same_answer_and_the_model_is_not_touched(classifier, split):
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    first, second = (minimal_change(classifier, split.images[2]) for _ in range(2))
    assert first.pixels == second.pixels
    assert classifier.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())


def test_impossible_requests_are_refused(classifier, split):
    with pytest.raises(IndexError, match="class 10 of 10"):
        minimal_change(classifier, split.images[0], target=10)
    with torch.no_grad():
        next(classifier.parameters()).fill_(torch.nan)
    with pytest.raises(CheckpointError, match="not finite"):
        minimal_change(classifier, split.images[0])


def test_a_shipped_checkpoint_is_flipped_by_few_pixels(monkeypatch):
    checkpoint = load_checkpoint(resolve("fashion-mnist-mlp"))
    classifier, images = checkpoint.classifier(), load_split("fashion-mnist", "test").images[:4]
    found = [minimal_change(classifier, image) for image in images]
    assert all(one.flipped for one in found)
    assert max(len(one.pixels) for one in found) <= 15
    monkeypatch.setattr(module, "RIVALS", 0)
    fewer = [minimal_change(classifier, image) for image in images]
    assert all(len(one.pixels) <= len(other.pixels) for one, other in zip(found, fewer, strict=True))


# ---- challenges


def test_changes_are_counted_however_small_and_measured_by_their_size():
    before = np.array([[0, 100, 250, 7]], np.uint8)
    after = np.array([[1, 108, 0, 7]], np.uint8)
    assert changed_pixels(before, after) == 3
    assert changed_pixels(before, before) == 0
    assert change(before, after) == pytest.approx((1 + 8 + 250) / 4 / 255)
    for measure in (change, changed_pixels):
        with pytest.raises(ValueError, match="shapes"):
            measure(before, after.T)


def test_drawing_points():
    assert drawing_points(1.0, 0, 30, 1) == 100
    assert drawing_points(1.0, 30, 30, 3) == 50
    assert drawing_points(0.5, 0, 30, 3) == 50
    assert drawing_points(1.0, 0, 30, 5) == 90
    assert drawing_points(1.0, 0, 30, 100) == 50
    assert drawing_points(1.0, 30.1, 30, 1) == 0


def test_fooling_points():
    wrong, right = np.array([0.2, 0.8]), np.array([0.9, 0.1])
    assert misleading_points(wrong, right, true=0) == 72
    assert misleading_points(right, right, true=0) == 0
    assert misleading_points(wrong, wrong, true=0) == 0


def test_keeping_and_flipping_points():
    assert keeping_points(0.5, kept=True) == 50
    assert keeping_points(0.5, kept=False) == 0
    assert flipping_points(10, 5, flipped=True) == 50
    assert flipping_points(3, 5, flipped=True) == flipping_points(3, None, flipped=True) == 100
    assert flipping_points(3, 5, flipped=False) == flipping_points(0, 5, flipped=True) == 0
