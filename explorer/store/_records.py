"""Reading and appending the small JSON files of a run."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from explorer.errors import RunError
from explorer.files import saying_what_fails


def read_object(path: Path, run_id: str) -> dict[str, Any]:
    """Return the JSON object in a file of a run.

    Raises
    ------
    RunError
        It is missing, or something else.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path.name} of run {run_id} is missing or damaged. Delete the run.") from None
    if not isinstance(document, dict):
        raise RunError(f"{path.name} of run {run_id} is damaged. Delete the run.")
    return document


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a JSONL file; a line cut off by a crash or a full disk is passed over."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document


def append_line(path: Path, line: Mapping[str, Any], durable: bool = False) -> None:
    """Add a line to a JSONL file; with `durable`, it is on disk before this returns."""
    text = json.dumps(dict(line), allow_nan=False).encode() + b"\n"
    with saying_what_fails(), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = b"\n" + text  # the line before was cut off
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
