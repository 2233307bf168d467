"""A user's own drawings: kept, taken back, exported, published; nothing is lost."""

import csv
import gzip
import io
import json
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import StratifiedShuffleSplit

from explorer.data import catalog, idx
from explorer.data.own import files, sets
from explorer.data.own import sets as own_set
from explorer.data.own.export import FEWEST, publish, to_idx, to_npz, to_png
from explorer.data.splits import SPLITS, load_split
from explorer.errors import DataError
from explorer.paths import ROOT


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)


@pytest.fixture
def own(home):
    return sets.create("Ours", "mnist")


@pytest.fixture
def filled(own):
    """Thirty drawings, of the classes 0 to 4 six each, written at once."""
    n = 30
    numbers = np.arange(1, n + 1)
    images = np.stack([image(seed) for seed in range(n)])
    drawings = files.Drawings(images, numbers % 5, numbers, numbers, 0 * numbers)
    files.write_drawings(own.path, drawings)
    return own


def add_many(number, first, count):
    own = sets.get(number)
    for seed in range(first, first + count):
        own.add(image(seed), seed % 10)


# ---- keeping


def test_what_was_added_is_there(own, home):
    changes = [own.add(image(seed), seed) for seed in range(3)]
    again = sets.get(own.id)
    drawings = again.read()
    assert np.array_equal(drawings.images, np.stack([image(seed) for seed in range(3)]))
    assert drawings.labels.tolist() == [0, 1, 2]
    assert drawings.ids.tolist() == [change.drawing for change in changes]
    assert again.counts() == (1, 1, 1, 0, 0, 0, 0, 0, 0, 0)
    assert again.path.parent == home / "sets"
    assert again.name == "Ours"


def test_the_split_is_like_that_of_a_data_set(filled):
    split = filled.split()
    assert split.images.dtype == np.uint8
    assert split.images.shape == (30, 28, 28)
    assert split.labels.dtype == split.indices.dtype == np.int64
    assert len(split) == 30
    with pytest.raises(ValueError, match="read-only"):
        split.images[0] = 0


def test_an_empty_set_is_an_empty_split(own):
    assert len(own.split()) == 0
    assert own.counts() == (0,) * 10


def test_delete_and_undo(own):
    added = [own.add(image(seed), 1) for seed in range(3)]
    deleted = own.delete(added[1].drawing)
    assert own.read().ids.tolist() == [added[0].drawing, added[2].drawing]
    own.undo(deleted)
    own.undo(deleted)
    assert own.read().ids.tolist() == [change.drawing for change in added]
    own.undo(added[2])
    assert own.counts()[1] == 2


def test_undo_takes_back_ones_own_change_whatever_others_did(own):
    mine = own.add(image(0), 0)
    theirs = sets.get(own.id).add(image(1), 1)
    own.undo(mine)
    assert own.read().ids.tolist() == [theirs.drawing]


def test_only_the_last_deletions_can_be_undone(own, monkeypatch):
    monkeypatch.setattr(own_set, "DELETED_KEPT", 2)
    changes = [own.delete(own.add(image(seed), 0).drawing) for seed in range(4)]
    with pytest.raises(DataError, match="no longer in the set"):
        own.undo(changes[0])
    own.undo(changes[3])
    assert own.read().ids.tolist() == [changes[3].drawing]


def test_a_number_is_never_used_again(own, monkeypatch):
    monkeypatch.setattr(own_set, "DELETED_KEPT", 0)
    first = own.delete(own.add(image(0), 0).drawing)
    second = own.add(image(1), 1)
    assert second.drawing > first.drawing


@pytest.mark.parametrize(
    ("drawing", "label"),
    [
        (np.zeros((28, 28)), 0),
        (np.zeros((28, 27), np.uint8), 0),
        (np.zeros((1, 28, 28), np.uint8), 0),
        (np.zeros((28, 28), np.uint8), 10),
        (np.zeros((28, 28), np.uint8), -1),
    ],
)
def test_impossible_drawings_are_refused(own, drawing, label):
    with pytest.raises(DataError):
        own.add(drawing, label)
    assert sum(own.counts()) == 0


def test_a_full_set_says_so(filled, monkeypatch):
    monkeypatch.setattr(own_set, "MAX_DRAWINGS", 30)
    with pytest.raises(DataError, match="at most 30 drawings"):
        filled.add(image(0), 0)
    filled.delete(1)
    filled.add(image(0), 0)
    assert sum(filled.counts()) == 30


