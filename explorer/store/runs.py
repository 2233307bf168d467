"""Run directories: everything about one training run, under `EXPLORER_HOME/runs/<id>/`.

| file | content |
|---|---|
| `config.json` | the configuration, and what people say of the run: name, note, tags; where it comes from |
| `status.json` | where it stands; replaced in one step, so a reader never sees half of it |
| `history.jsonl` | a line an epoch, and a line now and then for a step; append only |
| `events.jsonl` | what changed from outside while it ran, noted before it took effect |
| `weights/epoch-0007.safetensors` | checkpoints: first, best and last epoch, others as the budget allows |
| `states/epoch-0007.pt` | what a fork needs to go on with the optimizer as it was then |
| `predictions/validation-0007.safetensors` | logits of an epoch, for each of `validation` and `test` |
| `events/` | the same for TensorBoard, with histograms and pictures |
| `tracking.json`, `wandb/` | what Weights & Biases is told, where that was asked for |
| `state.pt` | what is needed to go on |
| `lock` | held by the process that computes; free as soon as that process is gone |
| `stop`, `finish` | exist while somebody asks the run to pause, or to end and keep what it has |
| `rate` | the learning rate that somebody asks for, from the next epoch on |
| `fork.pt` | in a fork, the state that it began with |
"""

import json
import math
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
from pydantic import ValidationError

from explorer.errors import RunError
from explorer.files import saying_what_fails, write_bytes, write_json, write_last_json
from explorer.paths import home
from explorer.store import losses
from explorer.store import status as store_status
from explorer.store.status import ACTIVE, MAX_NAME, RESUMABLE, State, Status


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


Request = Literal["stop", "finish", "rate"]


@dataclass(frozen=True)
class Requests:
    """The requests to one run.

    `stop` pauses it after its current step, `finish` ends it there and keeps what it has, `rate` changes the learning
    rate from the next epoch on.
    """

    path: Path

    def ask(self, what: Request, value: float | None = None) -> None:
        """Make a request, replacing an earlier one of its kind."""
        write_bytes(self.path / what, b"" if value is None else repr(value).encode())

    def withdraw(self, what: Request) -> None:
        """Take a request back, if there is one."""
        (self.path / what).unlink(missing_ok=True)

    def asked(self, what: Request) -> bool:
        """Whether the request stands."""
        return (self.path / what).exists()

    def value(self, what: Request) -> float | None:
        """Return the number that a request carries; None where there is no request, or no number in it."""
        try:
            value = float((self.path / what).read_text())
        except (OSError, ValueError):
            return None
        return value if math.isfinite(value) else None


__all__ = ["ACTIVE", "MAX_NAME", "RESUMABLE", "Run", "State", "Status", "create", "folder", "get", "list_runs"]

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
LOCK_SECONDS = 0.5
"""How long to wait for a lock, which others hold for a moment to see whether it is free."""


