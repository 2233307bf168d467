"""The queue of runs: one empty file a run under `EXPLORER_HOME/queue`, named so that names sort by time.

Whoever enqueues makes sure that a supervisor lives to take the run; see `supervisor`.
"""

import os
import time
from pathlib import Path

from filelock import FileLock

from explorer.errors import RunError
from explorer.paths import home
from explorer.store import runs
from explorer.store.runs import ACTIVE, Run


def folder() -> Path:
    """Return the folder of the queue."""
    return home() / "queue"


def lock() -> FileLock:
    """Return the lock under which runs are added, and under which an idle supervisor decides to end."""
    home().mkdir(parents=True, exist_ok=True)
    return FileLock(home() / "queue.lock")


def add(run: Run) -> None:
    """Put a run at the end of the queue, new or to be resumed.

    Raises
    ------
    RunError
        It is finished, already queued or being computed.
    """
    status = run.status
    if status.state == "finished":
        raise RunError(f"Run {run.id} is finished. Start a new one, or choose more epochs.")
    if status.state == "running" or run.id in pending():
        raise RunError(f"Run {run.id} is already {'running' if status.state == 'running' else 'queued'}.")
    run.clear_stop()
    run.write_status(status.model_copy(update={"state": "queued", "message": ""}))
    folder().mkdir(parents=True, exist_ok=True)
    (folder() / f"{time.time_ns():020d}-{run.id}").touch()


def pending() -> list[str]:
    """Return the ids of the waiting runs, the longest waiting first."""
    return [marker.name.partition("-")[2] for marker in _markers()]


def take() -> Run | None:
    """Remove and return the run that has waited longest; markers of runs that are gone are dropped."""
    for marker in _markers():
        try:
            marker.unlink()
            run = runs.get(marker.name.partition("-")[2])
            if run.status.state == "queued":
                return run
        except (RunError, FileNotFoundError):
            continue
    return None


def stop(run: Run) -> None:
    """Stop a run: a waiting one leaves the queue, a running one ends after its current step.

    The request is made for a waiting one too, as a worker may just be starting on it.
    """
    for marker in _markers():
        if marker.name.endswith(run.id):
            marker.unlink(missing_ok=True)
    status = run.status
    if status.state in ACTIVE:
        run.request_stop()
    if status.state == "queued":
        run.write_status(status.model_copy(update={"state": "stopped"}))


def _markers() -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder()))
    except FileNotFoundError:
        return []
