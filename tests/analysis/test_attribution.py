import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, Occlusion, Saliency
from torch import nn

from explorer.analysis import attribution
from explorer.analysis.attribution import (
    METHODS,
    input_gradient,
    integrated_gradients,
    occlusion,
)
from explorer.errors import ConfigError

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.fixture
def pixels():
    return torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def target():
    return torch.tensor([0, 3, 3, 9, 5])


@every_method
def test_maps_are_shaped_like_the_pixels(method, classifier, pixels, target):
    result = method.attribute(classifier, pixels, target)
    assert result.shape == pixels.shape
    assert result.dtype == torch.float32
    assert not result.requires_grad
    assert result.abs().max() > 0


def test_input_gradient_equals_captum(classifier, pixels, target):
    expected = Saliency(classifier.eval()).attribute(pixels.clone().requires_grad_(), target, abs=False)
    torch.testing.assert_close(input_gradient.attribute(classifier, pixels, target), expected)


def test_integrated_gradients_equal_captum(classifier, pixels, target):
    ours = integrated_gradients.attribute(classifier, pixels, target, n_steps=20)
    direct = IntegratedGradients(classifier.eval())
    expected = direct.attribute(pixels, torch.zeros_like(pixels), target, n_steps=20)
    torch.testing.assert_close(ours, expected)
    start = torch.full((1, 1, 28, 28), 0.3)
    ours = integrated_gradients.attribute(classifier, pixels, target, n_steps=20, baseline=start)
    expected = direct.attribute(pixels, start.expand_as(pixels), target, n_steps=20)
    torch.testing.assert_close(ours, expected)


def test_occlusion_equals_captum(classifier, pixels, target):
    ours = occlusion.attribute(classifier, pixels, target)
    expected = Occlusion(classifier.eval()).attribute(
        pixels, sliding_window_shapes=(1, 4, 4), strides=(1, 2, 2), baselines=0, target=target
    )
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("baseline", [None, torch.full((1, 28, 28), 0.5)], ids=["black", "grey"])
def test_integrated_gradients_are_complete(classifier, pixels, target, baseline):
    maps = integrated_gradients.attribute(classifier, pixels, target, baseline=baseline)
    error = integrated_gradients.completeness_error(classifier, pixels, target, maps, baseline=baseline)
    assert error.shape == (5,)
    assert error.abs().max() < 1e-3
    with torch.no_grad():
        classifier.eval()
        black = torch.zeros_like(pixels) if baseline is None else baseline.expand_as(pixels)
        gained = (classifier(pixels) - classifier(black))[torch.arange(5), target]
    torch.testing.assert_close(maps.sum(dim=(1, 2, 3)), gained, atol=1e-3, rtol=0)


def test_the_completeness_error_is_what_is_missing(classifier, pixels, target):
    maps = integrated_gradients.attribute(classifier, pixels, target)
    shifted = integrated_gradients.completeness_error(classifier, pixels, target, maps + 1.0)
    exact = integrated_gradients.completeness_error(classifier, pixels, target, maps)
    torch.testing.assert_close(shifted - exact, torch.full((5,), 784.0), atol=1e-2, rtol=0)


@pytest.mark.parametrize("module", [integrated_gradients, occlusion])
def test_images_in_several_passes_equal_one_pass(module, classifier, pixels, target, monkeypatch):
    expected = module.attribute(classifier, pixels, target)
    monkeypatch.setattr(module, "PASS_SIZE", 2)
    torch.testing.assert_close(module.attribute(classifier, pixels, target), expected, atol=1e-5, rtol=1e-4)


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
    slopes = slope[target][:, None]
    torch.testing.assert_close(input_gradient.attribute(model, pixels, target), slopes)
    torch.testing.assert_close(
        integrated_gradients.attribute(model, pixels, target), slopes * pixels, atol=1e-5, rtol=1e-4
    )
    expected = np.stack([_mean_of_windows(e, 4, 2) for e in (slopes * pixels)[:, 0].numpy()])
    result = occlusion.attribute(model, pixels, target)
    np.testing.assert_allclose(result[:, 0].numpy(), expected, atol=1e-5)


@every_method
def test_a_constant_image_has_a_finite_map(method, classifier):
    for value in (0.0, 1.0):
        result = method.attribute(classifier, torch.full((1, 1, 28, 28), value), torch.tensor([2]))
        assert torch.isfinite(result).all()


class Failing(nn.Module):
    """Passes its input on, and raises from the second call on."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x):
        self.calls.append(len(x))
        if len(self.calls) > 1:
            raise RuntimeError("cancelled")
        return x


def _state(model):
    return [
        (m.training, len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()
    ] + [(p.requires_grad, p.grad is None) for p in model.parameters()]


@every_method
@pytest.mark.parametrize("fails", [False, True])
def test_modes_hooks_and_flags_are_as_before(method, classifier, pixels, target, fails):
    next(classifier.parameters()).requires_grad_(False)
    classifier.network[2].eval()
    if fails:
        classifier.network[2] = Failing()
        classifier.network[2].calls.append(0)
    before = _state(classifier)
    with pytest.raises(RuntimeError, match="cancelled") if fails else contextlib.nullcontext():
        method.attribute(classifier, pixels, target)
    assert _state(classifier) == before


@every_method
def test_pixels_are_only_read(method, classifier, pixels, target):
    before = pixels.clone()
    method.attribute(classifier, pixels, target)
    assert torch.equal(pixels, before)
    assert not pixels.requires_grad
    assert pixels.grad is None


@every_method
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_the_callers_gradient_mode_does_not_matter(method, classifier, pixels, target, context):
    expected = method.attribute(classifier, pixels, target)
    with context():
        torch.testing.assert_close(method.attribute(classifier, pixels * 1, target), expected)


def test_threads_sharing_a_classifier_get_what_each_gets_alone(classifier, pixels, target):
    alone = {name: method.attribute(classifier, pixels, target) for name, method in METHODS.items()}
    names = [*METHODS] * 8
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda n: METHODS[n].attribute(classifier, pixels, target), names))
    for name, result in zip(names, together, strict=True):
        torch.testing.assert_close(result, alone[name])


def test_every_method_is_listed_by_its_name_and_explained():
    assert [*METHODS] == ["input-gradient", "integrated-gradients", "occlusion"]
    for name, method in METHODS.items():
        assert attribution.get(name) is method
        assert method.name == name
        assert method.summary.endswith(".")
        assert method.is_compatible(nn.Identity())


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="occlusion"):
        attribution.get("magic")
