"""Each method against Captum called directly, autograd, finite differences, or a model with a known answer."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import (
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    LayerActivation,
    LayerGradCam,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from torch import nn
from torch.nn import functional

from explorer.analysis.attribution import (
    METHODS,
    Target,
    baselines,
    deep_lift,
    feature_ablation,
    grad_cam,
    guided_backpropagation,
    input_gradient,
    input_x_gradient,
    integrated_gradients,
    layer_activation,
    occlusion,
    smoothgrad,
)
from explorer.analysis.attribution.mean import mean_map
from explorer.errors import ConfigError
from explorer.store.checkpoints import Classifier


@pytest.fixture
def pixels():
    return torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def target():
    return torch.tensor([0, 3, 3, 9, 5])


@pytest.fixture
def rectified():
    """Two convolutions with ReLU, no two activations in a row."""
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(100, 10),
    )
    return Classifier(network, mean=0.3, std=0.35).eval()


def test_input_gradient_equals_captum(classifier, pixels, target):
    direct = Saliency(classifier.eval())
    expected = direct.attribute(pixels.clone().requires_grad_(), target, abs=False)
    torch.testing.assert_close(input_gradient.attribute(classifier, pixels, target), expected)
    torch.testing.assert_close(input_gradient.attribute(classifier, pixels, target, absolute=True), expected.abs())


@pytest.mark.parametrize("against", [None, 7])
def test_input_gradient_equals_finite_differences(classifier, pixels, against):
    model, image, step = classifier.double().eval(), pixels[:1].double(), 1e-5
    target = Target(torch.tensor([2]), None if against is None else torch.tensor([against]))
    gradient = input_gradient.attribute(model, image, target)
    for row, column in ((0, 0), (13, 5), (20, 27)):
        moved = torch.zeros_like(image)
        moved[0, 0, row, column] = step
        with torch.no_grad():
            change = (model(image + moved) - model(image - moved))[0] / (2 * step)
        expected = change[2] - (0 if against is None else change[against])
        torch.testing.assert_close(gradient[0, 0, row, column], expected, rtol=1e-6, atol=1e-9)


def test_input_x_gradient_equals_captum(classifier, pixels, target):
    expected = InputXGradient(classifier.eval()).attribute(pixels.clone().requires_grad_(), target)
    torch.testing.assert_close(input_x_gradient.attribute(classifier, pixels, target), expected)


def test_smoothgrad_equals_captum_with_the_same_noise(classifier, pixels, target, monkeypatch):
    image = pixels[:1] * 0.6 + 0.1
    spread = 0.2 * float(image.max() - image.min())
    noise = torch.randn((6, 1, 28, 28), generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(NoiseTunnel, "_add_noise_to_input", staticmethod(lambda one, stdev, n: one + stdev * noise))
    tunnel = NoiseTunnel(Saliency(classifier.eval()))
    expected = tunnel.attribute(
        image.clone().requires_grad_(), nt_samples=6, stdevs=spread, target=target[:1], abs=False
    )
    ours = smoothgrad.attribute(classifier, image, target[:1], samples=6, noise=0.2, seed=3)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_smoothgrad_draws_from_its_own_generator(classifier, pixels, target):
    before = torch.get_rng_state()
    first = smoothgrad.attribute(classifier, pixels, target, samples=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(smoothgrad.attribute(classifier, pixels, target, samples=4), first)
    assert not torch.allclose(smoothgrad.attribute(classifier, pixels, target, samples=4, seed=1), first)
    quiet = smoothgrad.attribute(classifier, pixels, target, samples=4, noise=0)
    torch.testing.assert_close(quiet, input_gradient.attribute(classifier, pixels, target), atol=1e-5, rtol=1e-4)


def test_integrated_gradients_equal_captum(classifier, pixels, target):
    ours = integrated_gradients.attribute(classifier, pixels, target, n_steps=20)
    direct = IntegratedGradients(classifier.eval())
    expected = direct.attribute(pixels, torch.zeros_like(pixels), target, n_steps=20)
    torch.testing.assert_close(ours, expected)
    start = torch.full((1, 1, 28, 28), 0.3)
    ours = integrated_gradients.attribute(classifier, pixels, target, n_steps=20, baseline=start)
    expected = direct.attribute(pixels, start.expand_as(pixels), target, n_steps=20)
    torch.testing.assert_close(ours, expected)


def test_deep_lift_equals_captum_where_captum_is_right(rectified, pixels, target):
    start = torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(9))
    ours = deep_lift.attribute(rectified, pixels, target, baseline=start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = DeepLift(rectified).attribute(pixels.clone().requires_grad_(), start, target)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_deep_lift_of_one_hidden_layer_is_the_rescale_rule(pixels):
    torch.manual_seed(5)
    hidden, output = nn.Linear(784, 30).double(), nn.Linear(30, 10).double()
    model = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), output)
    image, start = pixels[:1].double(), pixels[1:2].double()
    ours = deep_lift.attribute(model, image, torch.tensor([4]), baseline=start)
    before, after = (hidden(one.flatten(1)).detach().numpy()[0] for one in (start, image))
    multiplier = (np.maximum(after, 0) - np.maximum(before, 0)) / (after - before)
    slope = (output.weight[4].detach().numpy() * multiplier) @ hidden.weight.detach().numpy()
    np.testing.assert_allclose(ours.flatten().numpy(), slope * (image - start).flatten().numpy(), atol=1e-12)


@pytest.mark.parametrize("against", [None, torch.tensor([1, 1, 1, 1, 1])])
def test_guided_backpropagation_equals_captum(rectified, pixels, target, against):
    ours = guided_backpropagation.attribute(rectified, pixels, Target(target, against))
    model = rectified if against is None else nn.Sequential(rectified, Against(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = GuidedBackprop(model).attribute(pixels.clone().requires_grad_(), target)
    torch.testing.assert_close(ours, expected)


class Against(nn.Module):
    """Subtracts one of its inputs from all."""

    def __init__(self, which):
        super().__init__()
        self.which = which

    def forward(self, x):
        return x - x[:, self.which : self.which + 1]


def test_guided_backpropagation_cuts_negative_gradients():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.eye(2))
        model[3].weight.copy_(torch.tensor([[2.0, -3.0]]))
    image = torch.tensor([[[[1.0, 1.0]]]])
    assert guided_backpropagation.attribute(model, image, torch.tensor([0])).flatten().tolist() == [2.0, 0.0]


def test_occlusion_equals_captum(classifier, pixels, target):
    direct = Occlusion(classifier.eval())
    for cover in (None, torch.full((1, 1, 28, 28), 0.5)):
        ours = occlusion.attribute(classifier, pixels, target, window=5, stride=3, baseline=cover)
        expected = direct.attribute(
            pixels, (1, 5, 5), strides=(1, 3, 3), baselines=0 if cover is None else 0.5, target=target
        )
        torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_feature_ablation_equals_captum(classifier, pixels, target):
    mask = torch.tensor([[(row // 7) * 4 + column // 7 for column in range(28)] for row in range(28)])
    expected = FeatureAblation(classifier.eval()).attribute(pixels, 0.5, target, feature_mask=mask[None, None])
    grey = torch.full((1, 1, 28, 28), 0.5)
    ours = feature_ablation.attribute(classifier, pixels, target, patch=7, baseline=grey)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def test_patches_at_the_edge_are_smaller():
    mask = feature_ablation.patches(28, 28, 5)
    assert mask.max() == 35
    assert mask.unique(return_counts=True)[1].tolist()[:6] == [25, 25, 25, 25, 25, 15]


@pytest.mark.parametrize("layer", ["network.0", "network.3"])
def test_grad_cam_equals_captum_and_autograd(rectified, pixels, target, layer):
    ours = grad_cam.attribute(rectified, pixels, target, layer=layer, positive_only=False)
    direct = LayerGradCam(rectified, rectified.get_submodule(layer))
    expected = direct.attribute(pixels.clone().requires_grad_(), target)
    large = functional.interpolate(expected, (28, 28), mode="bilinear")
    torch.testing.assert_close(ours, large)
    split = int(layer[-1]) + 1
    maps = rectified.network[:split]((pixels - 0.3) / 0.35).detach().requires_grad_()
    rectified.network[split:](maps)[range(5), target].sum().backward()
    by_hand = (maps.grad.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).detach()
    torch.testing.assert_close(expected.detach(), by_hand)
    positive = grad_cam.attribute(rectified, pixels, target, layer=layer)
    torch.testing.assert_close(positive, functional.interpolate(by_hand.relu(), (28, 28), mode="bilinear"))


def test_layer_activation_equals_captum(rectified, pixels, target):
    maps = LayerActivation(rectified, rectified.network[2]).attribute(pixels)
    enlarged = functional.interpolate(maps, (28, 28), mode="bilinear")
    mean = layer_activation.attribute(rectified, pixels, target, layer="network.2")
    torch.testing.assert_close(mean, enlarged.mean(dim=1, keepdim=True))
    second = layer_activation.attribute(rectified, pixels, target, layer="network.2", channel=1)
    torch.testing.assert_close(second, enlarged[:, 1:2])
    with pytest.raises(ConfigError, match="4 maps"):
        layer_activation.attribute(rectified, pixels, target, layer="network.2", channel=4)


def _mean_of_windows(effect, window, stride):
    """Mean over all covering windows of the summed effect in the window, written out with loops."""
    total, covered = np.zeros((28, 28)), np.zeros((28, 28))
    for row in range(0, 28 - window + 1, stride):
        for column in range(0, 28 - window + 1, stride):
            place = np.s_[row : row + window, column : column + window]
            total[place] += effect[place].sum()
            covered[place] += 1
    return total / covered


def test_a_linear_model_has_known_answers(linear, pixels, target):
    model, slope = linear
    against = (target + 1) % 10
    slopes = (slope[target] - slope[against])[:, None]
    shares = slopes * pixels
    found = {
        name: METHODS[name].explain(model, pixels, Target(target, against))
        for name in METHODS
        if METHODS[name].is_compatible(model)
    }
    for name in ("input-gradient", "smoothgrad"):
        torch.testing.assert_close(found[name], slopes, atol=1e-5, rtol=1e-4)
    for name in ("input-x-gradient", "integrated-gradients", "deep-lift"):
        torch.testing.assert_close(found[name], shares, atol=1e-5, rtol=1e-4)
    covered = np.stack([_mean_of_windows(one, 4, 2) for one in shares[:, 0].numpy()])
    np.testing.assert_allclose(found["occlusion"][:, 0].numpy(), covered, atol=1e-5)
    sums = functional.avg_pool2d(shares, 4) * 16
    removed = sums.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(found["feature-ablation"], removed, atol=1e-5, rtol=1e-4)


def test_baselines(pixels):
    images = (pixels[:, 0].numpy() * 255).astype(np.uint8)
    mean = baselines.mean_image(images)
    np.testing.assert_allclose(mean[0, 0].numpy(), images.mean(axis=0) / 255, rtol=1e-6)
    assert torch.equal(baselines.image("mean", pixels, mean)[3:4], mean)
    assert not baselines.image("black", pixels).any()
    constant = torch.full((2, 1, 28, 28), 0.25)
    torch.testing.assert_close(baselines.image("blurred", constant), constant)
    point = torch.zeros(1, 1, 28, 28)
    point[0, 0, 14, 14] = 1
    blurred = baselines.image("blurred", point)
    assert blurred[0, 0, 14, 14] == blurred.max()
    torch.testing.assert_close(blurred[0, 0, 14, 17] / blurred[0, 0, 14, 14], torch.tensor(np.exp(-0.5)).float())


def test_the_mean_map_of_a_class(classifier, pixels, target):
    explain = METHODS["input-x-gradient"].with_options()
    found = list(mean_map(explain, classifier, pixels, target, at_once=2))
    assert [(one.done, one.total) for one in found] == [(2, 5), (4, 5), (5, 5)]
    for one in found:
        maps = explain(classifier, pixels, target)[: one.done].double()
        torch.testing.assert_close(one.mean, maps.mean(dim=0, keepdim=True), atol=1e-7, rtol=1e-5)
        torch.testing.assert_close(one.spread, maps.std(dim=0, keepdim=True, correction=0), atol=1e-7, rtol=1e-5)
    assert list(mean_map(explain, classifier, pixels[:0], target[:0])) == []


def test_a_mean_map_can_be_cancelled(classifier, pixels, target):
    seen = []
    running = mean_map(lambda _, one, wanted: seen.append(len(wanted)) or one, classifier, pixels, target, at_once=2)
    next(running)
    running.close()
    assert seen == [2]
