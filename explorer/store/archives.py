"""The zip file that a run is exported as: which files it may hold, writing it, and unpacking one from elsewhere.

An archive may come from anywhere. Only files with known names are taken out, each up to a size that it may have;
what they hold is judged by `explorer.training.archives`.
"""

import io
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, NoReturn

from explorer.errors import RunError

CHECKPOINT, LAST, START = "checkpoint.safetensors", "last.safetensors", "start.pt"
CONFIG, STATUS, HISTORY, TABLE = "config.json", "status.json", "history.jsonl", "history.csv"
SCRIPT, INDICES, README = "train.py", "validation-indices.txt", "README.txt"
PREDICTIONS = re.compile(r"predictions/(?:validation|test)-(?!0000\.)[0-9]{4,5}\.safetensors", re.ASCII)

MB = 1 << 20
SIZES = {
    CHECKPOINT: 256 * MB,
    LAST: 256 * MB,
    START: 256 * MB,
    CONFIG: MB,
    STATUS: MB,
    HISTORY: 32 * MB,
    TABLE: 32 * MB,
    SCRIPT: MB,
    INDICES: 4 * MB,
    README: MB,
}
"""The most bytes that each file may have."""
REQUIRED = (CHECKPOINT, CONFIG, STATUS, HISTORY)
READ = (*REQUIRED, LAST)
"""What is unpacked, beside predictions; the rest is for people and is never opened."""
PREDICTIONS_SIZE = 8 * MB
MAX_BYTES = 1024 * MB
MAX_FILES = 4_000
MAX_DIRECTORY = MB
"""Bytes of the list of files at the end of an archive."""
MAX_RATIO, SMALL = 200, MB
"""No file above the second number may be compressed by more than the first: it would be a bomb."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MADE = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1
_END, _END_SIZE, _LOCATOR, _LOCATOR_SIZE = b"PK\5\6", 22, b"PK\6\7", 20
_LONGEST_COMMENT = 65_535
_CHUNK = 1 << 18


def most_bytes(name: str) -> int | None:
    """Return the most bytes that a file of an archive may have; None where no archive has such a file."""
    if name in SIZES:
        return SIZES[name]
    return PREDICTIONS_SIZE if PREDICTIONS.fullmatch(name) else None


def pack(stream: BinaryIO, files: Mapping[str, bytes | Path]) -> None:
    """Write an archive; the same files give the same bytes.

    Parameters
    ----------
    stream : BinaryIO
    files : mapping
        Name in the archive, and the content or the file that has it.

    Raises
    ------
    OSError
        A file cannot be read, or the stream not written.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _MADE)
            info.create_system = 3
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            dense = name.endswith((".safetensors", ".pt"))
            info.compress_type = zipfile.ZIP_STORED if dense else zipfile.ZIP_DEFLATED
            with archive.open(info, "w") as target, _opened(content) as source:
                shutil.copyfileobj(source, target, _CHUNK)


def unpack(source: Path | bytes, folder: Path) -> list[str]:
    """Take the files that make a run out of an archive from elsewhere, into an empty folder.

    Returns
    -------
    list of str
        Their names, the same in the folder.

    Raises
    ------
    RunError
        The archive is missing, no zip file, damaged, encrypted or too large, or holds something that no archive of
        a run holds. What has been unpacked until then is left to the caller.
    OSError
        The folder cannot be written.
    """
    with _archive(source) as archive:
        entries = archive.infolist()
        _check(entries)
        wanted = [entry for entry in entries if entry.filename in READ or PREDICTIONS.fullmatch(entry.filename)]
        for entry in wanted:
            target = folder / entry.filename
            target.parent.mkdir(exist_ok=True)
            with _damage_refused(entry.filename), archive.open(entry) as content:
                chunks = iter(lambda: content.read(_CHUNK), b"")
                _write(target, chunks, entry.file_size)
    return sorted(entry.filename for entry in wanted)


def _check(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive by its list of files, before any of them is opened."""
    files = [entry for entry in entries if not (entry.is_dir() and not entry.file_size)]
    names = [entry.filename for entry in files]
    for entry in files:
        _check_entry(entry)
    if len(set(names)) != len(names):
        _refuse("it holds two files of the same name")
    if missing := [name for name in REQUIRED if name not in names]:
        _refuse(f"it lacks {', '.join(missing)}")
    if sum(entry.file_size for entry in files) > MAX_BYTES:
        _refuse(f"its files have more than {MAX_BYTES // MB:,} MB in all")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    shown = repr(entry.filename[:60])
    most = most_bytes(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if most is None or entry.orig_filename != entry.filename:
        _refuse(f"it holds {shown}, which is no part of a run")
    if kind not in (0, stat.S_IFREG):
        _refuse(f"{shown} is a link or another special file")
    if entry.flag_bits & _ENCRYPTED:
        _refuse("it is protected by a password")
    if entry.compress_type not in _METHODS:
        _refuse(f"{shown} is compressed in an unusual way")
    if entry.file_size > most:
        _refuse(f"{shown} has more than {most // MB:,} MB")
    if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
        _refuse(f"{shown} would grow more than {MAX_RATIO} times when unpacked")


def _write(target: Path, chunks: Iterator[bytes], size: int) -> None:
    written = 0
    with target.open("xb") as file:
        for chunk in chunks:
            written += len(chunk)
            if written > size:
                _refuse(f"{target.name!r} is larger than it says")
            file.write(chunk)
    if written != size:
        _refuse(f"{target.name!r} is cut off")


@contextmanager
def _archive(source: Path | bytes) -> Iterator[zipfile.ZipFile]:
    """Open an archive after a look at its last bytes, which say how long its list of files is."""
    try:
        stream: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    except FileNotFoundError:
        raise RunError("There is no such file. Give the zip file that `export` wrote.") from None
    except OSError as error:
        raise RunError(f"The archive cannot be opened: {error.strerror}.") from None
    with stream:
        _check_end(stream)
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
            _refuse("it is damaged")
        with archive:
            yield archive


def _check_end(stream: IO[bytes]) -> None:
    size = stream.seek(0, io.SEEK_END)
    if size > MAX_BYTES:
        _refuse(f"it has more than {MAX_BYTES // MB:,} MB")
    stream.seek(max(0, size - _LONGEST_COMMENT - _END_SIZE - _LOCATOR_SIZE))
    tail = stream.read()
    at = len(tail) - _END_SIZE
    if not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        _refuse("it is no zip file, or was cut off")
    count, directory = struct.unpack("<HL", tail[at + 10 : at + 16])
    if count > MAX_FILES or tail[max(0, at - _LOCATOR_SIZE) :].startswith(_LOCATOR):
        _refuse(f"it holds more than {MAX_FILES:,} files")
    if directory > MAX_DIRECTORY:
        _refuse("its list of files is too long")
    stream.seek(0)


@contextmanager
def _damage_refused(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error):
        _refuse(f"{name!r} is damaged")
    except RuntimeError:  # what zipfile makes of a password
        _refuse("it is protected by a password")


@contextmanager
def _opened(content: bytes | Path) -> Iterator[IO[bytes]]:
    opened: Callable[[], IO[bytes]] = (
        (lambda: io.BytesIO(content)) if isinstance(content, bytes) else (lambda: content.open("rb"))
    )
    with opened() as stream:
        yield stream


def _refuse(reason: str) -> NoReturn:
    raise RunError(f"The archive cannot be imported: {reason}. Export the run again where it was made.")
