"""Towards a class: the direction against finite differences, and what a step may do."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from explorer.analysis.drawings.gradient_steps import direction, step_towards
from explorer.analysis.evaluation.predictions import predict, to_pixels
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint

OBJECTIVES = ("margin", "log-probability")


def value(classifier, pixels, target, objective):
    logits = classifier.double()(pixels)[0]
    if objective == "log-probability":
        return logits.log_softmax(0)[target].item()
    others = torch.cat([logits[:target], logits[target + 1 :]])
    return (logits[target] - others.max()).item()


@pytest.fixture
def image(split):
    return split.images[3]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_direction_is_that_of_finite_differences(classifier, image, objective):
    classifier = classifier.eval()
    gradient = direction(classifier, image, 4, objective)
    assert gradient.shape == (28, 28)
    assert gradient.dtype == np.float32
    pixels = to_pixels(image[None]).double()
    with torch.no_grad():
        for row, column in ((3, 5), (14, 14), (20, 9), (27, 27)):
            values = []
            for step in (1e-5, -1e-5):
                moved = pixels.clone()
                moved[0, 0, row, column] += step
                values.append(value(classifier, moved, 4, objective))
            assert gradient[row, column] == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_direction_of_a_linear_model_is_the_difference_of_two_slopes(linear, image):
    model, slope = linear
    others = [k for k in np.argsort(-predict(model, image[None])[0]) if k != 7]
    np.testing.assert_allclose(direction(model, image, 7), (slope[7] - slope[others[0]]).numpy(), atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_raises_the_objective_and_stays_in_its_bounds(classifier, split, objective):
    for image in split.images[:5]:
        done = step_towards(classifier, image, 2, objective, size=0.2)
        assert done.moved
        assert done.value_after > done.value_before
        assert done.image.dtype == np.uint8
        assert np.abs(done.change).max() <= 0.2 + 0.5 / 255
        np.testing.assert_allclose(done.change, (done.image.astype(float) - image) / 255, atol=1e-6)


def test_probabilities_are_those_of_the_images(classifier, image):
    done = step_towards(classifier, image, 2)
    for probabilities, shown in ((done.before, image), (done.after, done.image)):
        logits = torch.tensor(predict(classifier, shown[None]))
        np.testing.assert_allclose(probabilities, logits.double().softmax(1)[0], atol=1e-6)
    assert done.before.sum() == pytest.approx(1)


def test_ink_is_added_where_the_direction_is_positive(linear, image):
    model, _ = linear
    done = step_towards(model, image, 1, smoothness=0)
    assert (done.change[done.gradient > 0] >= 0).all()
    assert (done.change[done.gradient < 0] <= 0).all()
    assert (done.change > 0).any()
    assert (done.change < 0).any()


def test_nothing_is_added_to_white_or_removed_from_black(linear):
    model, _ = linear
    done = step_towards(model, np.zeros((28, 28), np.uint8), 1)
    assert (done.change >= 0).all()
    assert done.moved
    done = step_towards(model, np.full((28, 28), 255, np.uint8), 1)
    assert (done.change <= 0).all()
    assert done.moved


def test_only_what_the_mask_allows_changes(classifier, image):
    mask = np.zeros((28, 28), bool)
    mask[5:12, 8:20] = True
    done = step_towards(classifier, image, 2, mask=mask)
    assert done.moved
    assert not done.change[~mask].any()
    assert not step_towards(classifier, image, 2, mask=np.zeros((28, 28), bool)).moved


def test_a_smooth_step_is_no_noise(classifier):
    image = np.full((28, 28), 128, np.uint8)

    def roughness(smoothness):
        change = step_towards(classifier, image, 2, smoothness=smoothness).change
        return np.abs(ndimage.laplace(change)).sum() / np.abs(change).sum()

    assert roughness(1.5) < 0.5 * roughness(0)


def test_a_step_that_would_lower_the_objective_is_not_taken():
    class Peak(nn.Module):
        """Highest for class 1 where the first pixel is half as bright as it can be."""

        def forward(self, pixels):
            distance = (pixels[:, 0, 0, 0] - 0.5).abs()
            return torch.stack([distance, -distance], dim=1)

    image = np.zeros((28, 28), np.uint8)
    image[0, 0] = 120
    done = step_towards(Peak(), image, 1, size=1.0, smoothness=0)
    assert 120 < done.image[0, 0] < 136
    image[0, 0] = 127
    for _ in range(4):
        done = step_towards(Peak(), done.image, 1, size=1.0, smoothness=0)
    assert done.value_after >= done.value_before


def test_the_same_input_gives_the_same_step_and_the_model_is_not_touched(classifier, image):
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    first, second = (step_towards(classifier, image, 2) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert classifier.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in classifier.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())


@pytest.mark.parametrize("target", [-1, 10])
def test_classes_that_are_none_are_refused(classifier, image, target):
    with pytest.raises(IndexError, match=f"class {target} of 10"):
        step_towards(classifier, image, target)


def test_damaged_weights_are_a_message(classifier, image):
    with torch.no_grad():
        next(classifier.parameters()).fill_(torch.nan)
    with pytest.raises(CheckpointError, match="not finite"):
        step_towards(classifier, image, 2)


def test_it_works_inside_inference_mode(classifier, image):
    with torch.inference_mode():
        assert step_towards(classifier, image, 2).moved


@pytest.mark.parametrize("name", ["mnist-lenet", "fashion-mnist-lenet"])
def test_a_few_steps_reach_the_class_on_a_shipped_checkpoint(name):
    checkpoint = load_checkpoint(resolve(name))
    classifier = checkpoint.classifier()
    for image in load_split(checkpoint.dataset, "test").images[:3]:
        target = int(predict(classifier, image[None])[0].argsort()[-3])
        values = []
        for _ in range(15):
            done = step_towards(classifier, image, target)
            image = done.image
            values.append(done.value_after)
        assert (np.diff(values) > -1e-4).all()
        assert done.after.argmax() == target  # how surely depends on the last bits, by which some step is halved or not
