import contextlib
import csv
import errno
import resource

import numpy as np
import pytest
import torch
from torch import nn

from explorer.analysis.gradients.bulk import GradientBatch, input_gradients
from explorer.analysis.gradients.files import CSV_ROWS, csv_writer, parquet_writer, save_gradients
from explorer.analysis.gradients.statistics import GradientStatistics, GradientTrials, Moments
from explorer.data.splits import Split
from explorer.errors import CheckpointError, ConfigError, ExplorerError


def _whole(classifier, split, **options):
    parts = list(input_gradients(classifier, split.images, split.labels, **options))
    assert [part.start for part in parts] == list(np.cumsum([0] + [len(part.gradient) for part in parts[:-1]]))
    return np.concatenate([part.gradient for part in parts])


def _objective(classifier, pixels, labels, of):
    logits = classifier(pixels)
    match of:
        case "loss":
            return nn.functional.cross_entropy(logits, labels, reduction="none")
        case "true":
            return logits[torch.arange(len(labels)), labels]
        case "predicted":
            return logits.max(dim=1).values
        case k:
            return logits[:, k]


@pytest.mark.parametrize("of", ["loss", "true", "predicted", 3])
def test_gradients_equal_finite_differences(classifier, split, of):
    classifier.double()
    gradient = _whole(classifier, split, of=of, batch_size=16)
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
            above = _objective(classifier, pixels + shift, labels, of)
            below = _objective(classifier, pixels - shift, labels, of)
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
    np.testing.assert_allclose(_whole(model, split, of="true"), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("context", [contextlib.nullcontext, torch.no_grad, torch.inference_mode])
def test_the_callers_gradient_mode_neither_matters_nor_changes(classifier, split, context):
    expected = _whole(classifier, split)
    with context():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        for part in input_gradients(classifier, split.images, split.labels, batch_size=40):
            np.testing.assert_allclose(part.gradient, expected, atol=1e-6)
            assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before


def test_the_classifier_is_only_read(classifier, split):
    _whole(classifier, split)
    assert all(module.training for module in classifier.modules())
    assert all(p.requires_grad and p.grad is None for p in classifier.parameters())


def test_images_without_labels_are_refused(classifier, split):
    with pytest.raises(ValueError, match="40 images but 39 labels"):
        input_gradients(classifier, split.images, split.labels[1:])


@pytest.mark.parametrize("of", [10, -1])
def test_a_class_that_the_model_lacks_is_refused(classifier, split, of):
    with pytest.raises(ConfigError, match="10 classes"):
        _whole(classifier, split, of=of)


@pytest.mark.parametrize("of", ["loss", "true"])
def test_labels_that_the_model_lacks_are_refused(classifier, split, of):
    with pytest.raises(ConfigError, match="10 classes"):
        list(input_gradients(classifier, split.images, split.labels + 1, of))


def test_gradients_that_are_not_finite_are_refused(classifier, split):
    with torch.no_grad():
        classifier.network[-1].weight[3, 4] = float("nan")
    with pytest.raises(CheckpointError, match="not finite"):
        _whole(classifier, split)


def _predicted(classifier, split):
    with torch.no_grad():
        return classifier.eval()(torch.tensor(split.images)[:, None] / 255).argmax(dim=1).numpy()


def test_the_csv_comes_back_exactly(tmp_path, classifier, split):
    path = tmp_path / "gradients.csv"
    assert list(save_gradients(classifier, split, csv=path, batch_size=16)) == [16, 32, 40]
    with path.open(newline="") as stream:
        lines = stream.read().splitlines()
    assert lines[0] == "index,label,predicted," + ",".join(f"g_{k}" for k in range(784))
    rows = list(csv.reader(lines[1:]))
    keys = np.array([[int(cell) for cell in row[:3]] for row in rows])
    expected = np.stack([split.indices, split.labels, _predicted(classifier, split)], axis=1)
    np.testing.assert_array_equal(keys, expected)
    values = np.array([row[3:] for row in rows], dtype=np.float32).reshape(40, 28, 28)
    np.testing.assert_array_equal(values, _whole(classifier, split, batch_size=16))


def test_both_files_hold_the_same(tmp_path, classifier, split):
    import pandas

    options = {"of": "predicted", "batch_size": 16}
    paths = {"csv": tmp_path / "g.csv", "parquet": tmp_path / "g.parquet"}
    moments = Moments()
    assert list(save_gradients(classifier, split, **paths, **options, listen=moments.add)) == [16, 32, 40]
    table = pandas.read_parquet(paths["parquet"])
    written = pandas.read_csv(paths["csv"], dtype=dict(table.dtypes))
    pandas.testing.assert_frame_equal(written, table, check_exact=True)
    assert set(table.dtypes[3:]) == {np.dtype(np.float32)}
    expected = _whole(classifier, split, **options)
    np.testing.assert_array_equal(table.to_numpy()[:, 3:].astype(np.float32).reshape(40, 28, 28), expected)
    np.testing.assert_allclose(moments.statistics("").deviation, expected.astype(np.float64).std(0), rtol=1e-9)


@pytest.mark.parametrize("writer", [csv_writer, parquet_writer])
@pytest.mark.parametrize("rows", [0, 1, CSV_ROWS, 4 * CSV_ROWS + 700])
def test_blocks_and_batches_of_any_size_keep_the_order(tmp_path, writer, rows):
    import pandas

    random = np.random.default_rng(rows)
    gradient = random.normal(size=(rows, 2, 2)).astype(np.float32)
    labels, predicted = random.integers(0, 10, (2, rows))
    split = Split("mnist", "test", np.zeros((rows, 2, 2), np.uint8), labels, np.arange(rows) + 5)
    path = tmp_path / "file"
    with writer(path, split) as write:
        start = 0
        for size in (1, 3000, *(300 for _ in range(10))):
            write(GradientBatch(start, gradient[start : start + size], predicted[start : start + size]))
            start += size
    table = pandas.read_csv(path, dtype=np.float64) if writer is csv_writer else pandas.read_parquet(path)
    assert list(table) == ["index", "label", "predicted", "g_0", "g_1", "g_2", "g_3"]
    keys = np.stack([split.indices, labels, predicted], axis=1)
    expected = np.hstack([keys, gradient.reshape(rows, 4)])
    np.testing.assert_array_equal(table.to_numpy().astype(np.float32), expected.astype(np.float32))


def _save(path, classifier, split, **options):
    for _ in save_gradients(classifier, split, **{path.suffix[1:]: path}, batch_size=8, **options):
        pass


@pytest.fixture(params=["g.csv", "g.parquet"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_a_full_disk_leaves_what_was_there(path, classifier, split):
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(ExplorerError, match="larger than is allowed"):
            _save(path, classifier, split)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "message"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EIO, "error")]
)
def test_errors_of_the_system_are_told_in_plain_words(path, classifier, split, code, message):
    def fail(batch):
        raise OSError(code, "Input/output error")

    with pytest.raises(ExplorerError, match=message):
        _save(path, classifier, split, listen=fail)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_no_file(path, classifier, split, interruption):
    def stop(batch):
        if batch.start:
            raise interruption

    with pytest.raises(interruption):
        _save(path, classifier, split, listen=stop)
    assert list(path.parent.iterdir()) == []


