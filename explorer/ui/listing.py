"""The checkpoints that a user can choose: shipped ones, imported ones and the best of each run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import streamlit as st

from explorer.errors import ExplorerError, RunError
from explorer.store import catalog, runs
from explorer.store.checkpoints import Checkpoint, load_checkpoint

Kind = Literal["shipped", "imported", "run"]
KINDS: dict[Kind, str] = {"shipped": "Shipped", "imported": "Imported", "run": "Own run"}


@dataclass(frozen=True)
class Entry:
    """One checkpoint to choose.

    Attributes
    ----------
    reference : str
        Name or run id, as in the URL and on the command line.
    title : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    best_epoch : int or None
        The epoch of a run that `checkpoint` is from.
    """

    reference: str
    kind: Kind
    title: str
    checkpoint: Checkpoint
    best_epoch: int | None = None

    @property
    def dataset(self) -> str | None:
        """Name of the set it was trained on, where it is known."""
        return self.checkpoint.dataset

    @property
    def weights(self) -> tuple[int, ...]:
        """The epochs of a run whose weights are kept; empty for a single checkpoint."""
        return tuple(runs.get(self.reference).kept_epochs()) if self.kind == "run" else ()

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs of a run of which there are weights or predictions; empty for a single checkpoint."""
        if self.kind != "run":
            return ()
        return tuple(sorted({*self.weights, *runs.get(self.reference).predicted_epochs()}))

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return self.checkpoint.path.stat().st_size


@dataclass(frozen=True)
class Listing:
    """All that was found, and what was wrong with the rest."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]

    def get(self, reference: str) -> Entry | None:
        """Return the entry with this reference."""
        return next((entry for entry in self.entries if entry.reference == reference), None)

    def of_dataset(self, dataset: str) -> tuple[Entry, ...]:
        """Return the entries trained on a set, and those of which that is not known."""
        return tuple(entry for entry in self.entries if entry.dataset in (dataset, None))


def load() -> Listing:
    """Look at the folders anew; a file that has not changed is not read again."""
    entries: list[Entry] = []
    problems: list[str] = []
    files: list[tuple[Kind, Path]] = [("shipped", path) for path in catalog.shipped()]
    files += [("imported", path) for path in catalog.imported()]
    for kind, path in files:
        try:
            entries.append(Entry(path.stem, kind, path.stem, describe(path)))
        except ExplorerError as error:
            problems.append(str(error))
    for run in runs.list_runs():
        try:
            entry = _of_run(run)
        except ExplorerError as error:
            problems.append(str(error))
        else:
            entries += [entry] if entry else []
    return Listing(tuple(entries), tuple(problems))


def describe(path: Path) -> Checkpoint:
    """Return the checkpoint in a file, read again only when the file has changed.

    Raises
    ------
    CheckpointError
        The file cannot be used.
    """
    try:
        found = path.stat()
    except OSError:
        return load_checkpoint(path)
    return _described(str(path), found.st_mtime_ns, found.st_size)


@st.cache_resource(max_entries=512, show_spinner=False)
def _described(path: str, modified: int, size: int) -> Checkpoint:
    return load_checkpoint(path)


def _of_run(run: runs.Run) -> Entry | None:
    """Describe a run by its best epoch; None while no epoch is complete."""
    best = run.status.best_epoch
    if best is None:
        return None
    path = run.weights(best)
    if not path.is_file():
        raise RunError(f"The weights of the best epoch of run {run.id} are missing. Delete the run or train it again.")
    title = f"{run.name} · {run.id[-6:]}"
    return Entry(run.id, "run", title, describe(path), best)
