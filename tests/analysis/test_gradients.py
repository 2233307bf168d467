import contextlib
import csv
import errno
import resource

import numpy as np
import pytest
import torch
from torch import nn

from explorer.analysis.gradients import input_gradients, write_gradients_csv
from explorer.errors import ExplorerError


def _whole(classifier, split, **options):
    parts = list(input_gradients(classifier, split.images, split.labels, **options))
    assert [start for start, _ in parts] == list(np.cumsum([0] + [len(g) for _, g in parts[:-1]]))
    return np.concatenate([gradient for _, gradient in parts])


def _objective(classifier, pixels, labels, target):
    logits = classifier(pixels)
    match target:
        case "loss":
            return nn.functional.cross_entropy(logits, labels, reduction="none")
        case "true":
            return logits[torch.arange(len(labels)), labels]
        case "predicted":
            return logits.max(dim=1).values
        case k:
            return logits[:, k]


@pytest.mark.parametrize("target", ["loss", "true", "predicted", 3])
def test_gradients_equal_finite_differences(classifier, split, target):
    classifier.double()
    gradient = _whole(classifier, split, target=target, batch_size=16)
    assert gradient.dtype == np.float32
    assert gradient.shape == (40, 28, 28)
    classifier.eval()
    pixels = torch.tensor(split.images, dtype=torch.float64)[:, None] / 255
    labels, step = torch.tensor(split.labels), 1e-6
    places = np.random.default_rng(2).integers(0, 28, (12, 2))
    for row, column in places:
        shift = torch.zeros_like(pixels)
        shift[:, :, row, column] = step
        with torch.no_grad():
            above = _objective(classifier, pixels + shift, labels, target)
            below = _objective(classifier, pixels - shift, labels, target)
        expected = ((above - below) / (2 * step)).numpy()
        np.testing.assert_allclose(gradient[:, row, column], expected, rtol=1e-5, atol=1e-7)
    assert np.abs(gradient).max() > 1e-3


def test_the_gradient_belongs_to_the_image_not_to_the_batch(classifier, split):
    alone = _whole(classifier, split, batch_size=1)
    np.testing.assert_allclose(_whole(classifier, split, batch_size=40), alone, atol=1e-6)
    np.testing.assert_allclose(_whole(classifier, split, batch_size=7), alone, atol=1e-6)


def test_a_linear_model_has_its_weights_for_gradient(linear, split):
    model, slope = linear
    expected = slope[torch.tensor(split.labels)].numpy()
    np.testing.assert_allclose(_whole(model, split, target="true"), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("context", [contextlib.nullcontext, torch.no_grad, torch.inference_mode])
def test_the_callers_gradient_mode_neither_matters_nor_changes(classifier, split, context):
    expected = _whole(classifier, split)
    with context():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        for _, gradient in input_gradients(classifier, split.images, split.labels, batch_size=40):
            np.testing.assert_allclose(gradient, expected, atol=1e-6)
            assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


def test_the_classifier_is_only_read(classifier, split):
    _whole(classifier, split)
    assert all(module.training for module in classifier.modules())
    assert all(p.requires_grad and p.grad is None for p in classifier.parameters())


def test_images_without_labels_are_refused(classifier, split):
    with pytest.raises(ValueError, match="40 images but 39 labels"):
        input_gradients(classifier, split.images, split.labels[1:])


def test_the_table_comes_back_exactly(tmp_path, classifier, split):
    path, calls = tmp_path / "gradients.csv", []
    write_gradients_csv(path, classifier, split, lambda done, total: calls.append((done, total)), batch_size=16)
    with path.open(newline="") as stream:
        lines = stream.read().splitlines()
    assert lines[0] == "index,label,predicted," + ",".join(f"g_{k}" for k in range(784))
    rows = list(csv.reader(lines[1:]))
    with torch.no_grad():
        predicted = classifier.eval()(torch.tensor(split.images)[:, None] / 255).argmax(dim=1).numpy()
    keys = np.array([[int(cell) for cell in row[:3]] for row in rows])
    np.testing.assert_array_equal(keys, np.stack([split.indices, split.labels, predicted], axis=1))
    values = np.array([row[3:] for row in rows], dtype=np.float32).reshape(40, 28, 28)
    np.testing.assert_array_equal(values, _whole(classifier, split, batch_size=16))
    assert calls == [(16, 40), (32, 40), (40, 40)]


def _fails(path, classifier, split, message, **options):
    with pytest.raises(ExplorerError, match=message):
        write_gradients_csv(path, classifier, split, batch_size=8, **options)


def test_a_full_disk_leaves_what_was_there(tmp_path, classifier, split):
    path = tmp_path / "gradients.csv"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        _fails(path, classifier, split, "larger than is allowed")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EIO, "error")]
)
def test_errors_of_the_system_are_told_in_plain_words(tmp_path, classifier, split, code, message):
    def fail(done, total):
        raise OSError(code, "Input/output error")

    _fails(tmp_path / "g.csv", classifier, split, message, progress=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_no_file(tmp_path, classifier, split, interruption):
    def stop(done, total):
        raise interruption

    with pytest.raises(interruption):
        write_gradients_csv(tmp_path / "g.csv", classifier, split, stop, batch_size=8)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_target(tmp_path, classifier, split):
    _fails(tmp_path, classifier, split, "not an ordinary file")
