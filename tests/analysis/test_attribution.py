"""What holds for every method."""

import contextlib
import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from explorer.analysis import attribution
from explorer.analysis.attribution import METHODS, Target, baselines
from explorer.analysis.attribution.completeness import completeness_error
from explorer.errors import CheckpointError, ConfigError
from explorer.store.checkpoints import Classifier

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
NEEDS_MAPS = {"grad-cam", "layer-activation"}
NEEDS_RELU = {"guided-backpropagation"}
LINEAR_IN_THE_SCORE = [
    ("input-gradient", {}),
    ("input-x-gradient", {}),
    ("smoothgrad", {"samples": 3}),
    ("integrated-gradients", {"n_steps": 8}),
    ("deep-lift", {}),
    ("occlusion", {"window": 7, "stride": 7}),
    ("feature-ablation", {"patch": 7}),
    ("grad-cam", {"positive_only": False}),
]


@pytest.fixture
def convnet():
    """Convolution, pooling and ReLU in a row, batch norm and dropout; left in training mode on purpose."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2),
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(6 * 16, 10),
    )
    return Classifier(network, mean=0.3, std=0.35).train()


@pytest.fixture
def pixels():
    return torch.rand((3, 1, 28, 28), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def target():
    return torch.tensor([0, 9, 5])


@every_method
def test_maps_are_shaped_like_the_pixels(method, convnet, pixels, target):
    result = method.attribute(convnet, pixels, target)
    assert result.shape == pixels.shape
    assert result.dtype == torch.float32
    assert not result.requires_grad
    assert result.abs().max() > 0
    assert method.attribute(convnet, pixels[:0], target[:0]).shape == (0, 1, 28, 28)
    double = method.attribute(convnet.double(), pixels.double(), target)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), result, atol=1e-4, rtol=1e-3)


@every_method
def test_an_image_does_not_see_the_others(method, convnet, pixels, target):
    together = method.attribute(convnet, pixels, Target(target, (target + 1) % 10))
    for row in range(3):
        one = Target(target[row : row + 1], (target[row : row + 1] + 1) % 10)
        alone = method.attribute(convnet, pixels[row : row + 1], one)
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "deep-lift"])
def test_images_in_several_passes_equal_one_pass(name, convnet, pixels, target, monkeypatch):
    module = inspect.getmodule(METHODS[name].attribute)
    expected = METHODS[name].attribute(convnet, pixels, target)
    monkeypatch.setattr(module, "PASS_SIZE", {"occlusion": 100}.get(name, 2))
    torch.testing.assert_close(METHODS[name].attribute(convnet, pixels, target), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "options"), LINEAR_IN_THE_SCORE)
def test_the_map_of_a_margin_is_the_difference_of_two_maps(name, options, convnet, pixels, target):
    method, against = METHODS[name], torch.tensor([1, 1, 0])
    margin = method.explain(convnet, pixels, Target(target, against), options)
    first, second = (method.explain(convnet, pixels, one, options) for one in (target, against))
    torch.testing.assert_close(margin, first - second, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_image_has_a_finite_map(name, value, convnet):
    image = torch.full((1, 1, 28, 28), value)
    assert torch.isfinite(METHODS[name].attribute(convnet, image, torch.tensor([2]))).all()
    assert convnet.training


class Failing(nn.Module):
    """Raises as soon as it computes."""

    def forward(self, x):
        raise RuntimeError("cancelled")


def _state(model):
    return [
        (m.training, len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks), len(vars(m)))
        for m in model.modules()
    ] + [(p.requires_grad, p.grad is None, p.data_ptr(), float(p.detach().sum())) for p in model.parameters()]


@every_method
@pytest.mark.parametrize("fails", [False, True])
def test_modes_hooks_flags_and_weights_are_as_before(method, convnet, pixels, target, fails):
    next(convnet.parameters()).requires_grad_(False)
    convnet.network[4].eval()
    if fails:
        convnet.network[7] = Failing()
    before = _state(convnet)
    with pytest.raises(RuntimeError, match="cancelled") if fails else contextlib.nullcontext():
        method.explain(convnet, pixels, target)
    assert _state(convnet) == before
    assert convnet.network[2].inplace


@every_method
def test_pixels_are_only_read(method, convnet, pixels, target):
    before = pixels.clone()
    method.attribute(convnet, pixels, target)
    assert torch.equal(pixels, before)
    assert not pixels.requires_grad
    assert pixels.grad is None


@every_method
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_the_callers_gradient_mode_does_not_matter(method, context, convnet, pixels, target):
    expected = method.attribute(convnet, pixels, target)
    with context():
        torch.testing.assert_close(method.explain(convnet, pixels * 1, target * 1), expected)


def test_threads_sharing_a_classifier_get_what_each_gets_alone(convnet, pixels, target):
    alone = {name: method.attribute(convnet, pixels, target) for name, method in METHODS.items()}
    names = [*METHODS] * 4
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda name: METHODS[name].explain(convnet, pixels, target), names))
    for name, result in zip(names, together, strict=True):
        torch.testing.assert_close(result, alone[name])


@every_method
@pytest.mark.parametrize("place", [0, 8])
def test_weights_that_are_not_numbers_are_refused(method, place, convnet, pixels, target):
    with torch.no_grad():
        convnet.network[place].bias[0] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        method.attribute(convnet, pixels, target)


def test_a_map_that_is_not_finite_is_refused(pixels, target):
    layer = nn.Linear(784, 10)
    with torch.no_grad():
        layer.weight.fill_(3e38)
    model = Classifier(nn.Sequential(nn.Flatten(), layer), mean=0.0, std=0.1)
    with pytest.raises(CheckpointError, match="map"):
        METHODS["input-gradient"].attribute(model, torch.zeros_like(pixels), target)


@every_method
def test_a_class_that_does_not_exist_is_refused(method, convnet, pixels):
    for wrong in (torch.tensor([0, 10, 1]), torch.tensor([0, -1, 1])):
        with pytest.raises(ConfigError, match="10 classes"):
            method.attribute(convnet, pixels, wrong)
    with pytest.raises(ConfigError, match="two different classes"):
        method.attribute(convnet, pixels, Target(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 1])))


@every_method
def test_a_method_says_what_it_is(method):
    assert attribution.get(method.name) is method
    assert method.title
    assert method.summary.endswith(".")
    assert method.unit
    assert method.reference[-6:-1].strip("(").isdigit()
    parameters = inspect.signature(method.attribute).parameters.values()
    keywords = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
    fields = method.options.model_fields
    assert keywords.keys() == fields.keys()
    for name, field in fields.items():
        assert field.title
        assert field.description.endswith(".")
        assert field.default == (keywords[name] or "black" if name == "baseline" else keywords[name])


def test_an_unknown_method_or_option_is_refused():
    with pytest.raises(ConfigError, match="occlusion"):
        attribution.get("magic")
    with pytest.raises(ConfigError, match=r"'window'.*less than or equal to 14"):
        METHODS["occlusion"].validate({"window": 99})
    with pytest.raises(ConfigError, match="gaps"):
        METHODS["occlusion"].validate({"window": 2, "stride": 3})
    with pytest.raises(ConfigError, match="no option 'wndow'"):
        METHODS["occlusion"].with_options({"wndow": 3})


@every_method
def test_what_suits_a_model_is_known(method, convnet, linear):
    assert method.is_compatible(convnet)
    plain, _ = linear
    assert method.is_compatible(plain) == (method.name not in NEEDS_MAPS | NEEDS_RELU)
    if not method.is_compatible(plain):
        with pytest.raises(ConfigError, match=method.title):
            method.explain(plain, torch.zeros(1, 1, 28, 28), torch.tensor([0]))


@pytest.mark.parametrize("kind", ["black", "mean", "blurred"])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.complete])
def test_what_is_complete_adds_up(name, kind, convnet, pixels, target):
    convnet, pixels = convnet.double(), pixels.double()
    mean, wanted = torch.rand_like(pixels[:1]), Target(target, (target + 1) % 10)
    options = {"baseline": kind} | ({"n_steps": 256} if name == "integrated-gradients" else {})
    maps = METHODS[name].explain(convnet, pixels, wanted, options, mean)
    start = baselines.image(kind, pixels, mean)
    convnet.eval()
    with torch.no_grad():
        gained = convnet(pixels) - convnet(start)
    expected = gained[range(3), wanted.classes] - gained[range(3), wanted.against]
    tolerance = 0.02 if name == "integrated-gradients" else 1e-9
    torch.testing.assert_close(maps.sum(dim=(1, 2, 3)), expected, atol=tolerance, rtol=0)
    error = completeness_error(convnet, pixels, wanted, maps + 1.0, baseline=start)
    torch.testing.assert_close(error - 784, maps.sum(dim=(1, 2, 3)) - expected)


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if "baseline" in method.options.model_fields]
)
def test_the_mean_baseline_needs_the_mean_image(name, convnet, pixels, target):
    with pytest.raises(ConfigError, match="mean"):
        METHODS[name].with_options({"baseline": "mean"})
    black = METHODS[name].explain(convnet, pixels, target)
    mean = METHODS[name].explain(convnet, pixels, target, {"baseline": "mean"}, torch.zeros(1, 1, 28, 28))
    blurred = METHODS[name].explain(convnet, pixels, target, {"baseline": "blurred"})
    torch.testing.assert_close(black, mean)
    assert not torch.allclose(black, blurred)
