"""Where a duel stands: its runs at a glance, and what of it is being computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.store import batches, summaries
from explorer.store.summaries import Summary
from explorer.studies.duels import SIDES, Duel, Side
from explorer.training import queue
from explorer.ui.watch_history import History, Reader, horizon

OVER = ("finished", "failed")


@dataclass(frozen=True)
class Standing:
    """A duel as it was at one moment.

    Attributes
    ----------
    duel : Duel
    sides : mapping
        The runs of each side that still exist and are whole, in the order of their seeds.
    pending : sequence of str
        Ids of all runs that wait in the queue, the next one first.
    problems : sequence of str
        What is wrong with the other runs.
    """

    duel: Duel
    sides: Mapping[Side, tuple[Summary, ...]]
    pending: Sequence[str]
    problems: Sequence[str] = ()

    @property
    def runs(self) -> tuple[Summary, ...]:
        """The runs of both sides."""
        return (*self.sides["a"], *self.sides["b"])

    @property
    def seeds(self) -> int:
        """How many seeds the duel has, those included whose runs are gone."""
        return len(self.duel.runs["a"])

    @cached_property
    def lanes(self) -> list[list[Summary]]:
        """The runs by what one process computes."""
        found: dict[tuple[str, ...], list[Summary]] = {}
        for run in self.runs:
            rivals = _group(run).get("rivals")
            key = tuple(map(str, rivals)) if isinstance(rivals, list) else (run.id,)
            found.setdefault(key, []).append(run)
        return list(found.values())

    @property
    def running(self) -> list[Summary]:
        """The runs that are being computed."""
        return [run for run in self.runs if run.status.state == "running"]

    @property
    def is_active(self) -> bool:
        """Whether something of it is being computed, or will be without a further click."""
        return any(map(self.is_going, self.lanes))

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be computed."""
        return not self.is_active and all(run.status.state in OVER for run in self.runs)

    def is_going(self, lane: Sequence[Summary]) -> bool:
        """Whether a lane is being computed or waits for its turn; that a run says so of itself is not enough."""
        return any(run.status.state == "running" or run.id in self.pending for run in lane)

    @property
    def before(self) -> int:
        """How many runs wait in front of it."""
        own = {run.id for run in self.runs}
        return next((place for place, run_id in enumerate(self.pending) if run_id in own), 0)

    def pairs(self) -> Iterator[tuple[int, Summary, Summary]]:
        """Yield seed and runs of both sides, where both exist."""
        found = {run.id: run for run in self.runs}
        for one, two in zip(self.duel.runs["a"], self.duel.runs["b"], strict=True):
            if one in found and two in found:
                yield seed_of(found[one]), found[one], found[two]

    @property
    def differences(self) -> dict[int, float]:
        """The best validation accuracy of side b minus that of side a, by seed, where both are finished."""
        return {
            seed: (two.status.best_accuracy or 0.0) - (one.status.best_accuracy or 0.0)
            for seed, one, two in self.pairs()
            if one.status.state == two.status.state == "finished"
            and None not in (one.status.best_accuracy, two.status.best_accuracy)
        }


def look(duel: Duel) -> Standing:
    """Look at the files of a duel; what has not changed since the last time is not read again."""
    pending = queue.pending()  # first: a run that starts meanwhile is seen twice rather than not at all
    found: dict[Side, tuple[Summary, ...]] = {}
    problems = []
    for side in SIDES:
        every = [summaries.summarise(run) for run in duel.side(side)]
        found[side] = tuple(run for run in every if not run.problem)
        problems += [run.problem for run in every if run.problem]
    return Standing(duel, found, pending, problems)


def seed_of(run: Summary) -> int:
    """Return the seed of a run."""
    seed = run.config.get("seed")
    return seed if isinstance(seed, int) else 0


def is_computed_together(runs: Sequence[Summary]) -> bool:
    """Whether the seeds of a side are one computation, whose time is that of all of them."""
    return any(batches.ids(run.run) for run in runs[:1])


def end(standing: Standing) -> int:
    """Return the epoch at which the axes of the curves end."""
    return max((horizon(run.status) for run in standing.runs), default=1)


def history(run: Summary) -> History:
    """Return what is drawn of a run's history.

    Raises
    ------
    RunError
        The file cannot be read.
    """
    return _reader(run.id, str(run.run.path)).read(horizon(run.status))


@st.cache_resource(max_entries=64, show_spinner=False)
def _reader(_run_id: str, folder: str) -> Reader:
    return Reader(Path(folder) / "history.jsonl")


def _group(run: Summary) -> Mapping[str, Any]:
    group = run.description.get("group")
    return group if isinstance(group, dict) else {}
