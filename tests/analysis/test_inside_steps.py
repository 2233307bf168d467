"""The steps of a network, its activations, kernels and receptive fields, against PyTorch used directly."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import models
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.analysis.inside.activations import activations
from explorer.analysis.inside.arithmetic import arithmetic
from explorer.analysis.inside.kernels import kernels, receptive_fields, weighted
from explorer.analysis.inside.steps import following, hidden, observe, steps
from explorer.errors import CheckpointError, ConfigError
from explorer.store.checkpoints import Classifier

NETWORKS = [
    ("mlp", {"hidden": []}),
    ("mlp", {"hidden": [12, 7], "batch_norm": True, "activation": "tanh", "dropout": 0.5}),
    ("lenet", {"features": [3, 4], "dense": 9, "kernel": 3, "padding": 1, "stride": 2}),
    ("cnn", {"width": 0.5, "after_first": "batch-norm-dropout"}),
    ("resnet", {"width": 2, "depth": 3}),
]
IMAGE = np.random.default_rng(2).integers(0, 256, (28, 28), dtype=np.uint8)


def made(name="lenet", options=None, seed=0):
    torch.manual_seed(seed)
    network = models.build(name, options or {})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return Classifier(network, 0.3, 0.35)


def recorded(model, image):
    """What every module returned, by a hook on a copy of our own; several calls in a list."""
    model, seen = copy.deepcopy(model).eval(), {}
    for name, module in model.network.named_modules():
        module.register_forward_hook(lambda m, i, o, name=name: seen.setdefault(name, []).append(o[0].clone()))
    with torch.no_grad():
        model(to_pixels(image[None]))
    return seen


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_activations_are_what_the_layers_return(name, options):
    model = made(name, options)
    seen = recorded(model, IMAGE)
    found = activations(model, IMAGE)
    assert len(found) >= 2
    for one in found:
        expected = seen[one.step.name][one.step.call]
        np.testing.assert_allclose(one.values, expected.numpy(), rtol=1e-5, atol=1e-6)
        assert one.step.shape == tuple(expected.shape)
    assert found[-1].step.shape == (10,)
    assert model.training, "the mode of the shared model is left alone"
    assert not any(module._forward_hooks for module in model.modules())


def test_a_module_used_twice_and_in_place_shows_each_output():
    pytest.importorskip("torchvision")
    model = made("resnet18", {})
    seen = recorded(model, IMAGE)
    found = {one.step.key: one for one in activations(model, IMAGE)}
    for call, key in enumerate(("layer1.0.relu", "layer1.0.relu#2")):
        np.testing.assert_allclose(found[key].values, seen["layer1.0.relu"][call].numpy(), rtol=1e-4, atol=1e-5)
    norm = found["layer1.0.bn1"]
    assert norm.step.stage == "before"
    assert norm.values.min() < 0, "taken before the ReLU overwrote it"
    units = {one.key for one in hidden(steps(model))}
    assert {"relu", "layer1.0.relu", "layer1.0.relu#2", "layer1.0.bn2"} <= units
    fields = receptive_fields(model, "conv1")
    assert fields.shape == (14, 14, 4)
    assert fields[7, 7].tolist() == [11, 11, 17, 17]


def test_stages_and_chains_are_named():
    known = {one.key: one for one in steps(made("mlp", {"hidden": [5], "batch_norm": True}))}
    assert {key: one.stage for key, one in known.items()} == {
        "0": "",
        "1": "before",
        "2": "before",
        "3": "after",
        "4": "",
    }
    listed = tuple(known.values())
    assert [one.key for one in following(listed, known["1"])] == ["2", "3"]
    assert [one.key for one in hidden(listed)] == ["3"]
    cnn = steps(made("cnn", {}))
    first = next(one for one in cnn if one.role == "weights")
    assert [one.role for one in following(cnn, first)] == ["pool", "activation"]
    assert [one.shape for one in hidden(cnn)] == [(10, 12, 12), (20, 4, 4), (50,)]
    assert hidden(steps(made("mlp", {"hidden": []}))) == ()
    plain = steps(made("mlp", {"hidden": [6], "activation": "identity"}))
    assert [one.function for one in hidden(plain)] == ["Linear"]


def test_the_short_cut_of_a_residual_block_is_no_part_of_a_chain():
    known = steps(made("resnet", {"width": 2, "depth": 3}))
    by_key = {one.key: one for one in known}
    assert [one.key for one in following(known, by_key["0"])] == ["1", "2"]
    assert [one.key for one in following(known, by_key["3.conv2"])] == ["3.norm2"]
    assert {"2", "3.relu1", "3.norm2", "3.relu2"} <= {one.key for one in hidden(known)}


def test_an_unknown_layer_is_refused():
    model = made("mlp", {"hidden": [4]})
    for call in (lambda: observe(model, {"nothing": None}), lambda: kernels(model, "2"), lambda: kernels(model, "x")):
        with pytest.raises(ConfigError, match="no layer"):
            call()


def test_weights_that_are_not_finite_are_refused():
    model = made("mlp", {"hidden": [4]})
    with torch.no_grad():
        model.network[1].weight[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match="not finite"):
        kernels(model, "1")
    with pytest.raises(CheckpointError, match="not finite"):
        activations(model, IMAGE)


def test_kernels_are_the_weights_by_output_and_input():
    model = made("lenet", {"features": [3, 4], "dense": 6, "kernel": 3})
    second = kernels(model, "3")
    weights = model.network[3].weight.detach().numpy()
    assert second.n == 12
    assert second.place(7) == (2, 1)
    np.testing.assert_array_equal(second.picture(7), weights[2, 1])
    np.testing.assert_array_equal(second.bias, model.network[3].bias.detach().numpy())
    dense = kernels(model, "7")
    assert dense.weights.shape == (6, 4, 5, 5)
    np.testing.assert_array_equal(
        dense.picture(4 * 5 + 3), model.network[7].weight.detach().numpy()[5].reshape(4, 5, 5)[3]
    )
    assert not dense.is_matrix
    assert kernels(model, "9").is_matrix
    assert [one.key for one in weighted(steps(model))] == ["0", "3", "7", "9"]
    pictures = kernels(made("mlp", {"hidden": [5]}), "1")
    assert pictures.weights.shape == (5, 1, 28, 28)


CONVOLUTIONS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (3, 5), "stride": (2, 1), "padding": (0, 3), "dilation": (2, 1)},
    {"kernel_size": 4, "padding": "same", "bias": False},
    {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2},
    {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "replicate"},
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_the_arithmetic_of_any_convolution_is_that_of_pytorch(options):
    torch.manual_seed(4)
    layer = nn.Conv2d(4, 6, **options)
    model = Classifier(nn.Sequential(nn.Conv2d(1, 4, 3), layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(10)), 0.2, 0.5)
    pixels = to_pixels(IMAGE[None])
    model(pixels)
    with torch.no_grad():
        output = layer(model.network[0]((pixels - 0.2) / 0.5))[0]
    height, width = output.shape[1:]
    for unit, row, column in [(0, 0, 0), (5, height - 1, width - 1), (3, height // 2, 0), (2, 1, width // 2)]:
        found = arithmetic(model, IMAGE, "1", unit, (row, column))
        assert found.output == pytest.approx(output[unit, row, column].item(), abs=1e-6)
        assert found.total == pytest.approx(found.output, abs=1e-5)
        assert found.sums.sum() + (found.bias or 0) == pytest.approx(found.total)
        assert found.then[0].value == pytest.approx(np.tanh(found.output), abs=1e-5)
        assert found.then[0].position == (row, column)
        outside = [not 0 <= found.corner[0] + i * found.dilation[0] < 26 for i in range(found.kernel.shape[1])]
        assert found.padded.all(axis=1).tolist() == outside


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_the_arithmetic_of_every_layer_adds_up(name, options):
    model = made(name, options, seed=3)
    seen = recorded(model, IMAGE)
    for step in weighted(steps(model)):
        unit = step.units - 1
        found = arithmetic(model, IMAGE, step.key, unit)
        expected = seen[step.name][0][unit]
        expected = expected[found.position] if found.position else expected
        assert found.total == pytest.approx(expected.item(), abs=1e-5)
        assert found.output == pytest.approx(expected.item(), abs=1e-6)
        for then in found.then:
            value = seen[then.step.name][0][unit]
            assert then.value == pytest.approx((value[then.position] if then.position else value).item(), abs=1e-6)


def test_a_pooled_number_is_followed_to_its_square():
    model = made("cnn", {})
    found = arithmetic(model, IMAGE, "0", 3, (5, 9))
    pool, relu = found.then
    assert pool.position == relu.position == (2, 4)
    maps = recorded(model, IMAGE)["0"][0][3]
    assert pool.value == pytest.approx(maps[4:6, 8:10].max().item(), abs=1e-6)
    assert relu.value == pytest.approx(max(pool.value, 0))


def test_the_largest_contributions_come_first_and_keep_their_place():
    model = made("mlp", {"hidden": [5]})
    found = arithmetic(model, IMAGE, "1", 2)
    pixels = (to_pixels(IMAGE[None])[0, 0].numpy() - 0.3) / 0.35
    products = pixels * model.network[1].weight[2].detach().numpy().reshape(28, 28)
    np.testing.assert_allclose(found.products[0], products, atol=1e-6)
    order = np.argsort(-np.abs(products).ravel())[:6]
    assert [28 * row + column for _, row, column in found.largest(6)] == order.tolist()


@pytest.mark.parametrize(("unit", "position"), [(99, None), (-1, None), (0, (24, 0)), (0, (0, -1))])
def test_a_unit_or_position_that_does_not_exist_is_refused(unit, position):
    with pytest.raises(ConfigError, match="Choose one of them"):
        arithmetic(made("lenet", {"features": [2, 2], "dense": 3}), IMAGE, "0", unit, position)


def test_receptive_fields_are_those_of_the_arithmetic_and_of_gradients():
    model = made("lenet", {"features": [3, 4], "dense": 6})
    first = receptive_fields(model, "0")
    assert first.shape == (24, 24, 4)
    assert first[0, 0].tolist() == [0, 0, 4, 4]
    assert first[10, 23].tolist() == [10, 23, 14, 27]
    second = receptive_fields(model, "3")  # 5x5 after 2x2 pooling after 5x5
    assert second[0, 0].tolist() == [0, 0, 13, 13]
    assert second[7, 2].tolist() == [14, 4, 27, 17]
    padded = Classifier(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(1568, 10)), 0.2, 0.5)
    assert receptive_fields(padded, "0")[0, 27].tolist() == [0, 26, 1, 27]


def test_the_field_of_a_residual_network_holds_every_pixel_with_a_gradient():
    model = made("resnet", {"width": 2, "depth": 3}).eval()
    pixels = to_pixels(np.random.default_rng(1).integers(0, 256, (1, 28, 28), dtype=np.uint8)).requires_grad_()
    values = (pixels - model.mean) / model.std
    for layer in model.network[:4]:
        values = layer(values)
    row, column = divmod(int(values[0, 0, 4:24, 4:24].argmax()), 20)
    (gradient,) = torch.autograd.grad(values[0, 0, row + 4, column + 4], pixels)
    top, left, bottom, right = receptive_fields(model, "3.relu2")[row + 4, column + 4]
    assert (bottom - top + 1, right - left + 1) == (7, 7)  # three 3x3 convolutions
    inside = np.zeros((28, 28), bool)
    inside[top : bottom + 1, left : right + 1] = True
    assert not gradient[0, 0].numpy()[~inside].any()
    assert gradient[0, 0].numpy()[inside].any()


@pytest.mark.parametrize(
    ("name", "options", "key", "position"), [("cnn", {}, "3", (2, 4)), ("mlp", {"hidden": [5]}, "1", None)]
)
def test_the_table_of_one_output_adds_up_and_says_of_which(name, options, key, position):
    from explorer.ui.inside.arithmetic import table

    found = arithmetic(made(name, options), IMAGE, key, 2, position)
    header, rows = table(found)
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert {(line["unit"], line["output_row"], line["output_column"]) for line in lines} == {
        (2, *(position or (None, None)))
    }
    products = [line for line in lines if line["part"] == "product"]
    assert all(line["amount"] == pytest.approx(line["value"] * line["weight"]) for line in products)
    bias, total = lines[-2:]
    assert (bias["part"], total["part"]) == ("bias", "sum")
    assert sum(line["amount"] for line in products) + bias["amount"] == pytest.approx(found.output, abs=1e-4)
    assert total["amount"] == pytest.approx(found.output, abs=1e-4)
