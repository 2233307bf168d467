"""The history of a run that is being written: only what is new is read, and only what is drawn is kept.

A tick of the screen therefore costs the same after ten thousand epochs as after ten. One reader serves all sessions.
"""

import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import streamlit as st
from pydantic_core import from_json

from explorer.errors import RunError
from explorer.store.losses import FIELDS, upgraded
from explorer.store.runs import Run, Status

STEP_MARKS = 200
"""Steps kept over the whole width of a chart, and so at most so many of one epoch."""

EPOCH_MARKS = 98
"""Epochs kept beside the first and the newest; drawn for training and validation, so a chart has at most 400 marks."""

WHOLE = 20
"""Epochs up to which the axis shows the whole run from the beginning."""

TAIL = 64
"""Bytes remembered to see whether a file is still the one that was read."""

READ_BYTES = 1 << 22

STEP_FIELDS = ("epoch", "step", "steps", "loss", "learning_rate")
EPOCH_FIELDS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "learning_rate",
)
"""What is drawn, beside the objective where that is not the loss; the test set is not for this page."""

Line = dict[str, Any]


@dataclass(frozen=True)
class History:
    """What is drawn of a history.

    Attributes
    ----------
    lines : tuple of dict
        Lines of the history, thinned: one step in each of `STEP_MARKS` parts of the axis, every epoch or every so many.
        The newest epoch is always there.
    horizon : int
        The axis ends at this epoch.
    step, epoch : dict or None
        The newest line of each kind.
    best : dict or None
        The first epoch with the highest validation accuracy.
    damaged : int
        Lines that could not be understood and are left out.
    """

    lines: tuple[Line, ...]
    horizon: int
    step: Line | None = None
    epoch: Line | None = None
    best: Line | None = None
    damaged: int = 0


def horizon(status: Status) -> int:
    """Return the epoch at which the axis ends.

    A run of up to 20 epochs is shown whole. A longer one may end early, by its time budget, for lack of progress or by
    hand, so its axis doubles whenever it is full: 20, 40, 80, ...
    """
    end = WHOLE
    while end < status.epoch + (status.step > 0):
        end *= 2
    return max(1, min(end, status.epochs))


def read(run: Run, status: Status) -> History:
    """Return the history of a run up to now.

    Raises
    ------
    RunError
        The file cannot be read.
    """
    return _reader(run.id, str(run.path), run.objective).read(horizon(status))


@st.cache_resource(max_entries=8, show_spinner=False)
def _reader(_run_id: str, folder: str, minimised: str) -> "Reader":
    return Reader(Path(folder) / "history.jsonl", minimised)


class Reader:
    """Follows one growing file; safe to be shared by threads.

    The file may be replaced by a shorter one, as it is when a run is resumed at an earlier step; it is then read
    anew. A last line without its end is left for the next time, and a line that a crash has cut off is passed over.

    Parameters
    ----------
    path : Path
    minimised : str, optional
        The `objective` of the run.
    """

    def __init__(self, path: Path, minimised: str = "") -> None:
        self.path, self.minimised = path, minimised
        self._guard = threading.Lock()
        self._restart(1)

    def read(self, end: int) -> History:
        """Return the history, for an axis that ends at epoch `end`."""
        with self._guard:
            if end != self._end:
                self._restart(end)
            try:
                with self.path.open("rb") as file:
                    self._check(file)
                    for line in self._new(file):
                        self._add(line)
            except FileNotFoundError:
                self._restart(end)
            except OSError as error:
                raise RunError(
                    f"The history of run {self.path.parent.name} cannot be read: {error.strerror or error}."
                ) from None
            return self._history()

    def _restart(self, end: int) -> None:
        self._end, self._offset, self._identity, self._tail, self._damaged = end, 0, 0, b"", 0
        self._steps: dict[int, Line] = {}
        self._epochs: dict[int, Line] = {}
        self._step: Line | None = None
        self._epoch: Line | None = None
        self._best: Line | None = None

    def _check(self, file: BinaryIO) -> None:
        """Begin anew unless this is the file that was read before, with no less in it."""
        found = os.fstat(file.fileno())
        if self._offset:
            file.seek(self._offset - len(self._tail))
            if found.st_ino != self._identity or file.read(len(self._tail)) != self._tail:
                self._restart(self._end)
        self._identity = found.st_ino

    def _new(self, file: BinaryIO) -> Iterator[Line | None]:
        """Yield the lines that have been completed since the last time, None for one that is damaged."""
        file.seek(self._offset)
        rest = b""
        while block := file.read(READ_BYTES):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if not newline:
                continue
            self._offset += len(whole) + 1
            self._tail = (self._tail + whole + newline)[-TAIL:]
            for text in filter(None, whole.split(b"\n")):
                yield _understood(text, self.minimised)

    def _add(self, line: Line | None) -> None:
        if line is None:
            self._damaged += 1
        elif line["kind"] == "step":
            self._step = line
            place = math.floor((line["epoch"] - 1 + line["step"] / line["steps"]) * STEP_MARKS / self._end)
            if any(line.get(name) is not None for name in ("loss", "objective")):
                self._steps.setdefault(min(place, STEP_MARKS - 1), line)
        else:
            self._epoch = line
            if self._best is None or line["validation_accuracy"] > self._best["validation_accuracy"]:
                self._best = line
            stride = -(-self._end // EPOCH_MARKS)
            if line["epoch"] % stride == 0 or line["epoch"] == 1:
                self._epochs[line["epoch"]] = line

    def _history(self) -> History:
        epochs = self._epochs | ({self._epoch["epoch"]: self._epoch} if self._epoch else {})
        lines = (*self._steps.values(), *epochs.values())
        return History(lines, self._end, self._step, self._epoch, self._best, self._damaged)


def _understood(text: bytes, minimised: str) -> Line | None:
    """Return the part of a line that is drawn; None where it is no such line."""
    try:
        line = upgraded(from_json(text, allow_inf_nan=False), minimised)
        fields = {"step": STEP_FIELDS, "epoch": EPOCH_FIELDS}[line["kind"]]
        objectives = {name: line[name] for name in FIELDS[line["kind"]] if name in line}
        found = {"kind": line["kind"]} | {name: line[name] for name in fields} | objectives
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    unknown = [name for name in ("loss", "train_loss", *objectives) if found.get(name, 0) is None]
    numbers = [value for name, value in found.items() if name not in ("kind", *unknown)]
    if not all(type(value) in (int, float) for value in numbers) or min(found["epoch"], found.get("steps", 1)) < 1:
        return None
    return found
