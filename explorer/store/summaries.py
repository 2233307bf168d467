"""All runs at a glance. A file that has not changed since the last look is not read again."""

import math
import os
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from explorer.errors import RunError
from explorer.store import runs
from explorer.store.runs import RUN_ID, Run, Status
from explorer.store.status import CURVE_POINTS

KEPT = 4096
"""Runs whose files are held in memory; those looked at least recently are read again."""
KEPT_HISTORIES = 64

Version = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Summary:
    """One run as it was at one moment. As long as nothing changes, every look returns the same object.

    Attributes
    ----------
    run : Run
    status : Status
    description : dict
        Shared by all who ask, so only to be read.
    problem : str
        What is damaged; then the rest holds what could be read.
    """

    run: Run
    status: Status
    description: dict[str, Any]
    problem: str = ""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.run.id

    @property
    def name(self) -> str:
        """The display name; the id where it is damaged."""
        return str(self.description.get("name", self.id))

    @property
    def note(self) -> str:
        """The note, of any number of lines."""
        return str(self.description.get("note", ""))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags."""
        return tuple(self.description.get("tags", ()))

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration as plain values."""
        return dict(self.description.get("config", {}))

    @property
    def dataset(self) -> str:
        """Name of the data set, empty where it is not known."""
        return str(self.config.get("dataset", ""))

    @property
    def model(self) -> str:
        """Name of the architecture, empty where it is not known."""
        return str(self.config.get("model", ""))

    @property
    def started(self) -> datetime | None:
        """When the run was made, in local time; None where its id is no time."""
        return made_at(self.id)


def made_at(run_id: str) -> datetime | None:
    """Return the local time in a run id, None where it is none."""
    try:
        return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S")
    except ValueError:
        return None


def summarise(run: Run) -> Summary:
    """Return one run at a glance; what is damaged is said in `problem`, not raised."""
    return _summarise(run.id, str(run.path))


def listing() -> tuple[Summary, ...]:
    """Return all runs at a glance, the newest first."""
    folder = str(runs.folder())
    try:
        names = [entry.name for entry in os.scandir(folder) if RUN_ID.fullmatch(entry.name)]
    except FileNotFoundError:
        return ()
    found = [_summarise(name, f"{folder}{os.sep}{name}") for name in sorted(names, reverse=True)]
    return tuple(one for one in found if one.description or one.problem)


def epochs(run: Run) -> tuple[dict[str, Any], ...]:
    """Return the history's lines of epochs, only to be read; lines that are not whole are passed over."""
    place = str(run.path)
    return _epochs(place, _version(f"{place}{os.sep}history.jsonl"))


def _version(file: str) -> Version:
    """Return what changes whenever a file is replaced or added to; nothing where there is no such file."""
    try:
        found = os.stat(file)  # noqa: PTH116 (a fifth of the time of `Path.stat`, two thousand times)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _summarise(run_id: str, place: str) -> Summary:
    """Look at a run; one that says it is running is looked at anew every time, as its process may be gone by now."""
    description = _version(f"{place}{os.sep}config.json")
    status = _version(f"{place}{os.sep}status.json")
    found = _summary(run_id, place, description, status)
    return found if found.status.state != "running" else _read(Run(run_id, Path(place)))


@lru_cache(maxsize=KEPT)
def _summary(run_id: str, place: str, description: Version, status: Version) -> Summary:
    run = Run(run_id, Path(place))
    return _read(run) if description else Summary(run, Status(), {})


def _read(run: Run) -> Summary:
    problem, status, description = "", Status(state="failed"), dict[str, Any]()
    try:
        status = _with_curve(run.status, run)
    except RunError as error:
        problem = str(error)
    try:
        description = run.description
    except RunError as error:
        problem = str(error)
    return Summary(run, status, description, problem)


def _with_curve(status: Status, run: Run) -> Status:
    """Fill in from the history what the status of a run of an earlier version lacks."""
    if status.best_accuracy is not None or status.best_epoch is None:
        return status
    values = [float(line["validation_accuracy"]) for line in epochs(run)]
    thin = values[:: -max(1, -(-len(values) // CURVE_POINTS))][::-1]
    return status.model_copy(update={"best_accuracy": max(values, default=None), "curve": tuple(thin)})


@lru_cache(maxsize=KEPT_HISTORIES)
def _epochs(place: str, version: Version) -> tuple[dict[str, Any], ...]:
    return tuple(filter(_is_epoch, Run(Path(place).name, Path(place)).history()))


def _is_epoch(line: dict[str, Any]) -> bool:
    if line.get("kind") != "epoch" or not isinstance(line.get("epoch"), int):
        return False
    values = [line.get(name) for name in ("train_accuracy", "validation_loss", "validation_accuracy")]
    values += [] if line.get("train_loss", 0) is None else [line.get("train_loss")]  # None is one that is not known
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)
