"""Sizes and layers of the architectures against formulas, published counts and torchvision."""

import itertools

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

import models
from explorer.errors import ConfigError


def _count(name, options):
    return sum(parameter.numel() for parameter in models.build(name, options).parameters())


def _kinds(name, options):
    return [type(layer) for layer in models.build(name, options)]


@pytest.mark.parametrize("hidden", [[], [1], [100], [300, 100], [128] * 5])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_mlp_parameters(hidden, batch_norm):
    widths = [784, *hidden, 10]
    expected = sum((before + 1) * after for before, after in itertools.pairwise(widths))
    expected += 2 * sum(hidden) * batch_norm
    assert _count("mlp", {"hidden": hidden, "batch_norm": batch_norm}) == expected


def test_mlp_order_of_layers():
    options = {"hidden": [8, 4], "batch_norm": True, "dropout": 0.3, "activation": "tanh"}
    block = [nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Dropout]
    assert _kinds("mlp", options) == [nn.Flatten, *block, *block, nn.Linear]


def test_one_number_stands_for_one_hidden_layer():
    assert models.get("mlp").validate({"hidden": 50}).hidden == (50,)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", F.relu),
        ("leaky-relu", F.leaky_relu),
        ("elu", F.elu),
        ("gelu", F.gelu),
        ("silu", F.silu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("softplus", F.softplus),
        ("identity", lambda x: x),
    ],
)
def test_mlp_computes_its_activation(name, function):
    network = models.build("mlp", {"hidden": [16], "activation": name})
    images = torch.randn(5, 1, 28, 28)
    expected = network[3](function(network[1](images.flatten(1))))
    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(
    ("scheme", "bound", "deviation"),
    [("xavier", (6 / 1184) ** 0.5, (2 / 1184) ** 0.5), ("he", (6 / 784) ** 0.5, (2 / 784) ** 0.5)],
)
def test_uniform_initialisation(scheme, bound, deviation):
    torch.manual_seed(0)
    layer = models.build("mlp", {"hidden": [400], "initialisation": scheme})[1]
    assert layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.01)
    assert layer.bias.abs().max() == 0


def test_other_initialisations():
    torch.manual_seed(0)
    normal = models.build("lenet", {"initialisation": "normal"})
    assert normal[7].weight.std().item() == pytest.approx(0.01, rel=0.01)
    zeros = models.build("lenet", {"initialisation": "zeros"})
    assert sum(parameter.abs().sum() for parameter in zeros.parameters()) == 0


def test_lenet_parameters():
    convolutions = 32 * (25 + 1) + 64 * (32 * 25 + 1)
    dense = 1024 * (64 * 4 * 4 + 1) + 10 * (1024 + 1)
    assert _count("lenet", {}) == convolutions + dense == 1_111_946


def test_lenet_order_of_layers():
    conv, pool = [nn.Conv2d, nn.ReLU, nn.MaxPool2d], [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear]
    assert _kinds("lenet", {}) == [*conv, *conv, *pool]
    assert nn.AvgPool2d in _kinds("lenet", {"pooling": "average"})
    assert nn.MaxPool2d not in _kinds("lenet", {"pooling": "average"})


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 2), (2, 3)])
def test_lenet_dense_layer_takes_what_the_convolutions_give(kernel, stride, padding):
    options = {"features": [4, 6], "dense": 8, "kernel": kernel, "stride": stride, "padding": padding}
    network = models.build("lenet", options)
    convolutions = nn.Sequential(*list(network)[:6])
    assert network[7].in_features == convolutions(torch.zeros(1, 1, 28, 28)).numel()


CNN_PARTS = {"conv1": 10 * 26, "conv2": 20 * 251, "dense": 50 * 321, "out": 10 * 51}


def test_cnn_parameters():
    assert _count("cnn", {}) == sum(CNN_PARTS.values()) == 21_840


def test_cnn_order_of_layers():
    assert _kinds("cnn", {}) == [
        *(nn.Conv2d, nn.MaxPool2d, nn.ReLU),
        *(nn.Conv2d, nn.Dropout2d, nn.MaxPool2d, nn.ReLU),
        *(nn.Flatten, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear),
    ]


@pytest.mark.parametrize("width", [0.01, 0.5, 2, 3.3])
def test_cnn_width_multiplies_convolutions_and_dense_layer(width):
    first, second, units = (max(1, round(count * width)) for count in (10, 20, 50))
    expected = first * 26 + second * (25 * first + 1) + units * (16 * second + 1) + 10 * (units + 1)
    assert _count("cnn", {"width": width}) == expected


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        ("nothing", []),
        ("batch-norm", [nn.BatchNorm2d]),
        ("batch-norm-dropout", [nn.BatchNorm2d, nn.Dropout]),
        ("dropout-batch-norm", [nn.Dropout, nn.BatchNorm2d]),
    ],
)
def test_cnn_after_the_first_convolution(after, kinds):
    plain = _kinds("cnn", {})
    assert _kinds("cnn", {"after_first": after}) == [plain[0], *kinds, *plain[1:]]