def test_ten_thousand_drawings_fit(own):
    n = own_set.MAX_DRAWINGS
    numbers = np.arange(n)
    files.write_drawings(
        own.path, files.Drawings(np.zeros((n, 28, 28), np.uint8), numbers % 10, numbers, numbers, 0 * numbers)
    )
    assert own.counts() == (n // 10,) * 10


# ---- several at once


def test_two_processes_lose_nothing(own):
    code = (
        "import sys, numpy as np\n"
        "from explorer.data.own import sets\n"
        "for seed in range(int(sys.argv[2]), int(sys.argv[2]) + 12):\n"
        "    image = np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)\n"
        "    sets.get(sys.argv[1]).add(image, seed % 10)\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, own.id, first], cwd=ROOT) for first in ("0", "100")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    drawings = own.read()
    assert len(drawings.labels) == len(set(drawings.ids.tolist())) == 24
    assert {each.tobytes() for each in drawings.images} == {
        image(seed).tobytes() for seed in (*range(12), *range(100, 112))
    }


def test_threads_lose_nothing_and_find_one_set(home):
    found = []

    def work(first):
        own = sets.for_dataset("mnist")
        found.append(own.id)
        add_many(own.id, first, 4)

    threads = [threading.Thread(target=work, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert sum(sets.get(found[0]).counts()) == 16


def test_one_who_waits_too_long_is_told(own, monkeypatch):
    monkeypatch.setattr(own_set, "LOCK_SECONDS", 0.05)
    with own_set.locked(own.path), pytest.raises(DataError, match="Another window"):
        own.add(image(0), 0)


# ---- sets


def test_names_are_data(home):
    name = "../../etc/passwd <b>**x**</b> `"
    own = sets.create(name, "mnist")
    assert own.name == name
    assert own.path.parent == sets.folder()
    assert own.rename("Other\n name").name == sets.get(own.id).name == "Other name"
    assert [one.id for one in sets.list_sets()] == [own.id]


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_impossible_names_are_refused(own, name):
    with pytest.raises(DataError, match="1 to 120 characters"):
        own.rename(name)
    with pytest.raises(DataError, match="1 to 120 characters"):
        sets.create(name, "mnist")


@pytest.mark.parametrize("number", ["", "..", "../sets", "20250101-0123456g", "20250101-01234567", "a/b"])
def test_ids_that_are_none_are_refused(home, number):
    with pytest.raises(DataError, match="no such set"):
        sets.get(number)


def test_sets_are_listed_by_data_set_the_oldest_first(home):
    made = [sets.create(str(number), dataset) for number, dataset in enumerate(("mnist", "fashion-mnist", "mnist"))]
    made[0].rename("renamed")
    assert [one.id for one in sets.list_sets()] == [one.id for one in made]
    assert sets.for_dataset("mnist").id == made[0].id
    assert [one.id for one in sets.list_sets("fashion-mnist")] == [made[1].id]


def test_unknown_data_sets_have_no_drawings(home):
    with pytest.raises(DataError, match="no data set"):
        sets.create("x", "../mnist")


def test_a_removed_set_is_gone_and_takes_nothing(own):
    own.add(image(0), 0)
    sets.remove(own.id)
    with pytest.raises(DataError):
        own.add(image(1), 0)
    assert sets.list_sets() == ()


# ---- damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: b"no archive at all",
        lambda content: content.replace(b"labels", b"babels"),
        lambda content: content[:2000] + bytes([content[2000] ^ 1]) + content[2001:],
    ],
    ids=["half", "one byte short", "empty", "text", "renamed", "one bit"],
)
def test_a_damaged_file_is_named_and_left(filled, damage):
    path = filled.path / "drawings.npz"
    content = damage(path.read_bytes())
    path.write_bytes(content)
    for action in (filled.read, filled.counts, lambda: filled.add(image(0), 0), lambda: filled.delete(1)):
        with pytest.raises(DataError, match=r"'Ours' is damaged and was left as it is"):
            action()
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": np.full(30, 10)},
        {"labels": np.zeros(29, np.int64)},
        {"labels": np.zeros(30)},
        {"images": np.zeros((30, 28, 27), np.uint8)},
        {"ids": np.ones(30, np.int64)},
        {"labels": np.array([{}] * 30)},
    ],
)
def test_arrays_that_cannot_be_are_damage(filled, changed):
    arrays = dict(np.load(filled.path / "drawings.npz")) | changed
    np.savez(filled.path / "drawings.npz", **arrays)
    with pytest.raises(DataError, match="damaged"):
        filled.read()


def test_a_bomb_is_not_unpacked(filled):
    with zipfile.ZipFile(filled.path / "drawings.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", bytes(files.MAX_BYTES + 1))
    with pytest.raises(DataError, match="damaged"):
        filled.read()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name": 3}', b'{"name": "x", "dataset": "other", "began": 1}'])
def test_a_damaged_description_is_named(own, content):
    (own.path / "set.json").write_bytes(content)
    with pytest.raises(DataError, match="missing or damaged"):
        sets.get(own.id)
    assert sets.list_sets() == ()


def test_a_full_disk_loses_nothing(filled, monkeypatch):
    before = (filled.path / "drawings.npz").read_bytes()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(DataError, match="No space left"):
        filled.add(image(0), 0)
    assert (filled.path / "drawings.npz").read_bytes() == before


