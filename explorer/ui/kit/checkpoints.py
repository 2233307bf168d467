"""The checkpoints that a user can choose: shipped ones, imported ones and the best of each run."""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from explorer.data.catalog import base
from explorer.errors import ExplorerError
from explorer.store import catalog, runs, summaries
from explorer.store.checkpoints import Checkpoint, load_checkpoint
from explorer.ui.kit import run_text

Kind = Literal["shipped", "imported", "run"]
KINDS: dict[Kind, str] = {"shipped": "Shipped", "imported": "Imported", "run": "Own run"}


@dataclass(frozen=True)
class Entry:
    """One checkpoint to choose. Of a run's nothing is read before `checkpoint` is asked for.

    Attributes
    ----------
    reference : str
        Name or run id, as in the URL and on the command line.
    title : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    dataset : str or None
        Name of the set it was trained on, where it is known.
    model : str
    options : dict
        Of the architecture, all of them; only to be read.
    best_epoch : int or None
        The epoch of a run that `checkpoint` is from.
    """

    reference: str
    kind: Kind
    title: str
    path: Path
    dataset: str | None
    model: str
    options: dict[str, Any] = field(hash=False)
    best_epoch: int | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """What the file says of itself, or `CheckpointError` where it cannot be used."""
        return describe(self.path)

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
        return self.path.stat().st_size


@dataclass(frozen=True)
class Listing:
    """All that was found, and what was wrong with the rest."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]

    def get(self, reference: str) -> Entry | None:
        """Return the entry with this reference."""
        return next((entry for entry in self.entries if entry.reference == reference), None)

    def of_dataset(self, dataset: str) -> tuple[Entry, ...]:
        """Return the entries trained on a set or on own drawings of its kind, and those of which that is not known."""
        return tuple(entry for entry in self.entries if entry.dataset is None or base(entry.dataset) == dataset)


def load() -> Listing:
    """Look at the folders anew; a file that has not changed is not read again."""
    entries: list[Entry] = []
    problems: list[str] = []
    files: list[tuple[Kind, Path]] = [("shipped", path) for path in catalog.shipped()]
    files += [("imported", path) for path in catalog.imported()]
    for kind, path in files:
        try:
            found = describe(path)
        except ExplorerError as error:
            problems.append(str(error))
        else:
            entries.append(Entry(path.stem, kind, path.stem, path, found.dataset, found.model, found.options))
    for run in summaries.listing():
        entry, problem = _of_run(run)
        if entry and not os.path.isfile(entry.path):  # noqa: PTH113 (quicker, and there may be a thousand)
            entry, problem = None, MISSING.format(run.id)
        entries += [entry] if entry else []
        problems += [problem] if problem else []
    return Listing(tuple(entries), tuple(problems))


MISSING = "The weights of the best epoch of run {} are missing. Delete the run or train it again."


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


@lru_cache(maxsize=summaries.KEPT)
def _of_run(run: summaries.Summary) -> tuple[Entry | None, str]:
    """Return a run's best epoch, None while no epoch is complete, and what is damaged."""
    best = run.status.best_epoch
    if run.problem or best is None:
        return None, run.problem
    title = f"{run_text.described(run)} · {run.id[-6:]}"
    options = run.config.get("options") or {}
    return Entry(run.id, "run", title, run.run.weights(best), run.dataset or None, run.model, options, best), ""
