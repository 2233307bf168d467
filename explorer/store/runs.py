"""Run directories: everything about one training run, under `EXPLORER_HOME/runs/<id>/`.

| file | content |
|---|---|
| `config.json` | the configuration, the display name and when the run was made |
| `status.json` | where it stands; replaced in one step, so a reader never sees half of it |
| `history.jsonl` | a line an epoch, and a line now and then for a step; append only |
| `events.jsonl` | what changed from outside while it ran, noted before it took effect |
| `weights/epoch-0007.safetensors` | checkpoints: the first, the best and the last epoch |
| `predictions/validation-0007.safetensors` | logits of an epoch, for each of `validation` and `test` |
| `state.pt` | what is needed to go on |
| `lock` | held by the process that computes; free as soon as that process is gone |
| `stop` | exists while somebody asks the run to stop |
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from explorer.errors import RunError
from explorer.files import write_bytes, write_json
from explorer.paths import home

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
MAX_NAME = 120
LOCK_SECONDS = 0.5
"""How long to wait for a lock, which others hold for a moment to see whether it is free."""

State = Literal["queued", "running", "stopped", "interrupted", "finished", "failed"]
ACTIVE: tuple[State, ...] = ("queued", "running")
RESUMABLE: tuple[State, ...] = ("stopped", "interrupted", "failed")


class Status(BaseModel):
    """Where a run stands.

    `epoch` counts the completed epochs, `step` and `steps` the unfinished one. `seconds` is the time from the
    first step to the last record, interruptions not counted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State = "queued"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    best_epoch: int | None = None
    images_per_second: float | None = None
    seconds: float = 0.0
    device: str = ""
    message: str = ""

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0 to 1."""
        if self.state == "finished":
            return 1.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + within) / self.epochs) if self.epochs else 0.0


@dataclass(frozen=True)
class Run:
    """One run on disk. The object holds only its place; every property reads the files anew."""

    id: str
    path: Path

    @property
    def description(self) -> dict[str, Any]:
        """The content of `config.json`: `name` and `config`."""
        document = _read_json(self.path / "config.json", self.id)
        if not isinstance(document.get("name"), str) or not isinstance(document.get("config"), dict):
            raise RunError(f"config.json of run {self.id} is damaged. Delete the run.")
        return document

    @property
    def name(self) -> str:
        """The display name; data, never a path."""
        return str(self.description["name"])

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration as plain values."""
        return dict(self.description["config"])

    @property
    def status(self) -> Status:
        """Where the run stands; a run whose process is gone is `interrupted`."""
        status = self._status()
        if status.state == "running" and not self.is_locked:
            status = self._status()  # it may have ended, and said so, between the two looks
            if status.state == "running":
                return status.model_copy(update={"state": "interrupted", "message": INTERRUPTED})
        return status

    def _status(self) -> Status:
        try:
            return Status.model_validate(_read_json(self.path / "status.json", self.id))
        except ValidationError:
            raise RunError(f"The status of run {self.id} is damaged. Delete the run.") from None

    def write_status(self, status: Status) -> None:
        """Replace the status in one step."""
        write_json(self.path / "status.json", status.model_dump())

    @property
    def state_file(self) -> Path:
        """What is needed to go on."""
        return self.path / "state.pt"

    def weights(self, epoch: int) -> Path:
        """Return where the checkpoint of an epoch is kept, if it is."""
        return self.path / "weights" / f"epoch-{epoch:04d}.safetensors"

    def kept_epochs(self) -> list[int]:
        """Return the epochs whose weights are kept, in order."""
        return sorted(int(path.stem.removeprefix("epoch-")) for path in (self.path / "weights").glob("epoch-*"))

    def predictions(self, split: str, epoch: int) -> Path:
        """Return where the predictions of an epoch are kept."""
        return self.path / "predictions" / f"{split}-{epoch:04d}.safetensors"

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of `history.jsonl`; `kind` is `epoch` or `step`."""
        return list(_read_lines(self.path / "history.jsonl"))

    def epochs(self) -> list[dict[str, Any]]:
        """Return the history's lines of epochs."""
        return [line for line in self.history() if line["kind"] == "epoch"]

    def append_history(self, line: Mapping[str, Any]) -> None:
        """Add a line to the history."""
        _append(self.path / "history.jsonl", line)

    def truncate_history(self, epoch: int, step: int) -> None:
        """Drop what was noted after `step` steps of the epoch that follows `epoch` completed ones."""
        kept = [line for line in self.history() if (line["epoch"], line.get("step", 0)) <= (epoch + 1, step)]
        kept = [line for line in kept if line["kind"] == "step" or line["epoch"] <= epoch]
        write_bytes(self.path / "history.jsonl", "".join(json.dumps(line) + "\n" for line in kept).encode())

    def discard_unfinished(self) -> None:
        """Remove the beginnings of large files that a killed process left behind."""
        for pattern in (".state.pt.*.tmp", "weights/.*.tmp", "predictions/.*.tmp"):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of `events.jsonl`."""
        return list(_read_lines(self.path / "events.jsonl"))

    def append_event(self, line: Mapping[str, Any]) -> None:
        """Note an event, on disk before this returns."""
        _append(self.path / "events.jsonl", line, durable=True)

    def request_stop(self) -> None:
        """Ask the process that computes the run to stop after its current step."""
        (self.path / "stop").touch()

    def clear_stop(self) -> None:
        """Withdraw the request."""
        (self.path / "stop").unlink(missing_ok=True)

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asks the run to stop."""
        return (self.path / "stop").exists()

    def lock(self) -> FileLock:
        """Take the run for this process.

        Raises
        ------
        RunError
            Another process computes it.
        """
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise RunError(f"Run {self.id} is being computed by another process. Stop it there first.") from None
        return lock

    @property
    def is_locked(self) -> bool:
        """Whether a process computes the run now."""
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False


