"""Writing files so that a reader never sees half of one."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from explorer.errors import StorageError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` when the block ends without an error.

    Whatever happens, `path` holds either its old or its new content, and nothing is left beside it.

    Raises
    ------
    StorageError
        The disk is full, or the folder cannot be written to.
    """
    with saying_what_fails():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            _remove(temporary)


@contextmanager
def saying_what_fails() -> Iterator[None]:
    """Turn what keeps the block from writing into the `StorageError` that a user can act upon.

    That a file which it reads is missing, or a lock is held, stays what it is.
    """
    try:
        yield
    except (FileNotFoundError, TimeoutError, StorageError):
        raise
    except OSError as error:
        raise StorageError(error) from None


def _remove(temporary: Path) -> None:
    """Delete a file and free its room even while the error that broke it off keeps it open."""
    with suppress(OSError):
        os.truncate(temporary, 0)
    temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replace the content of `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, document: Any) -> None:
    """Replace `path` by `document` as strict JSON (no NaN) in one step."""
    write_bytes(path, _encoded(document))


def write_last_json(path: Path, document: Any) -> None:
    """Replace a small file as `write_json` does, or write over it where it lies, which takes no room on a full disk.

    Nothing happens where that fails too.
    """
    try:
        write_json(path, document)
    except OSError:
        with suppress(OSError), path.open("r+b", buffering=0) as file:
            file.write(_encoded(document).ljust(path.stat().st_size))


def _encoded(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False, indent=1).encode()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that is never changed in place a second name, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
