import io
import stat
import struct
import zipfile

import pytest

from explorer.errors import RunError
from explorer.store import archives
from explorer.store.archives import CHECKPOINT, CONFIG, HISTORY, MB, README, STATUS, pack, unpack

FILES = {CHECKPOINT: b"weights" * 500, CONFIG: b"{}", STATUS: b"{}", HISTORY: b"", README: b"words"}


def packed(files=FILES):
    stream = io.BytesIO()
    pack(stream, files)
    return stream.getvalue()


def foreign(entries, method=zipfile.ZIP_DEFLATED):
    """An archive from elsewhere; entries are names or `ZipInfo`, and contents."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in [*FILES.items(), *entries]:
            archive.writestr(name, content)
    return stream.getvalue()


def refused(data, tmp_path, message):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(RunError, match=message) as caught:
        unpack(data, folder)
    assert str(caught.value).startswith("The archive cannot be imported: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"], "something was written outside"


def test_what_was_packed_comes_out_again(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"from a file")
    files = FILES | {CHECKPOINT: weights, "predictions/test-0001.safetensors": b"p", "last.safetensors": b"l"}
    folder = tmp_path / "out"
    folder.mkdir()
    names = unpack(packed(files), folder)
    assert names == sorted(set(files) - {README})
    found = {name: (folder / name).read_bytes() for name in names}
    assert found == {name: b"from a file" if name == CHECKPOINT else files[name] for name in names}
    assert not (folder / README).exists()


def test_other_tools_read_it_and_the_same_files_give_the_same_bytes():
    data = packed()
    assert data == packed(dict(reversed(FILES.items())))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {stat.S_IFREG | 0o644}


def test_from_a_file_and_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "run.zip"
    path.write_bytes(packed())
    folder = tmp_path / "out"
    folder.mkdir()
    assert CHECKPOINT in unpack(path, folder)
    for wrong in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(RunError, match=r"no such file|cannot be opened"):
            unpack(wrong, folder)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.txt", "/etc/passwd", "..\\evil.txt", "C:\\evil.txt", "weights/../../x", "./config.json"),
        *("CONFIG.JSON", "inner.zip", "state.pt", "lock", ".DS_Store", "run/config.json"),
        *("predictions/train-0001.safetensors", "predictions/test-0000.safetensors", "predictions/../config.json"),
        *("predictions/test-1.safetensors", "predictions/test-٠٠٠١.safetensors", "predictions/test-123456.safetensors"),
        "x" * 5000,
    ],
)
def test_files_that_no_run_has_are_refused(name, tmp_path):
    data = foreign([(name, b"x")])
    refused(data, tmp_path, "is no part of a run|damaged")


def test_folders_in_the_list_are_passed_over_and_never_made(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    unpack(foreign([("predictions/", b""), ("../outside/", b"")]), folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(FILES) - {README})


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_special_files_are_refused(kind, tmp_path):
    entry = zipfile.ZipInfo("last.safetensors")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    refused(foreign([(entry, b"/etc/passwd")]), tmp_path, "a link or another special file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(tmp_path):
    refused(foreign([(CONFIG, b"other")]), tmp_path, "two files of the same name")


@pytest.mark.parametrize("missing", archives.REQUIRED)
def test_what_is_needed_must_be_there(missing, tmp_path):
    refused(packed({name: content for name, content in FILES.items() if name != missing}), tmp_path, f"lacks {missing}")


def test_a_bomb_is_refused_before_it_is_opened(tmp_path):
    refused(foreign([("last.safetensors", bytes(100 * MB))]), tmp_path, "would grow more than 200 times")


def test_a_file_larger_than_it_may_be(tmp_path):
    refused(
        foreign([("history.csv", bytes(33 * MB))], zipfile.ZIP_STORED), tmp_path, "'history.csv' has more than 32 MB"
    )


def test_files_that_are_too_many_or_too_large_together(tmp_path, monkeypatch):
    many = [(f"predictions/test-{number:05d}.safetensors", b"") for number in range(1, 12)]
    monkeypatch.setattr(archives, "MAX_FILES", 15)
    refused(foreign(many), tmp_path, "more than 15 files")
    (tmp_path / "folder").rmdir()
    monkeypatch.setattr(archives, "MAX_BYTES", 5000)
    refused(foreign([("train.py", b"x" * 1500), (zipfile.ZipInfo("last.safetensors"), b"")]), tmp_path, "MB in all")
    (tmp_path / "folder").rmdir()
    monkeypatch.setattr(archives, "MAX_BYTES", 100)
    refused(packed(), tmp_path, "it has more than")


def test_a_long_list_of_files_is_not_even_read(tmp_path, monkeypatch):
    data = packed()
    monkeypatch.setattr(archives, "MAX_DIRECTORY", 100)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    refused(data, tmp_path, "its list of files is too long")


def test_the_large_variant_of_the_format_is_refused(tmp_path):
    data = packed()
    end = data.rindex(b"PK\5\6")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    refused(data[:end] + locator + data[end:], tmp_path, "more than 4,000 files")


def changed(data, offset, content, before=b"PK\1\2"):
    """Change bytes of the last entry of the central directory."""
    at = data.rindex(before) + offset
    return data[:at] + content + data[at + len(content) :]


def test_a_password_or_an_unusual_compression(tmp_path):
    refused(changed(packed(), 8, b"\1\0"), tmp_path, "password")
    (tmp_path / "folder").rmdir()
    refused(foreign([], zipfile.ZIP_LZMA), tmp_path, "unusual way")


def test_a_file_that_is_longer_or_shorter_than_the_list_says(tmp_path):
    data = packed()
    for size in (1, 3, 100):
        refused(changed(data, 24, struct.pack("<L", size)), tmp_path, "damaged|cut off|larger")
        for path in sorted((tmp_path / "folder").iterdir()):
            path.unlink()
        (tmp_path / "folder").rmdir()


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6", b"PK\5\6" + bytes(18), b"no zip at all" * 1000, b"\0" * 100])
def test_what_is_no_zip_file(data, tmp_path):
    refused(data, tmp_path, "no zip file|lacks|damaged")


def test_cut_off_anywhere_it_is_refused(tmp_path):
    data = packed()
    for length in range(0, len(data), 37):
        with pytest.raises(RunError, match="cannot be imported"):
            unpack(data[:length], tmp_path)


def test_with_any_byte_changed_it_is_refused_or_the_same(tmp_path):
    data = packed()
    outcomes = set()
    for number, position in enumerate(range(0, len(data), 11)):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            names = unpack(data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :], folder)
        except RunError:
            outcomes.add("refused")
            continue
        outcomes.add("the same")
        assert {name: (folder / name).read_bytes() for name in names} == {name: FILES[name] for name in names}
    assert outcomes == {"refused", "the same"}


def test_an_existing_file_is_never_written_over(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        unpack(packed(), tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"mine"
