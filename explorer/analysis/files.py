"""Files for the user: complete or absent, and a plain message where they cannot be written."""

import errno
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from explorer.errors import ExplorerError
from explorer.files import replacing

_REASONS = {
    errno.ENOSPC: "there is no space left on the disk. Free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up. Free some space or choose another folder",
    errno.EFBIG: "the file would be larger than is allowed here. Choose another folder",
    errno.EACCES: "writing there is not permitted. Choose another folder",
    errno.EPERM: "writing there is not permitted. Choose another folder",
    errno.EROFS: "that disk is read-only. Choose another folder",
    errno.ENOTDIR: "its folder is a file. Choose another folder",
    errno.EEXIST: "its folder is a file. Choose another folder",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
}


class OutputError(ExplorerError):
    """A result could not be written."""


@contextmanager
def atomic_output(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its final name only when the block ends without an error.

    Parameters
    ----------
    path : path-like
        The final name; an existing file is replaced, and after any error it is untouched.

    Yields
    ------
    BinaryIO
        The file to write to.

    Raises
    ------
    OutputError
        The file cannot be written; the message says why and what to do.
    """
    try:
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            raise OutputError(f"Could not write {path}: that is not an ordinary file. Choose another name.")
        with replacing(target) as partial, partial.open("wb") as stream:
            yield stream
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, (error.strerror or "the system refused it").lower())
        raise OutputError(f"Could not write {path}: {reason}.") from error


def or_none(value: float) -> float | None:
    """Return a number, or None where it is undefined (NaN)."""
    return None if math.isnan(value) else float(value)
