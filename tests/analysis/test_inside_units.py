"""Dead units, exciting images, ablation, the map and saved files, against NumPy, scikit-learn and ONNX Runtime."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save_file
from sklearn.decomposition import PCA
from torch import nn

import models
from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import Predictions, predict, to_pixels
from explorer.analysis.inside import saving
from explorer.analysis.inside.ablation import ablate, one_by_one, without
from explorer.analysis.inside.embedding import pca, tsne
from explorer.analysis.inside.steps import steps
from explorer.analysis.inside.units import activity, strongest
from explorer.analysis.inside.weights_over_epochs import SHARES, histograms, movements
from explorer.data import catalog
from explorer.data.splits import Split
from explorer.errors import CheckpointError, ConfigError
from explorer.store.checkpoints import FORMAT, Classifier, Metadata, load_checkpoint, save_checkpoint

RANDOM = np.random.default_rng(6)
IMAGES = RANDOM.integers(0, 256, (60, 28, 28), dtype=np.uint8)
LABELS = np.arange(60) % 10
SPLIT = Split("fashion-mnist", "validation", IMAGES, LABELS, np.arange(60))
CLASSES = catalog.get("fashion-mnist").classes


def made(name, options, seed=1):
    torch.manual_seed(seed)
    return Classifier(models.build(name, options), 0.3, 0.35)


def outputs(model, layer):
    """What a layer of the network returns for all images, by running the layers before it."""
    with torch.no_grad():
        values = (to_pixels(IMAGES) - model.mean) / model.std
        for module in copy.deepcopy(model.network).eval()[: layer + 1]:
            values = module(values)
    return values.numpy()


def test_dead_units_are_those_that_are_never_above_zero():
    model = made("lenet", {"features": [3, 4], "dense": 9})
    with torch.no_grad():
        model.network[0].bias[1] = -1e4
        model.network[7].bias[[2, 5]] = -1e4
    first, second, dense = activity(model, IMAGES, batch_size=25)
    assert (first.failing, first.images) == ("dead", 60)
    assert np.flatnonzero(first.failed).tolist() == [1]
    assert {2, 5} <= set(np.flatnonzero(dense.failed).tolist())
    assert second.share == pytest.approx(second.failed.mean())
    values = outputs(model, 1)
    np.testing.assert_allclose(first.off, (values <= 0).mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(first.mean, values.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(first.highest, values.max(axis=(0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(("function", "limits"), [("tanh", (-1, 1)), ("sigmoid", (0, 1))])
def test_saturated_units_are_near_a_limit_for_nearly_every_image(function, limits):
    model = made("mlp", {"hidden": [8], "activation": function})
    with torch.no_grad():
        model.network[1].bias[0], model.network[1].bias[4] = 1e3, -1e3
    (found,) = activity(model, IMAGES)
    values = outputs(model, 2)
    low, high = limits
    near = (values <= low + 0.02 * (high - low)) | (values >= high - 0.02 * (high - low))
    np.testing.assert_allclose(found.off, near.mean(axis=0))
    assert {0, 4} <= set(np.flatnonzero(found.failed).tolist())
    np.testing.assert_array_equal(found.failed, near.mean(axis=0) >= 0.99)


def test_functions_without_a_flat_end_fail_only_by_being_constant():
    model = made("mlp", {"hidden": [6], "activation": "gelu"})
    with torch.no_grad():
        model.network[1].weight[3] = 0
    (found,) = activity(model, IMAGES)
    assert found.failing == "constant"
    assert np.isnan(found.off).all()
    assert np.flatnonzero(found.failed).tolist() == [3]
    assert activity(made("mlp", {"hidden": []}), IMAGES) == ()


def test_the_strongest_images_are_those_with_the_greatest_answers():
    model = made("lenet", {"features": [3, 4], "dense": 9})
    found = strongest(model, IMAGES, "1", k=5, batch_size=17)
    values = outputs(model, 1)
    best = values.max(axis=(2, 3))
    for unit in range(3):
        order = np.argsort(-best[:, unit], kind="stable")[:5]
        assert found.rows[unit].tolist() == order.tolist()
        np.testing.assert_allclose(found.values[unit], best[order, unit], rtol=1e-6)
        for row, (y, x), value in zip(order, found.places[unit], found.values[unit], strict=True):
            assert values[row, unit, y, x] == pytest.approx(value, rel=1e-6)
    dense = strongest(model, IMAGES, "8", k=100)
    assert dense.places is None
    assert dense.rows.shape == (9, 60)


NETWORKS = [
    ("mlp", {"hidden": [8, 6], "batch_norm": True}, "3", 1),
    ("lenet", {"features": [3, 4], "dense": 9}, "1", 1),
    ("cnn", {"width": 0.5}, "2", 2),
    ("resnet", {"width": 2, "depth": 3}, "4.relu1", None),
]


@pytest.mark.parametrize(("name", "options", "key", "place"), NETWORKS)
def test_ablation_is_a_zeroed_output(name, options, key, place):
    model = made(name, options)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    before = Predictions(predict(model, IMAGES), LABELS, SPLIT.indices, CLASSES, "x", "fashion-mnist", "validation")
    found = ablate(model, SPLIT, before, key, [1, 2])

    own = copy.deepcopy(model).eval()

    def zero(module, inputs, output):
        mask = torch.ones_like(output)
        mask[:, [1, 2]] = 0
        return output * mask

    own.network.get_submodule(key).register_forward_hook(zero)
    with torch.no_grad():
        expected = own(to_pixels(IMAGES)).numpy()
    np.testing.assert_allclose(found.after.logits, expected, rtol=1e-4, atol=1e-5)
    matrices = [ConfusionMatrix.from_predictions(one).counts for one in (found.before, found.after)]
    np.testing.assert_array_equal(found.difference, matrices[1] - matrices[0])
    assert [one.more for one in found.broken(100)] == sorted((one.more for one in found.broken(100)), reverse=True)
    for one in found.broken(100):
        assert one.after == matrices[1][one.true, one.predicted] > one.before
    was, now = before.predicted == LABELS, expected.argmax(1) == LABELS
    np.testing.assert_array_equal(found.changed, np.flatnonzero(was & ~now))
    assert model.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(("name", "options", "key", "place"), NETWORKS)
def test_one_after_the_other_is_each_alone(name, options, key, place):
    model = made(name, options)
    found = dict(one_by_one(model, SPLIT, key, batch_size=33))
    assert len(found) == next(one.units for one in steps(model) if one.key == key)
    for unit, predicted in found.items():
        expected = predict(without(model, key, [unit]), IMAGES).argmax(axis=1)
        np.testing.assert_array_equal(predicted, expected)
    work = one_by_one(model, SPLIT, key)
    next(work)
    work.close()
    assert not any(module._forward_hooks for module in model.modules())


def test_units_that_do_not_exist_and_layers_too_large_are_refused():
    model = made("lenet", {"features": [2, 2], "dense": 200})
    with pytest.raises(ConfigError, match="there is no 2"):
        without(model, "1", [0, 2])
    with pytest.raises(ConfigError, match="at most 128"):
        next(one_by_one(model, SPLIT, "8"))
    with pytest.raises(ConfigError, match="no layer"):
        without(model, "33", [0])


@pytest.mark.parametrize("shape", [(200, 90), (200, 7), (40, 300), (3, 5)])
def test_the_map_is_that_of_scikit_learn(shape):
    features = np.random.default_rng(1).normal(size=shape) * np.linspace(3, 1, shape[1])
    found, expected = pca(features), PCA(2, svd_solver="full").fit(features)
    theirs = expected.transform(features)
    for axis in (0, 1):
        sign = np.sign(found.points[:, axis] @ theirs[:, axis])
        np.testing.assert_allclose(found.points[:, axis], sign * theirs[:, axis], atol=1e-8)
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, atol=1e-10)
    np.testing.assert_array_equal(pca(features).points, found.points)


def test_features_without_variance_are_one_point():
    found = pca(np.ones((100, 80)))
    assert not found.points.any()
    assert np.isnan(found.explained).all()
    assert pca(np.arange(5.0)[:, None]).points[:, 1].tolist() == [0] * 5


def test_tsne_keeps_groups_apart_reports_and_stops():
    random = np.random.default_rng(2)
    centres = random.normal(size=(3, 20)) * 10
    groups = np.repeat(np.arange(3), 20)
    features = centres[groups] + random.normal(size=(60, 20))
    said = []
    found = tsne(features, progress=said.append)
    assert (found.steps, found.complete, said) == (1000, True, [0.25, 0.5, 0.75, 1.0])
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.95
    again, other = tsne(features), tsne(features, seed=1)
    np.testing.assert_array_equal(again.points, found.points)
    apart = np.linalg.norm(other.points[:, None] - other.points, axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert not np.allclose(apart, distances, rtol=0.05)
    assert (groups[apart.argmin(axis=1)] == groups).mean() > 0.95
    short = tsne(features, seconds=0)
    assert (short.steps, short.complete) == (250, False)
    with pytest.raises(KeyboardInterrupt):
        tsne(features, progress=lambda share: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(ValueError, match="four"):
        tsne(features[:3])


def test_weights_are_counted_and_followed_over_the_epochs(tmp_path):
    files, states = {}, {}
    for epoch in (3, 1, 12):
        state = made("lenet", {"features": [3, 4], "dense": 5}, seed=epoch).network.state_dict()
        files[epoch], states[epoch] = tmp_path / f"{epoch}.safetensors", state
        save_file({**state, "2.running_mean": torch.ones(3), "n": torch.tensor(3)}, files[epoch])
    found = movements(files)
    assert set(found) == set(states[1])
    assert list(found)[:4] == ["0.weight", "0.bias", "3.weight", "3.bias"]
    moved = found["7.weight"]
    assert moved.epochs == (1, 3, 12)
    for row, epoch in enumerate(moved.epochs):
        values = states[epoch]["7.weight"].numpy().ravel().astype(np.float64)
        np.testing.assert_allclose(moved.quantiles[row], np.quantile(values, SHARES), rtol=1e-5)
        assert moved.std[row] == pytest.approx(values.std())
    counted = {one.name: one for one in histograms(files[1], 7)}
    values = states[1]["0.weight"].numpy()
    counts, edges = np.histogram(values, 7)
    np.testing.assert_array_equal(counted["0.weight"].counts, counts)
    np.testing.assert_allclose(counted["0.weight"].edges, edges)
    assert counted["0.weight"].n == values.size
    assert counted["0.weight"].near_zero == pytest.approx((np.abs(values) < values.std() / 10).mean())
    assert len(counted["0.bias"].counts) == 4
    save_file({"0.weight": torch.tensor([1.0, torch.nan])}, files[3])
    with pytest.raises(CheckpointError, match="NaN"):
        movements(files)
    files[3].write_bytes(b"nonsense" * 9)
    with pytest.raises(CheckpointError, match="not a readable"):
        histograms(files[3])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made_ones = {}
    for name, options in (("mlp", {"hidden": [6], "dropout": 0.5}), ("resnet", {"width": 2, "depth": 3})):
        path = tmp_path_factory.mktemp("saved") / f"{name}.safetensors"
        fields = {"format": FORMAT, "model": name, "options": options, "classes": CLASSES, "mean": 0.3, "std": 0.35}
        save_checkpoint(path, made(name, options).network, Metadata(**fields))
        made_ones[name] = load_checkpoint(path)
    return made_ones


def test_weights_are_saved_whole_and_the_first_layer_alone(saved, tmp_path):
    for name, first in (("mlp", "1"), ("resnet", "0")):
        checkpoint = saved[name]
        state, model = load_file(checkpoint.path), checkpoint.classifier()
        whole = tmp_path / "whole.safetensors"
        whole.write_bytes(saving.encode(checkpoint, model, "network", "safetensors"))
        assert load_checkpoint(whole).metadata == checkpoint.metadata
        (tmp_path / "whole.pt").write_bytes(saving.encode(checkpoint, model, "network", "pt"))
        plain = torch.load(tmp_path / "whole.pt", weights_only=True)
        for found in (load_file(whole), plain):
            assert found.keys() == state.keys()
            assert all(torch.equal(found[key], state[key]) for key in state)
        models.build(name, checkpoint.options).load_state_dict(plain)
        (tmp_path / "first.pt").write_bytes(saving.encode(checkpoint, model, "first-layer", "pt"))
        alone = load(saving.encode(checkpoint, model, "first-layer", "safetensors"))
        for found in (alone, torch.load(tmp_path / "first.pt", weights_only=True)):
            assert set(found) == {key for key in state if key.startswith(f"{first}.")}
            assert all(torch.equal(found[key], state[key]) for key in found)


@pytest.mark.parametrize("name", ["mlp", "resnet"])
def test_onnx_runtime_computes_the_same(saved, name):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model = saved[name].classifier()
    session = runtime.InferenceSession(saving.encode(saved[name], model, "network", "onnx"))
    for count in (1, 5):
        pixels = to_pixels(IMAGES[:count])
        (found,) = session.run(["logits"], {"pixels": pixels.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, model(pixels).numpy(), atol=1e-5)
    first = runtime.InferenceSession(saving.encode(saved[name], model, "first-layer", "onnx"))
    (found,) = first.run(["output"], {"pixels": to_pixels(IMAGES[:3]).numpy()})
    values = (to_pixels(IMAGES[:3]) - 0.3) / 0.35
    layer = next(module for module in model.network.modules() if isinstance(module, nn.Linear | nn.Conv2d))
    with torch.no_grad():
        expected = layer(values.flatten(1) if isinstance(layer, nn.Linear) else values).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_its_packages_onnx_says_what_to_install(saved, monkeypatch):
    monkeypatch.setattr(saving, "NEEDS", ("no_such_package",))
    with pytest.raises(ConfigError, match="requirements-onnx"):
        saving.encode(saved["mlp"], saved["mlp"].classifier(), "network", "onnx")
