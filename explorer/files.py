"""Writing files so that a reader never sees half of one."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` when the block ends without an error.

    Whatever happens, `path` holds either its old or its new content, and nothing is left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the content of `path` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, document: Any) -> None:
    """Replace `path` by `document` as strict JSON (no NaN) in one step."""
    write_bytes(path, json.dumps(document, allow_nan=False, indent=1).encode())


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that is never changed in place a second name, or copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
