"""A user's own labelled drawings, under `EXPLORER_HOME/sets/<id>/`.

| file | content |
|---|---|
| `set.json` | the name (data, never a path), the data set whose classes it has, and when it began |
| `drawings.npz` | the drawings, as plain NumPy arrays; replaced in one step |
| `.lock` | held while one process changes the set, so that others wait and nothing is lost |

Whoever has added or deleted something can undo just that, whatever others have done since. What is deleted is kept
until twenty more are.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock, Timeout

from explorer.data import catalog
from explorer.data.own.files import ABOUT, Drawings, read_drawings, write_about, write_drawings
from explorer.data.preparation.steps import FIELD, Grey
from explorer.data.splits import Split
from explorer.errors import DataError

MAX_NAME = 120
MAX_DRAWINGS = 10_000
DELETED_KEPT = 20
LOCK_SECONDS = 10.0
GONE = "There is no such set of drawings. It may have been deleted."


@dataclass(frozen=True)
class SetChange:
    """One thing that was done, for `undo`."""

    kind: Literal["added", "deleted"]
    drawing: int


@dataclass(frozen=True)
class OwnSet:
    """One set on disk. The object holds only its place and what never changes; the rest is read anew.

    Attributes
    ----------
    id : str
    path : Path
    name : str
        What the user calls it; any text.
    dataset : str
        The built-in data set whose classes the labels mean, and whose recipe the drawings were prepared by.
    began : int
        Nanoseconds since 1970.
    """

    id: str
    path: Path
    name: str
    dataset: str
    began: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return catalog.get(self.dataset).classes

    def read(self) -> Drawings:
        """Return all drawings that are not deleted, oldest first.

        Raises
        ------
        DataError
            The file is damaged.
        """
        return self._all().kept()

    def counts(self) -> tuple[int, ...]:
        """Return the number of drawings of each class."""
        found = np.bincount(self.read().labels, minlength=len(self.classes))
        return tuple(int(count) for count in found)

    def split(self) -> Split:
        """Return all drawings like a split of a data set; `indices` are their places in `read()`."""
        drawings = self.read()
        indices = np.arange(len(drawings.labels))
        for array in (drawings.images, drawings.labels, indices):
            array.setflags(write=False)
        return Split(self.dataset, "own", drawings.images, drawings.labels, indices)

    def add(self, image: Grey, label: int) -> SetChange:
        """Keep one drawing; it is written when this returns.

        Parameters
        ----------
        image : uint8 ndarray (28, 28)
            As the model sees it.
        label : int
            What it is.

        Raises
        ------
        DataError
            The image or the class is impossible, the set is full or damaged, or the disk is.
        """
        if image.shape != (FIELD, FIELD) or image.dtype != np.uint8:
            raise DataError(f"A drawing to be kept has {FIELD} x {FIELD} grey levels from 0 to 255.")
        if not 0 <= label < len(self.classes):
            raise DataError(f"There is no class {label}. Choose one from 0 to {len(self.classes) - 1}.")
        with self._changing() as drawings:
            if len(drawings.kept().labels) >= MAX_DRAWINGS:
                raise DataError(f"A set holds at most {MAX_DRAWINGS:,} drawings. Export this one and begin another.")
            number = max(time.time_ns() // 1000, int(drawings.ids.max(initial=0)) + 1)  # never one that is gone
            self._write(drawings.with_one(number, image, label, int(time.time())))
        return SetChange("added", number)

    def delete(self, drawing: int) -> SetChange:
        """Take a drawing out, by its number in `Drawings.ids`.

        Raises
        ------
        DataError
            There is none of that number, or the set is damaged.
        """
        return self._mark(drawing, deleted=True)

    def undo(self, change: SetChange) -> None:
        """Take back one change. Doing so twice does no harm.

        Raises
        ------
        DataError
            The drawing is gone for good, or the set is damaged.
        """
        self._mark(change.drawing, deleted=change.kind == "added")

    def rename(self, name: str) -> "OwnSet":
        """Give the set another name.

        Raises
        ------
        DataError
            The name is empty or too long, or the disk is full.
        """
        name = checked_name(name)
        write_about(self.path, name, self.dataset, self.began)
        return replace(self, name=name)

    def _mark(self, drawing: int, deleted: bool) -> SetChange:
        with self._changing() as drawings:
            place = np.flatnonzero(drawings.ids == drawing)
            if not place.size:
                raise DataError("This drawing is no longer in the set. Reload the page.")
            self._write(drawings.marked(int(place[0]), deleted, int(time.time())).purged(DELETED_KEPT))
        return SetChange("deleted" if deleted else "added", drawing)

    def _all(self) -> Drawings:
        return read_drawings(self.path, self.name, len(self.classes))

    def _write(self, drawings: Drawings) -> None:
        write_drawings(self.path, drawings)

    @contextmanager
    def _changing(self) -> Iterator[Drawings]:
        """Hold the lock, and read what is there now; a damaged file raises before anything is written."""
        with locked(self.path):
            if not (self.path / ABOUT).is_file():
                raise DataError(GONE)
            yield self._all()


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the lock of a folder, and turn what the disk refuses into one message."""
    try:
        with FileLock(place / ".lock").acquire(timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise DataError("Another window is writing to these drawings for a long time. Try again in a moment.") from None
    except OSError as error:
        raise DataError(f"The drawings cannot be saved: {error.strerror}. Free some space and try again.") from None


def checked_name(name: str) -> str:
    """Return a name on one line, or raise `DataError` where it is empty or too long."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME:
        raise DataError(f"The name of a set has 1 to {MAX_NAME} characters, and this one has {len(name)}.")
    return name
