from math import prod

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import models
from models.registry import InputShape, build_meta
from models.summary import describe, layer_table

SHAPE = InputShape()


def table(name, **options):
    return layer_table(build_meta(name, options), SHAPE)


def test_lenet_by_hand():
    found = [(layer.kind, layer.output, layer.parameters, layer.multiply_adds) for layer in table("lenet", dropout=0.5)]
    assert found == [
        ("convolution 5x5, 32 maps", (32, 24, 24), 5 * 5 * 32 + 32, 24 * 24 * 32 * 25),
        ("ReLU", (32, 24, 24), 0, 0),
        ("max pooling 2x2", (32, 12, 12), 0, 0),
        ("convolution 5x5, 64 maps", (64, 8, 8), 5 * 5 * 32 * 64 + 64, 8 * 8 * 64 * 25 * 32),
        ("ReLU", (64, 8, 8), 0, 0),
        ("max pooling 2x2", (64, 4, 4), 0, 0),
        ("flatten", (1024,), 0, 0),
        ("fully connected, 1,024 outputs", (1024,), 1024 * 1024 + 1024, 1024 * 1024),
        ("ReLU", (1024,), 0, 0),
        ("dropout 0.5", (1024,), 0, 0),
        ("fully connected, 10 outputs", (10,), 10250, 10240),
    ]


@pytest.mark.parametrize("name", models.names())
def test_sums_agree_with_the_network_and_with_pytorch_s_flop_counter(name):
    network = build_meta(name, {})
    layers = layer_table(network, SHAPE)
    assert sum(layer.parameters for layer in layers) == sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.empty(1, 1, 28, 28, device="meta"))
    assert sum(layer.multiply_adds for layer in layers) == counter.get_total_flops() // 2
    assert layers[-1].output == (10,)


def test_every_layer_stands_where_it_is_executed():
    names = [layer.name for layer in table("resnet")]
    assert names.index("4.conv1") < names.index("4.conv2") < names.index("4.shortcut.1") < names.index("4.relu2")
    repeated = [layer.name for layer in table("resnet18")]
    assert repeated.count("layer1.0.relu") == 2


def test_a_layer_used_twice_computes_twice_but_has_its_parameters_once():
    shared = nn.Linear(4, 4)
    network = nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared)
    layers = layer_table(network, InputShape(1, 2, 4))
    assert [layer.parameters for layer in layers] == [0, 20, 0, 0]
    assert [layer.multiply_adds for layer in layers] == [0, 16, 0, 16]


def test_groups_and_frozen_parameters():
    convolution = nn.Conv2d(4, 8, 3, groups=2, bias=False)
    (layer,) = layer_table(convolution, InputShape(4, 5, 1))
    assert layer.kind == "convolution 3x3, 8 maps, 2 groups"
    assert layer.multiply_adds == prod((8, 3, 3)) * 9 * 2
    convolution.requires_grad_(False)
    assert layer_table(convolution, InputShape(4, 5, 1))[0].parameters == 0


def test_a_module_with_parts_and_parameters_of_its_own_is_counted():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.inner = nn.Flatten()

        def forward(self, x):
            return self.inner(x)[:, :3] * self.scale

    layers = layer_table(Scaled(), InputShape(1, 2, 3))
    assert [(layer.kind, layer.parameters) for layer in layers] == [("flatten", 0), ("scaled", 3)]


def test_the_network_is_only_read():
    network = models.build("cnn", {"after_first": "batch-norm"}).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layer_table(network, SHAPE)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(1, 1, 3, stride=2, padding=1), "convolution 3x3, 1 map, stride 2, padding 1"),
        (nn.Conv2d(1, 2, (3, 5), padding="same"), "convolution 3x5, 2 maps, padding same"),
        (nn.MaxPool2d(3, 2), "max pooling 3x3, stride 2"),
        (nn.AvgPool2d(2), "average pooling 2x2"),
        (nn.AdaptiveAvgPool2d(1), "average over the whole map"),
        (nn.Dropout2d(0.25), "dropout 0.25 of whole maps"),
        (nn.BatchNorm1d(3), "batch norm"),
        (nn.Tanh(), "tanh"),
        (nn.SiLU(), "SiLU"),
        (nn.LogSoftmax(1), "log softmax"),
        (nn.Linear(2, 1), "fully connected, 1 output"),
    ],
)
def test_kinds_in_words(module, words):
    assert describe(module) == words
