"""What people say of a run, and where it comes from: the content of its `config.json`."""

from collections.abc import Mapping
from typing import Any

from explorer.errors import RunError

MAX_NAME = 120
MAX_NOTE = 2_000
MAX_TAGS, MAX_TAG = 10, 30
EMPTY: dict[str, Any] = {"name": None, "note": "", "tags": [], "config": None, "parent": {}, "group": {}}
TYPES = {"name": str, "note": str, "tags": list, "config": dict, "parent": dict, "group": dict}


def read(document: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return a description with everything that it may lack.

    Raises
    ------
    RunError
        Something in it is of another type.
    """
    found = EMPTY | dict(document)
    tags_are_text = isinstance(found["tags"], list) and all(isinstance(tag, str) for tag in found["tags"])
    if not tags_are_text or any(not isinstance(found[key], kind) for key, kind in TYPES.items()):
        raise RunError(f"config.json of run {run_id} is damaged. Delete the run.")
    return found


def edit(
    document: Mapping[str, Any], name: str | None = None, note: str | None = None, tags: list[str] | None = None
) -> dict[str, Any]:
    """Return a description with another name, note or tags; what is None stays.

    Raises
    ------
    RunError
        A text is too long, or empty where it must not be; nothing is cut silently.
    """
    changes = {"name": name, "note": note, "tags": tags}
    changed = dict(document) | {key: value for key, value in changes.items() if value is not None}
    changed["name"] = _checked(changed["name"], "name", 1, MAX_NAME)
    changed["note"] = _checked(changed["note"], "note", 0, MAX_NOTE)
    changed["tags"] = [_checked(tag, "tag", 1, MAX_TAG) for tag in dict.fromkeys(changed["tags"])]
    if len(changed["tags"]) > MAX_TAGS:
        raise RunError(f"A run has at most {MAX_TAGS} tags, and these are {len(changed['tags'])}. Leave some out.")
    return changed


def _checked(text: str, what: str, least: int, most: int) -> str:
    text = text.strip()
    if not least <= len(text) <= most:
        size = f"{least} to {most:,}" if least else f"at most {most:,}"
        raise RunError(f"The {what} of a run has {size} characters, and this one has {len(text):,}.")
    return text