@pytest.mark.parametrize(
    ("layer", "kind", "parameters"),
    [
        ("conv1", nn.Conv2d, 20 * 26 + 50 * (20 * 25 + 1) + 510),
        ("pool1", nn.MaxPool2d, 260 + 5020 + 50 * (20 * 100 + 1) + 510),
        ("conv2", nn.Conv2d, 260 + 50 * (10 * 36 + 1) + 510),
        ("dropout2d", nn.Dropout2d, 21_840),
        ("pool2", nn.MaxPool2d, 260 + 5020 + 50 * (20 * 64 + 1) + 510),
        ("dense", nn.Linear, 260 + 5020 + 10 * 321),
        ("dropout", nn.Dropout, 21_840),
    ],
)
def test_cnn_without_one_layer(layer, kind, parameters):
    full, without = _kinds("cnn", {}), _kinds("cnn", {"leave_out": layer})
    assert without.count(kind) == full.count(kind) - 1
    assert _count("cnn", {"leave_out": layer}) == parameters
    assert models.build("cnn", {"leave_out": layer})(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_cnn_extra_convolution_keeps_the_size():
    assert _count("cnn", {"extra_conv": True}) == 21_840 + 20 * (20 * 9 + 1)
    assert _kinds("cnn", {"extra_conv": True}).count(nn.Conv2d) == 3


@pytest.mark.parametrize("dropout", [0, 1])
def test_cnn_dropout_at_its_ends(dropout):
    network = models.build("cnn", {"dropout": dropout}).train()
    one, two = (network(torch.ones(1, 1, 28, 28)) for _ in range(2))
    torch.testing.assert_close(one, two)
    if dropout == 1:
        torch.testing.assert_close(one[0], network[-1].bias)


@pytest.mark.parametrize(("width", "depth", "stages"), [(24, 4, (1, 1, 2)), (5, 3, (1, 1, 1)), (8, 8, (2, 3, 3))])
def test_resnet_parameters(width, depth, stages):
    expected, channels = 9 * width + 2 * width, width
    for stage, blocks in enumerate(stages):
        for _ in range(blocks):
            features = width * 2**stage
            expected += 9 * channels * features + 9 * features**2 + 4 * features
            expected += channels * features + 2 * features if channels != features else 0
            channels = features
    expected += 10 * (channels + 1)
    assert _count("resnet", {"width": width, "depth": depth}) == expected
    options = {"stages": [width, 2 * width, 4 * width], "blocks": stages}
    assert models.get("resnet").validate({"width": width, "depth": depth}) == models.get("resnet").validate(options)


def test_resnet_with_stages_of_ones_own():
    network = models.build("resnet", {"stages": [4, 6, 6, 10], "blocks": [1, 2, 1, 1]}).eval()
    maps, images = [], torch.zeros(1, 1, 28, 28)
    for layer in network:
        images = layer(images)
        maps.append(tuple(images.shape[1:]))
    assert maps[3:8] == [(4, 28, 28), (6, 14, 14), (6, 14, 14), (6, 7, 7), (10, 4, 4)]
    short_cut = F.avg_pool2d(torch.arange(49.0).view(1, 1, 7, 7), 2, ceil_mode=True)
    assert short_cut[0, 0, -1, -1] == 48, "what there is of an odd edge is averaged"
    with pytest.raises(ConfigError, match="equally long"):
        models.get("resnet").validate({"stages": [4, 8], "blocks": [1]})


def test_resnet_stages_halve_the_map():
    network = models.build("resnet", {"width": 4, "depth": 3}).eval()
    sizes, images = [], torch.zeros(1, 1, 28, 28)
    for layer in network:
        images = layer(images)
        sizes.append(tuple(images.shape[1:]))
    assert sizes[2:6] == [(4, 28, 28), (4, 28, 28), (8, 14, 14), (16, 7, 7)]


def test_resnet_block_adds_its_shortcut():
    torch.manual_seed(0)
    block = models.build("resnet", {"width": 4, "depth": 3}).eval()[4]
    x = torch.randn(2, 4, 28, 28)
    inner = block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x)))))
    _, project, norm = block.shortcut
    torch.testing.assert_close(block(x), F.relu(inner + norm(project(F.avg_pool2d(x, 2)))))


def test_resnet18_is_torchvisions():
    reference = torchvision.models.resnet18(weights=None, num_classes=10)
    ours = models.build("resnet18", {})
    assert list(ours.state_dict()) == list(reference.state_dict())
    differing = {
        name for name, tensor in ours.state_dict().items() if tensor.shape != reference.state_dict()[name].shape
    }
    assert differing == {"conv1.weight"}
    published = torchvision.models.ResNet18_Weights.DEFAULT.meta["num_params"]
    assert _count("resnet18", {}) == published - 2 * 64 * 49 - 990 * 513


def test_resnet18_computes_what_torchvision_does():
    torch.manual_seed(0)
    ours = models.build("resnet18", {}).eval()
    reference = torchvision.models.resnet18(weights=None, num_classes=10).eval()
    weights = ours.state_dict()
    weights["conv1.weight"] = weights["conv1.weight"].expand(-1, 3, -1, -1) / 3
    reference.load_state_dict(weights)
    images = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(ours(images), reference(images.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)
