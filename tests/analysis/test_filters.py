import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import models
from explorer.analysis.inside.filters import BLUE_TO_RED, Filters, colour, first_layer_filters, grid
from explorer.data import catalog
from explorer.errors import CheckpointError
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, load_checkpoint, save_checkpoint

CLASSES = catalog.get("fashion-mnist").classes


def saved(path, model, options, half=False):
    torch.manual_seed(1)
    network = models.build(model, options)
    fields = {"format": FORMAT, "model": model, "options": options, "classes": CLASSES, "mean": 0.3, "std": 0.5}
    save_checkpoint(path, network, Metadata(**fields, versions=library_versions()), half=half)
    return network


def test_units_of_an_mlp_are_pictures_of_their_weights(tmp_path):
    network = saved(tmp_path / "a.safetensors", "mlp", {"hidden": [7, 5]})
    filters = first_layer_filters(load_checkpoint(tmp_path / "a.safetensors"))
    expected = dict(network.named_parameters())["1.weight"].detach().view(7, 28, 28).numpy()
    np.testing.assert_array_equal(filters.images, expected)
    assert (filters.kind, filters.layer, filters.of_classes) == ("weights", "1.weight", False)
    assert filters.names == tuple(f"unit {number}" for number in range(1, 8))
    assert filters.largest == np.abs(expected).max()


@pytest.mark.parametrize(
    ("model", "options", "shape"),
    [
        ("lenet", {"kernel": 3, "features": [6, 8]}, (6, 3, 3)),
        ("cnn", {}, (10, 5, 5)),
        ("cnn", {"leave_out": "conv1"}, (20, 5, 5)),
        ("resnet", {"width": 4}, (4, 3, 3)),
    ],
)
def test_convolutions_are_their_kernels(tmp_path, model, options, shape):
    network = saved(tmp_path / "a.safetensors", model, options)
    filters = first_layer_filters(tmp_path / "a.safetensors")
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    assert filters.images.shape == shape
    assert filters.kind == "kernels"
    np.testing.assert_array_equal(filters.images, first.weight.detach().numpy()[:, 0])


def test_without_hidden_layers_each_class_has_its_template(tmp_path):
    saved(tmp_path / "a.safetensors", "mlp", {"hidden": []})
    for source in (tmp_path / "a.safetensors", load_checkpoint(tmp_path / "a.safetensors")):
        filters = first_layer_filters(source)
        assert filters.of_classes
        assert filters.names == CLASSES
        assert filters.images.shape == (10, 28, 28)


def test_half_precision_and_bfloat16_are_read(tmp_path):
    network = saved(tmp_path / "half.safetensors", "mlp", {"hidden": [3]}, half=True)
    weights = network.state_dict()["1.weight"]
    found = first_layer_filters(tmp_path / "half.safetensors")
    np.testing.assert_array_equal(found.images.reshape(3, -1), weights.half().float().numpy())
    save_file({"1.weight": weights.bfloat16()}, tmp_path / "brain.safetensors")
    found = first_layer_filters(tmp_path / "brain.safetensors")
    np.testing.assert_array_equal(found.images.reshape(3, -1), weights.bfloat16().float().numpy())


def test_the_first_layer_is_first_by_number_not_by_letter():
    small, large = torch.ones(2, 1, 3, 3), torch.zeros(4, 2, 3, 3)
    filters = first_layer_filters({"10.weight": large, "9.weight": small, "9.bias": torch.zeros(2)})
    assert filters.layer == "9.weight"
    named = {"layer1.0.conv1.weight": large, "fc.weight": torch.zeros(10, 512), "bn1.weight": torch.ones(2)}
    assert first_layer_filters(named | {"conv1.weight": small}).layer == "conv1.weight"


def test_several_input_channels_are_averaged():
    weights = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).view(2, 3, 2, 2)
    np.testing.assert_allclose(first_layer_filters({"0.weight": weights}).images, weights.mean(1).numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"a.bias": torch.zeros(3)}, "neither"),
        ({}, "neither"),
        ({"a.weight": torch.zeros(3, 10)}, "no square image"),
        ({"a.weight": torch.full((3, 4), float("nan"))}, "not finite"),
        ({"a.weight": torch.zeros(0, 784)}, "not finite"),
    ],
)
def test_weights_without_pictures_are_refused(weights, words):
    with pytest.raises(CheckpointError, match=words):
        first_layer_filters(weights)


def test_a_damaged_or_missing_file_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"nonsense" * 20)
    for name in ("a.safetensors", "b.safetensors"):
        with pytest.raises(CheckpointError, match=name):
            first_layer_filters(tmp_path / name)


def test_foreign_metadata_is_not_believed(tmp_path):
    weights = {"0.weight": torch.ones(2, 4)}
    for text in ("[1]", "{", '{"classes": 3}', '{"classes": ["a"]}', "[" * 100_000):
        save_file(weights, tmp_path / "a.safetensors", {"explorer": text})
        assert first_layer_filters(tmp_path / "a.safetensors").names == ("unit 1", "unit 2")


def some(images):
    images = np.asarray(images, dtype=np.float32)
    return Filters(images, tuple(map(str, range(len(images)))), "kernels", "0.weight")


def test_the_grid_places_every_filter_with_one_scale():
    filters = some([np.full((2, 3), value) for value in (-4.0, 0.0, 4.0, 2.0, -2.0)])
    picture = grid(filters, 2, scale=3, gap=(0, 0, 0))
    assert picture.dtype == np.uint8
    assert picture.shape == (3 * (2 * 3 + 1) - 1, 2 * (3 * 3 + 1) - 1, 3)
    ends = np.round(255 * np.asarray(BLUE_TO_RED)).astype(np.uint8)
    seen = [picture[row * 7, column * 10].tolist() for row, column in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))]
    assert seen == [ends[index].tolist() for index in (0, 2, 4, 3, 1)]
    assert not picture[14:, 10:].any()  # the place of the sixth
    assert not picture[6].any()
    assert not picture[:, 9].any()


def test_the_grid_shows_no_more_than_asked_and_keeps_the_scale_of_all():
    filters = some([[[1.0]], [[0.0]], [[10.0]]])
    assert grid(filters, 5, shown=2).shape == (1, 3, 3)
    assert grid(filters, 5, shown=2)[0, 0].tolist() == colour(np.array(0.1), 1.0).tolist()


def test_weights_of_zero_have_the_middle_colour():
    middle = np.round(255 * np.asarray(BLUE_TO_RED[2])).astype(np.uint8)
    assert (grid(some(np.zeros((1, 4, 4))), 1) == middle).all()
