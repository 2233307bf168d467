import gzip
import hashlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from explorer.data import catalog, idx
from explorer.errors import DataError

ORIGINAL = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)


def _encode(array, kind=0x08):
    """IDX as LeCun describes it: two zeros, type, number of dimensions, sizes (big endian), values."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def _md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, and the folder of a data set beside it."""
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path / "home"))
    (tmp_path / "set").mkdir()
    return tmp_path / "home"


@pytest.fixture
def file(home, tmp_path):
    """A compressed file and its checksum."""
    content = _encode(ORIGINAL)
    path = tmp_path / "set" / "some-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content))
    return path, _md5(content)


def _unpacked(home):
    return list((home / "data").iterdir()) if (home / "data").exists() else []


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=6)))
def test_parse_inverts_encoding(array):
    np.testing.assert_array_equal(idx.parse(_encode(array), "x"), array)


@given(st.binary(max_size=40))
def test_parse_of_anything_is_an_array_or_one_message(content):
    valid = len(content) > 3 and content[:3] == b"\0\0\x08" and 1 <= content[3] <= 4
    sizes = [int.from_bytes(content[at : at + 4], "big") for at in range(4, 4 + 4 * content[3], 4)] if valid else []
    if valid and len(content) == 4 + 4 * len(sizes) + math.prod(sizes):
        assert _encode(idx.parse(content, "x.gz")) == content
    else:
        with pytest.raises(DataError, match=r"^x\.gz "):
            idx.parse(content, "x.gz")


@pytest.mark.parametrize("name", catalog.names())
@pytest.mark.parametrize("which", ["test_images", "test_labels"])
def test_shipped_files_against_struct(name, which, home):
    spec = catalog.get(name)
    described = getattr(spec.files, which)
    content = gzip.decompress((spec.folder / described.name).read_bytes())
    dimensions = 3 if which.endswith("images") else 1
    assert struct.unpack(">I", content[:4])[0] == 0x0800 + dimensions
    shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
    assert shape == ((10_000, 28, 28) if dimensions == 3 else (10_000,))
    loaded = idx.load(spec.folder / described.name, described.md5)
    assert loaded.tobytes() == content[4 + 4 * dimensions :]
    assert loaded.shape == shape


@pytest.mark.parametrize("name", catalog.names())
def test_checksums_are_those_of_the_files(name):
    spec = catalog.get(name)
    for described in spec.files:
        assert _md5(gzip.decompress((spec.folder / described.name).read_bytes())) == described.md5
    assert spec.checksum == _md5("".join(described.md5 for described in spec.files).encode())


def test_load_is_read_only(file):
    array = idx.load(*file)
    np.testing.assert_array_equal(array, ORIGINAL)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


def test_second_load_does_not_unpack_again(file, monkeypatch):
    idx.load(*file)
    monkeypatch.setattr(idx, "unpack", lambda path: pytest.fail(f"{path} is unpacked again"))
    np.testing.assert_array_equal(idx.load(*file), ORIGINAL)


def test_file_damaged_after_the_first_load_is_noticed(file):
    path, md5 = file
    idx.load(path, md5)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="truncated or damaged"):
        idx.load(path, md5)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        idx.load(path, md5)


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_damaged_copy_is_repaired(file, home, damage):
    idx.load(*file)
    (copy,) = _unpacked(home)
    good = copy.read_bytes()
    copy.unlink()
    copy.write_bytes(bytes(reversed(good)) if damage is None else damage)
    np.testing.assert_array_equal(idx.load(*file), ORIGINAL)
    assert copy.read_bytes() == good
    assert _unpacked(home) == [copy]


def test_home_that_cannot_be_written_still_works(file, home):
    home.write_text("a file stands where the folder should be")
    np.testing.assert_array_equal(idx.load(*file), ORIGINAL)


def test_missing_file(file):
    path, md5 = file
    path.unlink()
    with pytest.raises(DataError, match=r"some-images-idx3-ubyte\.gz is missing.*Restore"):
        idx.load(path, md5)


def _flipped(content):
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-3],
        lambda content: b"",
        lambda content: b"not gzip at all",
        _flipped,
    ],
    ids=["half", "tail", "empty", "other", "flipped"],
)
def test_damaged_file(file, home, damage):
    path, md5 = file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"some-images-idx3-ubyte\.gz in 'set' .*Restore"):
        idx.load(path, md5)
    assert _unpacked(home) == []


def test_other_content_has_another_checksum(file, home):
    path, md5 = file
    path.write_bytes(gzip.compress(_encode(ORIGINAL[::-1])))
    with pytest.raises(DataError, match="checksum"):
        idx.load(path, md5)
    assert _unpacked(home) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (_encode(ORIGINAL, kind=0x0D), "not an IDX file"),
        (b"\1" + _encode(ORIGINAL)[1:], "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\xff" + bytes(2000), "not an IDX file"),
        (_encode(ORIGINAL)[:-1], "announces 140 values but holds 139"),
        (_encode(ORIGINAL) + b"\0", "announces 140 values but holds 141"),
        (b"\0\0\x08\x03\0\0\0\x07", "announces"),
        (struct.pack(">BBBB4I", 0, 0, 8, 4, *[2**32 - 1] * 4), "announces"),
    ],
)
def test_nonsense_header(content, message):
    with pytest.raises(DataError, match=message):
        idx.parse(content, "file")


def test_nonsense_header_with_the_right_checksum(home, tmp_path):
    path = tmp_path / "set" / "x.gz"
    path.write_bytes(gzip.compress(b"hello"))
    with pytest.raises(DataError, match=r"x\.gz is not an IDX file"):
        idx.load(path, _md5(b"hello"))


def test_bomb_is_not_unpacked(home, tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "MAX_BYTES", 1000)
    path = tmp_path / "set" / "x.gz"
    path.write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        idx.load(path, _md5(bytes(100_000)))


def test_unknown_set_names_those_that_exist():
    with pytest.raises(DataError, match=r"'cifar'.*fashion-mnist, mnist"):
        catalog.get("cifar")
