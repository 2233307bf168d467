import hashlib
import time
import tracemalloc

import numpy as np
import pytest

from explorer.data import catalog, idx
from explorer.data.splits import SPLITS, load_split, stratify
from explorer.errors import DataError

# SHA-256 of the indices as little-endian 64-bit integers. Whoever compares results relies on them: never change them.
PUBLISHED = {
    ("fashion-mnist", "train"): "8009daa9820a3e09a8723f8706813fe712273e1091251d1ca1025aa322d25b8b",
    ("fashion-mnist", "validation"): "6d2a9d5b4822d52591c6f34b3f8466bec5833c347cdb4a3eb584f1f9787f0612",
    ("mnist", "train"): "72d4d434665d64833a7707ac6c0d8662f532e6a70b8983ae62d9521385f4c3ac",
    ("mnist", "validation"): "ea23dffb17ed2d127efc2e7a9def6a75de768610efb56a8082c564ca6fa45402",
}
SIZES = {"train": 54_000, "validation": 6_000, "test": 10_000}


def _files(spec, part):
    images, labels = getattr(spec.files, f"{part}_images"), getattr(spec.files, f"{part}_labels")
    return (idx.load(spec.folder / file.name, file.md5) for file in (images, labels))


@pytest.mark.parametrize(("dataset", "split"), PUBLISHED)
def test_indices_are_the_published_ones(dataset, split):
    indices = load_split(dataset, split).indices
    assert hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest() == PUBLISHED[dataset, split]


@pytest.mark.parametrize("dataset", catalog.names())
@pytest.mark.parametrize("split", SPLITS)
def test_images_and_labels_are_those_of_the_file(dataset, split):
    loaded = load_split(dataset, split)
    images, labels = _files(catalog.get(dataset), "test" if split == "test" else "train")
    assert len(loaded) == len(loaded.indices) == SIZES[split]
    np.testing.assert_array_equal(loaded.labels, labels[loaded.indices])
    np.testing.assert_array_equal(loaded.images, images[loaded.indices])
    assert loaded.images.dtype == np.uint8
    assert loaded.images.shape == (SIZES[split], 28, 28)
    assert loaded.labels.dtype == loaded.indices.dtype == np.int64


@pytest.mark.parametrize("dataset", catalog.names())
def test_train_and_validation_divide_the_file(dataset):
    train, validation = (load_split(dataset, split).indices for split in ("train", "validation"))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(60_000))


@pytest.mark.parametrize("dataset", catalog.names())
def test_every_class_has_its_share(dataset):
    train, validation = (np.bincount(load_split(dataset, split).labels) for split in ("train", "validation"))
    np.testing.assert_allclose(validation, (train + validation) / 10, atol=1)


@pytest.mark.parametrize("dataset", catalog.names())
def test_mean_and_deviation_are_those_of_the_training_pixels(dataset):
    pixels = load_split(dataset, "train").images / 255
    spec = catalog.get(dataset)
    assert spec.mean == pytest.approx(pixels.mean(), abs=5e-6)
    assert spec.std == pytest.approx(pixels.std(), abs=5e-6)
    assert len(spec.classes) == len(set(spec.classes)) == 10


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", ["images", "labels", "indices"])
def test_arrays_are_read_only(split, name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(load_split("mnist", split), name)[0] = 0


@pytest.mark.parametrize("counts", [[10, 10, 10], [7, 100, 1], [3, 3, 4], [50]])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 1.0])
def test_stratify_shares_out_any_counts(counts, share):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    held_out = int(share * len(labels))
    kept, taken = stratify(labels, held_out)
    assert len(taken) == held_out
    np.testing.assert_array_equal(np.union1d(kept, taken), np.arange(len(labels)))
    shares = np.bincount(labels[taken], minlength=len(counts))
    assert np.all(np.abs(shares - np.array(counts) * held_out / len(labels)) < 1)


def test_stratify_draws_from_everywhere():
    labels = np.repeat(np.arange(2), 500)
    _, taken = stratify(labels, 200)
    first = taken[taken < 500]
    assert 100 < np.mean(first) < 400
    assert np.diff(first).max() > 5


def test_loading_takes_less_than_a_second_and_its_own_size():
    load_split("fashion-mnist", "train")
    load_split.cache_clear()
    start = time.process_time()
    for split in SPLITS:
        load_split("fashion-mnist", split)
    assert time.process_time() - start < 1
    load_split.cache_clear()
    tracemalloc.start()
    loaded = load_split("fashion-mnist", "train")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.15 * loaded.images.nbytes


def test_second_call_gives_the_same_arrays():
    assert load_split("mnist", "test") is load_split("mnist", "test")


def test_unknown_split_names_those_that_exist():
    with pytest.raises(DataError, match=r"'holdout'.*train, validation, test"):
        load_split("mnist", "holdout")


def test_unknown_set():
    with pytest.raises(DataError, match="no data set called"):
        load_split("../mnist", "train")
