import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import models
from explorer.analysis.drawings.verdicts import predict_images
from explorer.data import catalog
from explorer.data.preparation.pipeline import prepare_photo
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store.checkpoints import FORMAT, Metadata, load_checkpoint, save_checkpoint


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with random weights, for a set."""

    def make(dataset="mnist"):
        torch.manual_seed(0)
        spec = catalog.get(dataset or "mnist")
        metadata = Metadata(
            format=FORMAT,
            model="mlp",
            options={},
            classes=spec.classes,
            mean=spec.mean,
            std=spec.std,
            config={"dataset": dataset} if dataset else {},
        )
        path = tmp_path / "weights" / f"{dataset}.safetensors"
        save_checkpoint(path, models.build("mlp", {}), metadata)
        return load_checkpoint(path)

    return make


def _expected(checkpoint, images):
    """Softmax by the formula, of the network's outputs in double precision."""
    classifier = checkpoint.classifier().double()
    with torch.no_grad():
        logits = classifier(torch.tensor(np.stack(images)).double().unsqueeze(1) / 255).numpy()
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_images_of_the_set_go_straight_through(checkpoint, tmp_path, dataset):
    one = checkpoint(dataset)
    images = load_split(dataset, "test").images[:5]
    paths = [tmp_path / f"{k}.png" for k in range(5)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    documents = predict_images(one, paths)
    expected = _expected(one, images)
    assert [document["image"] for document in documents] == [str(path) for path in paths]
    np.testing.assert_allclose([document["probabilities"] for document in documents], expected, atol=1e-6)
    assert [document["predicted"] for document in documents] == expected.argmax(1).tolist()
    assert [document["class"] for document in documents] == [one.classes[k] for k in expected.argmax(1)]
    for document in documents:
        assert list(document) == ["image", "predicted", "class", "probabilities", "out_of_distribution"]
        assert document["out_of_distribution"]["flagged"] == (document["out_of_distribution"]["score"] > 1)
        assert sum(document["probabilities"]) == pytest.approx(1, abs=1e-12)
    json.dumps(documents, allow_nan=False)


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_other_pictures_are_prepared_as_the_checkpoints_set_was(checkpoint, tmp_path, dataset):
    grey = np.full((90, 120), 250, np.uint8)
    grey[20:70, 40:60] = 10
    path = tmp_path / "photo.png"
    Image.fromarray(grey).convert("RGB").save(path)
    one = checkpoint(dataset)
    (document,) = predict_images(one, [path])
    recipes = {name: _expected(one, [prepare_photo(grey, name).image])[0] for name in ("mnist", "fashion-mnist")}
    np.testing.assert_allclose(document["probabilities"], recipes.pop(dataset), atol=1e-6)
    assert np.abs(document["probabilities"] - next(iter(recipes.values()))).max() > 1e-3


def test_a_checkpoint_that_does_not_say_its_set(checkpoint, tmp_path):
    grey = np.full((90, 120), 250, np.uint8)
    grey[20:70, 40:60] = 10
    Image.fromarray(grey).save(tmp_path / "photo.png")
    one = checkpoint(None)
    assert one.dataset is None
    (document,) = predict_images(one, [tmp_path / "photo.png"])
    expected = _expected(one, [prepare_photo(grey, "fashion-mnist").image])[0]
    np.testing.assert_allclose(document["probabilities"], expected, atol=1e-6)
    assert document["out_of_distribution"] == {"score": None, "flagged": None}


def test_no_pictures(checkpoint):
    assert predict_images(checkpoint(), []) == []


@pytest.mark.parametrize(
    "content",
    [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n", "plain", "small", "cut"],
    ids=["missing", "empty", "text", "header", "plain", "small", "cut"],
)
def test_bad_pictures_are_named(checkpoint, tmp_path, content):
    path = tmp_path / "bad.png"
    if content == "plain":
        Image.new("L", (50, 40), 128).save(path)
    elif content == "small":
        Image.new("L", (3, 3)).save(path)
    elif content == "cut":
        Image.effect_noise((200, 200), 50).save(path)
        path.write_bytes(path.read_bytes()[:2000])
    elif content is not None:
        path.write_bytes(content)
    good = tmp_path / "good.png"
    Image.fromarray(load_split("mnist", "test").images[0]).save(good)
    documents = predict_images(checkpoint(), [good, path, good])
    assert [document["image"] for document in documents] == [str(good), str(path), str(good)]
    assert documents[1].keys() == {"image", "error"}
    assert "bad.png" in documents[1]["error"]
    assert documents[0] == documents[2]
    assert 0 <= documents[0]["predicted"] < 10


def test_outputs_that_overflow_are_refused(checkpoint, tmp_path):
    one = checkpoint()
    tensors = load_file(one.path)
    *_, last = (name for name in tensors if name.endswith("weight"))
    with torch.no_grad():  # every hidden unit is 3e38 and every output 3e38 times that, in whatever order it is summed
        for name, tensor in tensors.items():
            tensor.fill_(3e38 if name == last or name.endswith("bias") else 0.0)
    save_file(tensors, one.path, {"explorer": json.dumps(one.metadata.model_dump(mode="json"))})
    path = tmp_path / "good.png"
    Image.fromarray(load_split("mnist", "test").images[0]).save(path)
    with pytest.raises(CheckpointError, match="not finite"):
        predict_images(load_checkpoint(one.path), [path])