@dataclass(frozen=True)
class Run:
    """One run on disk. The object holds only its place; every property reads the files anew."""

    id: str
    path: Path

    @property
    def description(self) -> dict[str, Any]:
        """The content of `config.json`: `name`, `note`, `tags`, `config`, `parent` and `group`.

        `parent` is the run and epoch that a fork goes on from, `group` the comparison that the run is a part of.
        """
        return store_status.read(read_object(self.path / "config.json", self.id), self.id)

    def describe(self, *, name: str | None = None, note: str | None = None, tags: list[str] | None = None) -> None:
        """Change what people say of the run; what is None stays.

        Raises
        ------
        RunError
            A text is too long or empty, or the disk is full.
        """
        document = store_status.edit(self.description, name, note, tags)
        try:
            write_json(self.path / "config.json", document)
        except OSError as error:
            raise RunError(f"The change cannot be saved: {error.strerror}.") from None

    def set_group(self, group: Mapping[str, Any]) -> None:
        """Note the comparison that the run is a part of."""
        write_json(self.path / "config.json", self.description | {"group": dict(group)})

    @property
    def name(self) -> str:
        """The display name; data, never a path."""
        return str(self.description["name"])

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration as plain values."""
        return dict(self.description["config"])

    @property
    def objective(self) -> str:
        """What the run minimises, empty where it is the cross entropy or the configuration is damaged."""
        try:
            return losses.objective(self.config)
        except RunError:
            return ""

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
            return Status.model_validate(read_object(self.path / "status.json", self.id))
        except ValidationError:
            raise RunError(f"The status of run {self.id} is damaged. Delete the run.") from None

    def write_status(self, status: Status, last: bool = False) -> None:
        """Replace the status in one step; the `last` one also on a full disk, where it lies."""
        write = write_last_json if last else write_json
        write(self.path / "status.json", status.model_dump())

    @property
    def state_file(self) -> Path:
        """What is needed to go on."""
        return self.path / "state.pt"

    def weights(self, epoch: int) -> Path:
        """Return where the checkpoint of an epoch is kept, if it is."""
        return self.path / "weights" / f"epoch-{epoch:04d}.safetensors"

    def kept_epochs(self) -> list[int]:
        """Return the epochs whose weights are kept, in order."""
        return _epochs_in(self.path / "weights", "epoch-")

    def saved_state(self, epoch: int) -> Path:
        """Return where the state of training after an epoch is kept, if it is."""
        return self.path / "states" / f"epoch-{epoch:04d}.pt"

    def predictions(self, split: str, epoch: int) -> Path:
        """Return where the predictions of an epoch are kept."""
        return self.path / "predictions" / f"{split}-{epoch:04d}.safetensors"

    def predicted_epochs(self) -> list[int]:
        """Return the epochs whose predictions are kept, in order."""
        return _epochs_in(self.path / "predictions", "validation-")

    def history(self) -> list[dict[str, Any]]:
        """Return the lines of `history.jsonl`; `kind` is `epoch` or `step`, the losses are as in `store.losses`."""
        minimised = self.objective
        return [losses.upgraded(line, minimised) for line in read_lines(self.path / "history.jsonl")]

    def epochs(self) -> list[dict[str, Any]]:
        """Return the history's lines of epochs."""
        return [line for line in self.history() if line["kind"] == "epoch"]

    def append_history(self, line: Mapping[str, Any]) -> None:
        """Add a line to the history."""
        append_line(self.path / "history.jsonl", line)

    def truncate_history(self, epoch: int, step: int) -> None:
        """Drop what was noted after `step` steps of the epoch that follows `epoch` completed ones."""
        kept = [line for line in self.history() if (line["epoch"], line.get("step", 0)) <= (epoch + 1, step)]
        kept = [line for line in kept if line["kind"] == "step" or line["epoch"] <= epoch]
        write_bytes(self.path / "history.jsonl", "".join(json.dumps(line) + "\n" for line in kept).encode())

    def discard_unfinished(self) -> None:
        """Remove the beginnings of files that only the run's own process writes, where a killed one left them."""
        own = (".state.pt.*.tmp", ".status.json.*.tmp", ".history.jsonl.*.tmp")
        for pattern in (*own, "weights/.*.tmp", "predictions/.*.tmp", "states/.*.tmp"):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of `events.jsonl`."""
        return list(read_lines(self.path / "events.jsonl"))

    def append_event(self, line: Mapping[str, Any]) -> None:
        """Note an event, on disk before this returns."""
        append_line(self.path / "events.jsonl", line, durable=True)

    @property
    def requests(self) -> Requests:
        """What somebody asks of the process that computes the run."""
        return Requests(self.path)

    def request_stop(self) -> None:
        """Ask the process that computes the run to stop after its current step."""
        self.requests.ask("stop")

    def clear_stop(self) -> None:
        """Withdraw the request."""
        self.requests.withdraw("stop")

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asks the run to stop."""
        return self.requests.asked("stop")

    def lock(self) -> FileLock:
        """Take the run for this process.

        Raises
        ------
        RunError
            Another process computes it.
        """
        lock = FileLock(self.path / "lock")
        try:
            with saying_what_fails():
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
        except OSError as error:  # where it cannot be written to, nobody computes it here
            return isinstance(error, Timeout)
        lock.release()
        return False


INTERRUPTED = (
    "The process that computed this run is gone; resumed, it goes on from the last state that it saved, if any."
)


def folder() -> Path:
    """Return the folder of all runs."""
    return home() / "runs"


def create(
    config: Mapping[str, Any],
    name: str = "",
    *,
    parent: Mapping[str, Any] | None = None,
    group: Mapping[str, Any] | None = None,
) -> Run:
    """Make the directory of a new run, queued.

    Raises
    ------
    RunError
        The disk is full or not writable.
    """
    run_id = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
    run = Run(run_id, folder() / run_id)
    title = (name or f"{config['model']} on {config['dataset']}")[:MAX_NAME]
    origin = {"parent": dict(parent or {}), "group": dict(group or {})}
    document = store_status.EMPTY | {"name": title, "config": dict(config)} | origin
    try:
        run.path.mkdir(parents=True)
        write_json(run.path / "status.json", Status(epochs=config["epochs"]).model_dump())
        write_json(run.path / "config.json", document)
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


def _epochs_in(path: Path, stem: str) -> list[int]:
    try:
        names = [entry.name for entry in os.scandir(path)]
    except FileNotFoundError:
        return []
    return sorted(int(name[len(stem) :].partition(".")[0]) for name in names if name.startswith(stem))