INTERRUPTED = "The process that computed this run is gone; it can be resumed where it last saved its state."


def folder() -> Path:
    """Return the folder of all runs."""
    return home() / "runs"


def create(config: Mapping[str, Any], name: str = "") -> Run:
    """Make the directory of a new run, queued.

    Raises
    ------
    RunError
        The disk is full or not writable.
    """
    run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
    run = Run(run_id, folder() / run_id)
    description = {"name": (name or f"{config['model']} on {config['dataset']}")[:MAX_NAME], "config": dict(config)}
    try:
        run.path.mkdir(parents=True)
        write_json(run.path / "status.json", Status(epochs=config["epochs"]).model_dump())
        write_json(run.path / "config.json", description)
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise RunError(f"The run cannot be saved in {folder().name!r}: {error.strerror}.") from None
    return run


def get(run_id: str) -> Run:
    """Return the run with this id.

    Raises
    ------
    RunError
        The text is no run id, or there is no such run.
    """
    if not RUN_ID.fullmatch(run_id):
        raise RunError(f"{run_id[:80]!r} is not a run id. `python -m explorer runs` lists them.")
    run = Run(run_id, folder() / run_id)
    if not (run.path / "config.json").is_file():
        raise RunError(f"There is no run {run_id!r}. `python -m explorer runs` lists them.")
    return run


def list_runs() -> list[Run]:
    """Return all runs, newest first."""
    try:
        names = [entry.name for entry in os.scandir(folder()) if RUN_ID.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    runs = [Run(name, folder() / name) for name in sorted(names, reverse=True)]
    return [run for run in runs if (run.path / "config.json").is_file()]


def _read_json(path: Path, run_id: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{path.name} of run {run_id} is missing or damaged. Delete the run.") from None
    if not isinstance(document, dict):
        raise RunError(f"{path.name} of run {run_id} is damaged. Delete the run.")
    return document


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
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


def _append(path: Path, line: Mapping[str, Any], durable: bool = False) -> None:
    text = json.dumps(dict(line), allow_nan=False).encode() + b"\n"
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = b"\n" + text  # the line before was cut off
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
