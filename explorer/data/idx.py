"""Reading IDX files (the format of LeCun's MNIST page), checked and memory-mapped.

The shipped files are compressed. Each is unpacked once into `EXPLORER_HOME/data`, and from then on mapped from
there by every process, which costs no memory of its own and a tenth of the time of unpacking. The content is
checked against its published MD5 in either case.
"""

import gzip
import hashlib
import math
import mmap
import os
import zlib
from pathlib import Path

import numpy as np

from explorer.errors import DataError
from explorer.files import write_bytes
from explorer.paths import home

Content = bytes | mmap.mmap

UNSIGNED_BYTE = 0x08
MAX_BYTES = 1 << 30


def parse(content: Content, name: str) -> np.ndarray:
    """Return the array in an uncompressed IDX file of unsigned bytes, without copying.

    Raises
    ------
    DataError
        The header is not one of an IDX file of unsigned bytes, or the length does not fit it.
    """
    view = memoryview(content)
    if len(view) < 4 or view[0] or view[1] or view[2] != UNSIGNED_BYTE or not 1 <= view[3] <= 4:
        raise DataError(f"{name} is not an IDX file of unsigned bytes. Restore the original file.")
    header = 4 + 4 * view[3]
    shape = tuple(int.from_bytes(view[start : start + 4], "big") for start in range(4, header, 4))
    if len(view) != header + math.prod(shape):
        raise DataError(
            f"{name} announces {math.prod(shape):,} values but holds {max(0, len(view) - header):,}: "
            "it is truncated or damaged. Restore the original file."
        )
    return np.frombuffer(view, dtype=np.uint8, offset=header).reshape(shape)


def load(path: Path, md5: str) -> np.ndarray:
    """Return the array in the compressed IDX file `path`, read-only and memory-mapped.

    Parameters
    ----------
    path : Path
        A gzip-compressed IDX file.
    md5 : str
        Hexadecimal MD5 of its uncompressed content.

    Raises
    ------
    DataError
        The file is missing, truncated, not gzip, or its content has another checksum.
    """
    unpacked = home() / "data" / f"{md5}.idx"
    mapped: Content | None = _map(unpacked) if _is_of(unpacked, path) else None
    if mapped is None or not _matches(mapped, md5):
        content = unpack(path)
        if not _matches(content, md5):
            raise DataError(
                f"{path.name} in {path.parent.name!r} does not have the expected content (its checksum differs). "
                "Restore the original file, for example with `git checkout explorer/data/files`."
            )
        mapped = _store(unpacked, content, path)
    return parse(mapped, path.name)


def _matches(content: Content, md5: str) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == md5


def _map(path: Path) -> mmap.mmap | None:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None


def _is_of(unpacked: Path, path: Path) -> bool:
    """Whether the compressed file is still the one that was unpacked: the copy bears its time stamp."""
    try:
        return unpacked.stat().st_mtime_ns == path.stat().st_mtime_ns
    except OSError:
        return False


def _store(path: Path, content: bytes, source: Path) -> Content:
    """Keep the unpacked content for the next process; where that is impossible, go on with what is in memory."""
    try:
        write_bytes(path, content)
        stamp = source.stat().st_mtime_ns
        os.utime(path, ns=(stamp, stamp))
    except OSError:
        return content
    return _map(path) or content


def unpack(path: Path) -> bytes:
    """Return the uncompressed content of a gzip file, or raise `DataError` where it is missing or damaged."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(
            f"The data file {path.name} is missing from {path.parent.name!r}. "
            "Restore it, for example with `git checkout explorer/data/files`."
        ) from None
    except (OSError, EOFError, zlib.error):
        raise DataError(
            f"The data file {path.name} in {path.parent.name!r} is truncated or damaged and cannot be unpacked. "
            "Restore the original file, for example with `git checkout explorer/data/files`."
        ) from None
    if len(content) > MAX_BYTES:
        raise DataError(f"The data file {path.name} unpacks to more than {MAX_BYTES:,} bytes. Restore the original.")
    return content
