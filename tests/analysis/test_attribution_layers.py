"""What a model is asked before a method is offered for it."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import models
from explorer.analysis.attribution import METHODS, layers
from explorer.analysis.trace import trace
from explorer.errors import ConfigError
from explorer.store.checkpoints import Classifier

WITHOUT_MAPS = {"grad-cam", "layer-activation"}


def _built(name, **options):
    torch.manual_seed(0)
    return Classifier(models.build(name, options), 0.3, 0.35).eval()


class Body(nn.Module):
    """A convolution and an output layer with one layer or function between them."""

    def __init__(self, between):
        super().__init__()
        self.conv, self.between, self.out = nn.Conv2d(1, 2, 5), between, nn.Linear(2 * 24 * 24, 10)

    def forward(self, x):
        return self.out(self.between(self.conv(x)).flatten(1))


class Twice(nn.Module):
    """Uses one ReLU twice, as the residual blocks of torchvision do."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.relu(x) - 0.1)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("lenet", {}, "network.4"),
        ("cnn", {}, "network.5"),
        ("cnn", {"leave_out": "conv2", "after_first": "batch-norm"}, "network.2"),
        ("resnet", {}, "network.6"),
        ("resnet", {"depth": 3, "width": 2}, "network.5"),
    ],
)
def test_the_usual_layer_is_that_of_the_last_convolution(name, options, expected):
    model = _built(name, **options)
    usual = layers.default(model)
    assert usual.name == expected
    assert usual in layers.candidates(model)
    assert layers.choose(model, "") == expected
    with torch.no_grad():
        seen = []
        model.get_submodule(expected).register_forward_hook(lambda *call: seen.append(call[2].shape[1:]))
        model(torch.zeros(1, 1, 28, 28))
    assert tuple(seen[0]) == usual.shape


def test_every_candidate_can_be_shown():
    model = _built("resnet", width=2, depth=3)
    names = [layer.name for layer in layers.candidates(model)]
    assert {"network.0", "network.3.conv1", "network.5.shortcut.1", "network.5"} <= set(names)
    assert len(set(names)) == len(names)
    for name in names:
        result = METHODS["grad-cam"].attribute(model, torch.rand(1, 1, 28, 28), torch.tensor([1]), layer=name)
        assert result.shape == (1, 1, 28, 28)


def test_a_layer_says_what_it_is():
    assert layers.candidates(_built("lenet"))[0].title == "Conv2d · 32 maps of 24 × 24 (network.0)"


def test_a_layer_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigError, match=r"network\.0"):
        METHODS["grad-cam"].explain(
            _built("lenet"), torch.zeros(1, 1, 28, 28), torch.tensor([1]), {"layer": "network.6"}
        )
    with pytest.raises(ConfigError, match="none that is larger"):
        layers.choose(_built("mlp"), "")


@pytest.mark.parametrize("name", ["mlp", "cnn", "lenet", "resnet"])
def test_every_method_suits_the_shipped_architectures(name):
    model = _built(name)
    refused = {key for key, method in METHODS.items() if not method.is_compatible(model)}
    assert refused == (WITHOUT_MAPS if name == "mlp" else set())


def test_deep_lift_does_not_suit_the_residual_blocks_of_torchvision():
    model = _built("resnet18")
    assert "network.layer1.0.relu 2 times" in METHODS["deep-lift"].objection(model)
    refused = {key for key, method in METHODS.items() if not method.is_compatible(model)}
    assert refused == {"deep-lift"}
    assert layers.default(model).name == "network.layer3.1"
    assert layers.default(model).shape == (256, 2, 2)


@pytest.mark.parametrize("activation", ["relu", "leaky-relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus"])
def test_activations_without_a_rule_are_named(activation):
    model = _built("mlp", activation=activation)
    objection = METHODS["deep-lift"].objection(model)
    assert (objection is None) == (activation not in ("gelu", "silu"))
    assert objection is None or f"function {activation}" in objection
    assert METHODS["guided-backpropagation"].is_compatible(model) == (activation == "relu")


@pytest.mark.parametrize("function", [functional.relu, torch.relu, lambda x: x.relu(), lambda x: x.clone().relu_()])
def test_an_activation_outside_of_a_layer_is_noticed(function):
    model = Body(function)
    assert "function relu" in METHODS["deep-lift"].objection(model)
    assert "relu as a function (in its forward pass)" in METHODS["guided-backpropagation"].objection(model)


def test_what_deep_lift_has_no_rule_for():
    objection = METHODS["deep-lift"].objection
    assert "between.relu 2 times" in objection(Body(Twice()))
    assert objection(Body(nn.Sequential(nn.ReLU(), nn.Tanh()))) is None
    assert "overlap" in objection(Body(nn.MaxPool2d(3, stride=1, padding=1)))
    assert METHODS["guided-backpropagation"].is_compatible(Body(Twice()))


def test_a_trace_leaves_the_model_alone():
    model = Body(nn.ReLU()).train()
    found = trace(model)
    assert [call.name for call in found.calls] == ["conv", "between", "out", ""]
    assert [call.shape for call in found.calls] == [(2, 24, 24), (2, 24, 24), (10,), (10,)]
    assert [(bend.function, bend.call) for bend in found.bends] == [("relu", "between")]
    assert all(module.training and not module._forward_hooks for module in model.modules())
