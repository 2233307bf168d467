"""The two files of a user's own set: reading them as untrusted, writing them in one step."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.data.preparation.steps import FIELD, Grey
from explorer.errors import DataError
from explorer.files import write_bytes, write_json

FORMAT = 1
DRAWINGS, ABOUT = "drawings.npz", "set.json"
MAX_BYTES = 64 << 20
_COLUMNS = {"images": np.uint8, "labels": np.int64, "ids": np.int64, "added": np.int64, "deleted": np.int64}

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drawings:
    """The rows of a set.

    Attributes
    ----------
    images : ndarray
        uint8, shape (N, 28, 28).
    labels, ids : ndarray
        int64, shape (N,): the class, and a number of its own that a drawing keeps for good.
    added, deleted : ndarray
        int64, shape (N,): seconds since 1970; 0 where it is not deleted.
    """

    images: Grey
    labels: IntArray
    ids: IntArray
    added: IntArray
    deleted: IntArray

    @classmethod
    def none(cls) -> "Drawings":
        """No rows."""
        empty = np.zeros(0, np.int64)
        return cls(np.zeros((0, FIELD, FIELD), np.uint8), empty, empty, empty, empty)

    def chosen(self, rows: NDArray[np.bool_]) -> "Drawings":
        """Only some rows."""
        return Drawings(*(getattr(self, name)[rows] for name in _COLUMNS))

    def kept(self) -> "Drawings":
        """Without those that are deleted."""
        return self.chosen(self.deleted == 0)

    def with_one(self, number: int, image: Grey, label: int, now: int) -> "Drawings":
        """One more row."""
        row = (image[None], [label], [number], [now], [0])
        columns = zip(_COLUMNS.items(), row, strict=True)
        return Drawings(
            *(np.concatenate([getattr(self, name), np.asarray(new, kind)]) for (name, kind), new in columns)
        )

    def marked(self, place: int, deleted: bool, now: int) -> "Drawings":
        """One row deleted, or no longer."""
        times = self.deleted.copy()
        times[place] = max(now, int(times.max(initial=0)) + 1) if deleted else 0
        return replace(self, deleted=times)

    def purged(self, most: int) -> "Drawings":
        """Only so many of the deleted rows, the latest."""
        gone = np.sort(self.deleted[self.deleted > 0])
        return self if len(gone) <= most else self.chosen((self.deleted == 0) | (self.deleted >= gone[-most]))


def read_drawings(folder: Path, name: str, classes: int) -> Drawings:
    """Return the rows of a set; none where nothing has been added yet.

    Raises
    ------
    DataError
        The file is damaged. It is left as it is.
    """
    path = folder / DRAWINGS
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES or archive.testzip():
                raise ValueError("too large, or damaged")
            columns = {key: np.load(archive.open(f"{key}.npy"), allow_pickle=False) for key in _COLUMNS}
        return _checked(Drawings(**columns), classes)
    except FileNotFoundError:
        return Drawings.none()
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error):
        raise DataError(
            f"The file {DRAWINGS} of the set {name!r} is damaged and was left as it is. Put a copy back into "
            f"{folder.name!r} in the folder 'sets', or begin another set."
        ) from None


def write_drawings(folder: Path, drawings: Drawings) -> None:
    """Replace the rows of a set in one step."""
    out = io.BytesIO()
    np.savez(out, **{name: getattr(drawings, name) for name in _COLUMNS})
    write_bytes(folder / DRAWINGS, out.getvalue())


def read_about(folder: Path) -> tuple[str, str, int]:
    """Return the name of a set, its data set and when it began, in nanoseconds since 1970.

    Raises
    ------
    DataError
        The description is missing or damaged.
    """
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        name, dataset, began = about["name"], about["dataset"], about["began"]
        if not (isinstance(name, str) and isinstance(began, int) and dataset in catalog.names()):
            raise ValueError("of another type")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(
            f"The file {ABOUT} of the set {folder.name!r} is missing or damaged. Put a copy back."
        ) from None
    return name, dataset, began


def write_about(folder: Path, name: str, dataset: str, began: int) -> None:
    """Write the description of a set in one step.

    Raises
    ------
    DataError
        The disk is full or does not permit it.
    """
    try:
        write_json(folder / ABOUT, {"format": FORMAT, "name": name, "dataset": dataset, "began": began})
    except OSError as error:
        raise DataError(f"The set cannot be saved: {error.strerror}. Free some space and try again.") from None


def _checked(drawings: Drawings, classes: int) -> Drawings:
    n = len(drawings.labels)
    for name, kind in _COLUMNS.items():
        array = getattr(drawings, name)
        if array.dtype != kind or array.shape != ((n, FIELD, FIELD) if name == "images" else (n,)):
            raise ValueError(f"{name} are of another type or length")
    if n and not 0 <= drawings.labels.min() <= drawings.labels.max() < classes:
        raise ValueError("a label means no class")
    if len(np.unique(drawings.ids)) != n:
        raise ValueError("two drawings bear the same number")
    return drawings
