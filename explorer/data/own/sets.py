"""All sets of drawings of this user: beginning one, finding it, deleting it."""

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock, Timeout

from explorer.data import catalog
from explorer.data.own.files import ABOUT, DRAWINGS, Drawings, read_about, read_drawings, write_about, write_drawings
from explorer.data.preparation.steps import FIELD, Grey
from explorer.data.splits import Split
from explorer.errors import DataError
from explorer.paths import home

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


SET_ID = re.compile(r"[0-9]{8}-[0-9a-f]{8}", re.ASCII)
MAX_SETS = 200


def folder() -> Path:
    """Return the folder of all sets."""
    return home() / "sets"


def create(name: str, dataset: str) -> OwnSet:
    """Begin an empty set.

    Parameters
    ----------
    name : str
        1 to 120 characters.
    dataset : str
        The built-in data set whose classes it has.

    Raises
    ------
    DataError
        The name or the data set is impossible, there are too many sets, or the disk is full.
    """
    if dataset not in catalog.names():
        raise DataError(f"There is no data set called {dataset!r}. Choose one of: {', '.join(catalog.names())}.")
    name = checked_name(name)
    if len(list_sets()) >= MAX_SETS:
        raise DataError(f"There are {MAX_SETS} sets of drawings already. Delete one first.")
    number = f"{time.strftime('%Y%m%d')}-{secrets.token_hex(4)}"
    write_about(folder() / number, name, dataset, time.time_ns())
    return get(number)


def get(number: str) -> OwnSet:
    """Return the set with this id.

    Raises
    ------
    DataError
        There is none, or its description is damaged.
    """
    if not SET_ID.fullmatch(number) or not (folder() / number).is_dir():
        raise DataError(GONE)
    path = folder() / number
    return OwnSet(number, path, *read_about(path))


def list_sets(dataset: str | None = None) -> tuple[OwnSet, ...]:
    """Return the sets that can be read, oldest first; those for one data set where it is given."""
    found = []
    for path in folder().glob("*-*") if folder().is_dir() else ():
        try:
            found.append(get(path.name))
        except DataError:
            continue
    found.sort(key=lambda one: (one.began, one.id))
    return tuple(one for one in found if dataset in (None, one.dataset))


def for_dataset(dataset: str, name: str = "My drawings") -> OwnSet:
    """Return the first set for a data set; begin one where there is none. Two processes get the same.

    Raises
    ------
    DataError
        As for `create`.
    """
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The folder for drawings cannot be made: {error.strerror}.") from None
    with locked(folder()):
        existing = list_sets(dataset)
        return existing[0] if existing else create(name, dataset)


def remove(number: str) -> None:
    """Delete a whole set for good. What was published from it stays.

    Raises
    ------
    DataError
        There is none, or the disk does not permit it.
    """
    path = get(number).path
    with locked(path):
        for name in (ABOUT, DRAWINGS):
            (path / name).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
