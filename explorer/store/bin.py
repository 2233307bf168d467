"""The bin: runs that a user threw away, under `EXPLORER_HOME/bin/<id>/`, until it is emptied."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from explorer.errors import RunError
from explorer.paths import home
from explorer.store import runs
from explorer.store.runs import RUN_ID, Run

LOCK = "lock"


def folder() -> Path:
    """Return the folder of the bin."""
    return home() / "bin"


def discard(run: Run) -> Run:
    """Move a run to the bin. One that waits in the queue loses its place.

    Returns
    -------
    Run
        As it is in the bin; with another id where one of its id is there already.

    Raises
    ------
    RunError
        It is being computed, is gone, or cannot be moved.
    """
    runs.get(run.id)
    try:
        lock = run.lock()
    except RunError:
        raise RunError(f"Run {run.id} is being computed. Pause it first, then put it into the bin.") from None
    try:
        if os.name == "nt":  # Windows moves no folder with an open file in it; nor would it if a worker had opened one
            lock.release()
        return _move(run, folder())
    finally:
        lock.release()


def binned() -> list[Run]:
    """Return the runs in the bin, the newest first."""
    return [run for run in _entries() if (run.path / "config.json").is_file()]


def restore(run_id: str) -> Run:
    """Take a run out of the bin again; one that waited in the queue is stopped and can be resumed.

    Returns
    -------
    Run
        With another id where a run of its id has come in the meantime.

    Raises
    ------
    RunError
        The text is no run id, there is no such run in the bin, or it cannot be moved.
    """
    if not RUN_ID.fullmatch(run_id):
        raise RunError(f"{run_id[:80]!r} is not a run id.")
    run = Run(run_id, folder() / run_id)
    if not (run.path / "config.json").is_file():
        raise RunError(f"There is no run {run_id!r} in the bin. It may have been restored or deleted for good.")
    _leave_queue(run)
    return _move(run, runs.folder())


def empty() -> int:
    """Delete everything in the bin for good, and return how many runs that were.

    Raises
    ------
    RunError
        Something cannot be deleted.
    """
    count = len(binned())
    try:
        for entry in list(os.scandir(folder())) if folder().is_dir() else []:
            _delete(Path(entry.path))
    except OSError as error:
        raise RunError(f"The bin could not be emptied: {error.strerror}. Close what has its files open.") from None
    return count


def _leave_queue(run: Run) -> None:
    with suppress(RunError, OSError):  # a damaged run comes back as it went
        status = run.status
        if status.state == "queued":
            run.write_status(status.model_copy(update={"state": "stopped"}))


def _move(run: Run, target: Path) -> Run:
    """Move a run into a folder in one step, under another id where its own is taken."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        name = _free_name(target, run.id)
        run.path.replace(target / name)
    except FileNotFoundError:
        raise RunError(f"Run {run.id} is gone: it was moved or deleted in the meantime.") from None
    except OSError as error:
        raise RunError(f"Run {run.id} could not be moved: {error.strerror}. Close what has its files open.") from None
    return Run(name, target / name)


def _free_name(target: Path, run_id: str) -> str:
    """Return the id, or one of the same second that is not taken in the folder."""
    name = run_id
    while (target / name).exists():
        if _is_remnant(target / name):
            shutil.rmtree(target / name)
        else:
            name = run_id[: -len("abcdef")] + secrets.token_hex(3)
    return name


def _is_remnant(path: Path) -> bool:
    """Whether a folder holds nothing but a lock file, made by a process that looked at the run as it was moved."""
    return path.is_dir() and all(entry.name == LOCK for entry in path.iterdir())


def _delete(path: Path) -> None:
    """Delete in two steps, so that no half of a run is left to be restored where this is cut short."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    doomed = path.with_name(f".{path.name.lstrip('.')}.{secrets.token_hex(3)}")
    path.replace(doomed)
    shutil.rmtree(doomed)


def _entries() -> list[Run]:
    try:
        names = [entry.name for entry in os.scandir(folder()) if RUN_ID.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    return [Run(name, folder() / name) for name in sorted(names, reverse=True)]
