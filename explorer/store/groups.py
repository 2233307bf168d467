"""Runs that are computed together: several seeds of one configuration, as one vectorised computation."""

from collections.abc import Sequence
from pathlib import Path

from explorer.errors import RunError
from explorer.paths import home
from explorer.store import runs
from explorer.store.runs import Run


def join(members: Sequence[Run]) -> None:
    """Let runs be computed together from now on."""
    ids = [run.id for run in members]
    for run in members:
        run.set_group(run.description["group"] | {"batch": ids})


def ids(run: Run) -> list[str]:
    """Return the ids of the runs that are computed together with a run, itself included; empty where it is alone."""
    batch = run.description["group"].get("batch", [])
    fits = isinstance(batch, list) and run.id in batch and all(isinstance(one, str) for one in batch)
    return list(batch) if fits else []


def members(run: Run) -> list[Run]:
    """Return those of the runs computed together with a run that still exist, itself included."""
    found = []
    for run_id in ids(run) or [run.id]:
        try:
            found.append(runs.get(run_id))
        except RunError:
            continue
    return found


def state_file(run: Run) -> Path:
    """Return where what all of them need to go on is kept."""
    return home() / "batches" / f"{ids(run)[0]}.pt"