# ---- export


def test_png_holds_every_drawing_and_its_label(filled):
    download = to_png(filled)
    with zipfile.ZipFile(io.BytesIO(download.content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
        pictures = [np.asarray(Image.open(archive.open(row["file"]))) for row in rows]
    assert np.array_equal(np.stack(pictures), filled.read().images)
    assert [int(row["label"]) for row in rows] == filled.read().labels.tolist()
    assert rows[0]["class"] == "1"
    assert download.name == "ours-png.zip"


def test_idx_is_read_by_the_reader_of_the_sets(filled):
    with zipfile.ZipFile(io.BytesIO(to_idx(filled).content)) as archive:
        images, labels = (
            idx.parse(gzip.decompress(archive.read(name)), name)
            for name in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz")
        )
    assert np.array_equal(images, filled.read().images)
    assert np.array_equal(labels, filled.read().labels)


def test_npz_is_read_without_pickle(filled):
    with np.load(io.BytesIO(to_npz(filled).content), allow_pickle=False) as arrays:
        assert np.array_equal(arrays["images"], filled.read().images)
        assert np.array_equal(arrays["labels"], filled.read().labels)
        assert tuple(arrays["classes"]) == filled.classes


@pytest.mark.parametrize("export", [to_png, to_idx, to_npz])
def test_names_of_files_are_plain_and_empty_sets_have_none(filled, own, export):
    renamed = filled.rename("../Ä weird/..\\name")
    assert set(export(renamed).name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert export(filled) == export(filled)
    with pytest.raises(DataError, match="nothing to export"):
        export(sets.create("empty", "mnist"))


# ---- as a data set


def test_published_drawings_are_a_data_set(filled):
    name = publish(filled)
    spec = catalog.get(name)
    splits = {part: load_split(name, part) for part in SPLITS}
    assert (spec.train, spec.validation, spec.test) == tuple(len(split) for split in splits.values()) == (21, 3, 6)
    assert spec.classes == catalog.get("mnist").classes
    assert (spec.mean, spec.std) == (catalog.get("mnist").mean, catalog.get("mnist").std)
    assert spec.title == "Ours"
    together = np.concatenate([split.images for split in splits.values()])
    assert {each.tobytes() for each in together} == {each.tobytes() for each in filled.read().images}
    known = {each.tobytes(): label for each, label in zip(filled.read().images, filled.read().labels, strict=True)}
    for split in splits.values():
        assert [known[each.tobytes()] for each in split.images] == split.labels.tolist()
    assert catalog.own_names() == (name,)
    assert name not in catalog.names()


def test_the_shares_of_the_classes_are_those_of_scikit_learn(filled):
    labels = filled.read().labels
    _, test = next(StratifiedShuffleSplit(1, test_size=6, random_state=0).split(labels, labels))
    counts = np.bincount(load_split(publish(filled), "test").labels, minlength=10)
    assert np.abs(counts - np.bincount(labels[test], minlength=10)).max() <= 1


def test_the_same_drawings_are_the_same_data_set(filled):
    name = publish(filled)
    assert publish(filled) == name
    change = filled.add(image(99), 0)
    other = publish(filled)
    assert other != name
    assert len(load_split(name, "train")) == 21
    filled.undo(change)
    assert publish(filled) == name
    assert set(catalog.own_names()) == {name, other}


def test_too_few_are_not_published(own):
    for seed in range(FEWEST - 1):
        own.add(image(seed), 0)
    with pytest.raises(DataError, match=f"{FEWEST} are needed, and there are {FEWEST - 1}"):
        publish(own)
    own.add(image(50), 1)
    sizes = [len(load_split(publish(own), part)) for part in SPLITS]
    assert sum(sizes) == FEWEST
    assert min(sizes) >= 1
    assert sizes[0] >= 10


@pytest.mark.parametrize("name", ["mnist-own-0123456789ab", "mnist-own-../../..", "own-0123456789ab", "mnist-own-"])
def test_data_sets_that_are_not_there(home, name):
    with pytest.raises(DataError, match="no data set called"):
        catalog.get(name)


@pytest.mark.parametrize(
    "change", [{"train": -1}, {"files": {}}, {"files": None}, {"title": "x" * 201}, {"test": "many"}]
)
def test_a_damaged_data_set_is_named(filled, change):
    name = publish(filled)
    about = catalog.own_folder() / name / catalog.OWN_ABOUT
    about.write_text(json.dumps(json.loads(about.read_text()) | change))
    with pytest.raises(DataError, match="damaged"):
        catalog.get(name)


def test_published_content_is_checked(filled):
    name = publish(filled)
    path = catalog.get(name).folder / catalog.get(name).files.train_labels.name
    path.write_bytes(gzip.compress(b"something else"))
    load_split.cache_clear()
    with pytest.raises(DataError, match="checksum differs"):
        load_split(name, "train")
