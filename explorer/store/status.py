"""Where a run stands."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from explorer.errors import RunError

State = Literal["queued", "running", "stopped", "interrupted", "finished", "failed"]
ACTIVE: tuple[State, ...] = ("queued", "running")
RESUMABLE: tuple[State, ...] = ("stopped", "interrupted", "failed")
CURVE_POINTS = 60
DIVERGED = "diverged"


class Status(BaseModel):
    """Where a run stands.

    `epoch` counts the completed epochs, `step` and `steps` the unfinished one. `seconds` is the time from the
    first step to the last record, interruptions not counted. `curve` is the validation accuracy by epoch, thinned
    to at most `CURVE_POINTS` values; `reason` says why a finished run ended: `epochs`, `time`, `patience` or `user`;
    `diverged` that a failed one would fail again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State = "queued"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    best_epoch: int | None = None
    best_accuracy: float | None = None
    curve: tuple[float, ...] = ()
    reason: str = ""
    images_per_second: float | None = None
    seconds: float = 0.0
    parameters: int | None = None
    device: str = ""
    message: str = ""

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0 to 1."""
        if self.state == "finished":
            return 1.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + within) / self.epochs) if self.epochs else 0.0


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