def test_cancelling_leaves_what_was_there(path, classifier, split):
    path.write_text("old")
    saving = save_gradients(classifier, split, **{path.suffix[1:]: path}, batch_size=8)
    assert next(saving) == 8
    assert len(list(path.parent.iterdir())) == 2
    saving.close()
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_folder_is_no_target(path, classifier, split):
    path.mkdir()
    with pytest.raises(ExplorerError, match="not an ordinary file"):
        _save(path, classifier, split)


def test_statistics_equal_those_of_all_gradients_at_once(classifier, split):
    calls = []
    found = GradientStatistics.compute(
        "a", classifier, split, batch_size=7, progress=lambda done, total: calls.append((done, total))
    )
    gradient = _whole(classifier, split).astype(np.float64)
    np.testing.assert_allclose(found.deviation, gradient.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.mean, gradient.mean(axis=0), rtol=1e-5, atol=1e-7)
    assert calls == [(done, 40) for done in (7, 14, 21, 28, 35, 40)]
    assert found.n == 40


@pytest.mark.parametrize("offset", [0, 1e4])
def test_moments_are_exact_far_from_zero(offset):
    maps = (np.random.default_rng(0).normal(0, 1, (1000, 3, 5)) + offset).astype(np.float32)
    moments = Moments()
    for part in np.array_split(maps, [1, 1, 8, 500, 999]):
        moments.add_maps(part)
    found = moments.statistics("a")
    np.testing.assert_allclose(found.deviation, maps.astype(np.float64).std(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.mean, maps.astype(np.float64).mean(axis=0), rtol=1e-12, atol=1e-12)


def test_the_top_is_sorted_and_says_where_each_input_is():
    deviation = np.random.default_rng(1).permutation(784).reshape(28, 28).astype(np.float64)
    deviation[3, 4] = deviation[20, 9] = 1000
    found = GradientStatistics("a", "loss", 5, np.zeros_like(deviation), deviation)
    top = found.top()
    assert [one.value for one in top] == sorted(deviation.ravel(), reverse=True)[:10]
    assert [deviation[one.row, one.column] for one in top] == [one.value for one in top]
    assert [one.input for one in top] == [28 * one.row + one.column for one in top]
    assert [one.input for one in top[:2]] == [3 * 28 + 4, 20 * 28 + 9]
    assert len(found.top(784)) == 784


def test_several_trials_have_a_mean_and_a_spread():
    random = np.random.default_rng(2)
    maps = random.random((4, 3, 3))
    trials = GradientTrials.of([GradientStatistics(str(k), "loss", 5, one, one) for k, one in enumerate(maps)])
    np.testing.assert_allclose(trials.mean, maps.mean(0))
    np.testing.assert_allclose(trials.spread, maps.std(0, ddof=1))
    first = trials.top(3)[0]
    assert (first.value, first.spread) == (maps.mean(0).max(), trials.spread[first.row, first.column])
    document = trials.document(3)
    assert [one["checkpoint"] for one in document["trials"]] == ["0", "1", "2", "3"]
    assert document["trials"][2]["standard_deviation"] == maps[2].ravel().tolist()
    assert document["top"][0]["mean"] == first.value
    single = GradientTrials.of(trials.trials[:1])
    assert np.isnan(single.spread).all()
    assert single.document()["spread"] == [None] * 9


def test_trials_of_different_images_are_refused():
    one, other = (GradientStatistics("a", "loss", n, np.ones((2, 2)), np.ones((2, 2))) for n in (5, 6))
    with pytest.raises(ValueError, match="same images"):
        GradientTrials.of([one, other])
