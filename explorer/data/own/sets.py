"""All sets of drawings of this user: beginning one, finding it, deleting it."""

import re
import secrets
import shutil
import time
from pathlib import Path

from explorer.data import catalog
from explorer.data.own.files import ABOUT, DRAWINGS, read_about, write_about
from explorer.data.own.set import GONE, OwnSet, checked_name, locked
from explorer.errors import DataError
from explorer.paths import home

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
