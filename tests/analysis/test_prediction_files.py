import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from explorer.analysis.evaluation.prediction_files import (
    load_pictures,
    load_predictions,
    load_shipped,
    save_predictions,
    save_shipped,
    shipped_file,
)
from explorer.analysis.evaluation.predictions import predict
from explorer.data.splits import Split, load_split
from explorer.errors import ExplorerError, RunError
from explorer.store.catalog import shipped
from explorer.store.checkpoints import load_checkpoint


def test_full_precision_comes_back_bit_for_bit(tmp_path, random_predictions):
    path = tmp_path / "last.safetensors"
    save_predictions(path, random_predictions, full=True)
    loaded = load_predictions(path)
    for name in ("logits", "labels", "indices", "predicted", "probabilities"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(random_predictions, name))
        assert getattr(loaded, name).dtype == getattr(random_predictions, name).dtype
    for name in ("classes", "checkpoint", "dataset", "split"):
        assert getattr(loaded, name) == getattr(random_predictions, name)


def test_half_precision_keeps_the_exact_prediction(tmp_path, make_predictions):
    logits = np.array([[10.0, 10.001, -3.0], [1e6, 2e6, 3e6], [0.5, 0.25, 0.125]], dtype=np.float32)
    original = make_predictions(logits, [1, 2, 0])
    assert np.float16(logits[0]).argmax() == 0 != logits[0].argmax()
    path = tmp_path / "epoch.safetensors"
    save_predictions(path, original, full=False)
    loaded = load_predictions(path)
    np.testing.assert_array_equal(loaded.predicted, [1, 2, 0])
    assert loaded.accuracy == original.accuracy == 1.0
    assert np.isfinite(loaded.logits).all()
    assert (loaded.margin >= 0).all()
    np.testing.assert_allclose(loaded.probabilities[2], original.probabilities[2], atol=1e-3)


def test_a_rounded_file_saved_again_in_full_keeps_the_exact_prediction(tmp_path, make_predictions):
    path = tmp_path / "p"
    save_predictions(path, make_predictions([[10.0, 10.001]], [1]), full=False)
    save_predictions(path, load_predictions(path), full=True)
    np.testing.assert_array_equal(load_predictions(path).predicted, [1])


def test_half_precision_is_small(tmp_path, make_predictions):
    n = 10_000
    path = tmp_path / "p"
    save_predictions(path, make_predictions(np.zeros((n, 10)), np.zeros(n)), full=False)
    assert path.stat().st_size <= n * (10 * 2 + 1 + 1 + 2) + 1000


def test_empty_predictions_come_back(tmp_path, make_predictions):
    save_predictions(tmp_path / "p", make_predictions(np.empty((0, 3)), []), full=False)
    assert load_predictions(tmp_path / "p").logits.shape == (0, 3)


def test_a_failed_write_keeps_the_old_file(tmp_path, random_predictions, monkeypatch):
    path = tmp_path / "p"
    save_predictions(path, random_predictions, full=True)
    before = path.read_bytes()

    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(ExplorerError, match="no space left"):
        save_predictions(path, random_predictions, full=False)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _damaged(path, kind, valid):
    identity = {"format": 1, "classes": ["a"], "checkpoint": "", "dataset": "", "split": ""}
    good = {
        "logits": np.zeros((2, 1), np.float32),
        "labels": np.zeros(2, np.uint8),
        "indices": np.zeros(2, np.uint8),
    }
    match kind:
        case "pickle":
            path.write_bytes(pickle.dumps({"logits": [1]}))
        case "truncated":
            path.write_bytes(valid[: len(valid) // 2])
        case "no metadata":
            save_file(good, path)
        case "newer format":
            save_file(good, path, {"predictions": json.dumps(identity | {"format": 99})})
        case "not JSON":
            save_file(good, path, {"predictions": "{"})
        case "wrong shape":
            wrong = good | {"labels": np.zeros(3, np.uint8)}
            save_file(wrong, path, {"predictions": json.dumps(identity)})
        case "not finite":
            wrong = good | {"logits": np.full((2, 1), np.nan, np.float32)}
            save_file(wrong, path, {"predictions": json.dumps(identity)})


@pytest.mark.parametrize(
    "kind", ["pickle", "truncated", "no metadata", "newer format", "not JSON", "wrong shape", "not finite"]
)
def test_damaged_files_are_refused_in_plain_words(tmp_path, random_predictions, kind):
    path = tmp_path / "p"
    save_predictions(path, random_predictions, full=True)
    _damaged(path, kind, path.read_bytes())
    with pytest.raises(RunError, match="damaged or holds no predictions"):
        load_predictions(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match=r"nowhere\.safetensors"):
        load_predictions(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_predictions_are_those_of_the_shipped_weights(path):
    checkpoint = load_checkpoint(path)
    classifier = checkpoint.classifier()
    for name in ("validation", "test"):
        split = load_split(checkpoint.dataset, name)
        found = load_shipped(checkpoint, split)
        assert found is not None, "renew them: python scripts/publish_checkpoint.py"
        assert found.accuracy == checkpoint.metrics[f"{name}_accuracy"]
        rows = slice(0, len(split), 200)
        np.testing.assert_allclose(found.logits[rows], predict(classifier, split.images[rows]), rtol=1e-4, atol=1e-3)
        assert load_shipped(checkpoint, load_split(checkpoint.dataset, "train")) is None
    assert shipped_file(path).stat().st_size <= 2e6


def test_shipped_predictions_come_back_and_are_checked(tmp_path, monkeypatch, random_predictions):
    path = tmp_path / "some.safetensors"
    checkpoint = replace(load_checkpoint(shipped()[0]), path=path, digest="digest")
    split = Split("mnist", "validation", None, random_predictions.labels, random_predictions.indices)
    original = replace(random_predictions, checkpoint="digest", dataset="mnist", split="validation")
    assert load_shipped(checkpoint, split) is load_pictures(checkpoint) is None
    save_shipped(checkpoint, [original], (3, 7))
    found = load_shipped(checkpoint, split)
    np.testing.assert_allclose(found.logits, original.logits, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.predicted, original.logits.argmax(1))
    assert (found.exact_predicted, load_pictures(checkpoint)) == (None, (3, 7))
    other = replace(checkpoint, digest="another")
    assert load_shipped(other, split) is load_pictures(other) is None
    assert load_shipped(checkpoint, replace(split, dataset="fashion-mnist")) is None
    monkeypatch.setattr("explorer.data.catalog.DatasetSpec.checksum", "changed")
    assert load_shipped(checkpoint, split) is None
    shipped_file(path).write_bytes(shipped_file(path).read_bytes()[:-100])
    assert load_shipped(checkpoint, split) is load_pictures(checkpoint) is None


def test_classes_that_are_closer_than_the_stored_logits_keep_their_order(tmp_path, make_predictions):
    checkpoint = replace(load_checkpoint(shipped()[0]), path=tmp_path / "some.safetensors", digest="digest")
    logits = np.zeros((1, len(checkpoint.classes)), np.float32)
    logits[0, 3:5] = np.float32(1000), np.nextafter(np.float32(1000), np.float32(2000))
    original = replace(make_predictions(logits, [4], checkpoint.classes), checkpoint="digest")
    save_shipped(checkpoint, [original])
    found = load_shipped(checkpoint, Split("mnist", "validation", None, original.labels, original.indices))
    assert found.predicted.tolist() == [4]
