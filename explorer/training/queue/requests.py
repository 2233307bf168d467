"""The queue of runs: one empty file a run under `EXPLORER_HOME/queue`, numbered in the order of coming.

Whoever enqueues makes sure that a supervisor lives to take the run; see `supervisor`.
"""

import json
import os
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from explorer import devices
from explorer.errors import ConfigError, RunError
from explorer.files import saying_what_fails, write_json
from explorer.paths import home
from explorer.store import runs
from explorer.store.runs import ACTIVE, Run


def folder() -> Path:
    """Return the folder of the queue."""
    return home() / "queue"


@contextmanager
def lock() -> Iterator[None]:
    """Hold the lock under which the queue is changed, and under which an idle supervisor decides to end.

    A process must not take it twice.

    Raises
    ------
    StorageError
        The folder of the runs cannot be written to.
    """
    held = FileLock(home() / "queue.lock")
    with saying_what_fails():
        home().mkdir(parents=True, exist_ok=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def add(run: Run) -> None:
    """Put a run at the end of the queue, new or to be resumed; the caller holds the lock.

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
    (folder() / _marker_name(_next_number(_markers()), run.id)).touch()


def pending() -> list[str]:
    """Return the ids of the waiting runs, the next one first."""
    return [_run_id(marker) for marker in _markers()]


def first(besides: Container[str] = ()) -> Run | None:
    """Return the run whose turn it is and leave it in the queue; markers of runs that do not wait are dropped.

    Parameters
    ----------
    besides : container of str
        Ids of runs that are passed over.
    """
    for marker in _markers():
        if _run_id(marker) in besides:
            continue
        try:
            run = runs.get(_run_id(marker))
            if run.status.state == "queued":
                return run
        except RunError:
            pass
        marker.unlink(missing_ok=True)
    return None


def remove(run: Run) -> None:
    """Take a run out of the queue, where it is in it; the run itself is not changed."""
    with lock():
        for marker in _markers():
            if _run_id(marker) == run.id:
                marker.unlink(missing_ok=True)


def take() -> Run | None:
    """Remove and return the run whose turn it is, where the caller does not need to be safe from its own death."""
    run = first()
    if run:
        remove(run)
    return run


def move(run_id: str, position: int) -> None:
    """Put a waiting run elsewhere in the queue.

    Parameters
    ----------
    run_id : str
    position : int
        0 is the front; what lies beyond the end is the end.

    Raises
    ------
    RunError
        The run does not wait any more.
    """
    with lock():
        order = _markers()
        start = _next_number(order)
        moved = next((marker for marker in order if _run_id(marker) == run_id), None)
        if moved is None:
            raise RunError(f"Run {run_id} is not waiting any more, so it cannot be moved.")
        order.remove(moved)
        order.insert(max(0, position), moved)
        for number, marker in enumerate(order, start):
            with suppress(FileNotFoundError):  # a supervisor has just dropped it
                marker.rename(marker.with_name(_marker_name(number, _run_id(marker))))


def move_first(run_id: str) -> None:
    """Put a waiting run at the front of the queue, or raise `RunError` where it does not wait any more."""
    move(run_id, 0)


def stop(run: Run) -> None:
    """Stop a run: a waiting one leaves the queue, a running one ends after its current step.

    The request is made for a waiting one too, as a worker may just be starting on it.
    """
    remove(run)
    status = run.status
    if status.state in ACTIVE:
        run.request_stop()
    if status.state == "queued":
        run.write_status(status.model_copy(update={"state": "stopped"}))


def slots() -> int:
    """Return how many runs are computed at once: what `set_slots` was told, else one for every two cores."""
    chosen, most = _read_settings().get("slots"), devices.cores()
    if isinstance(chosen, int) and not isinstance(chosen, bool) and chosen >= 1:
        return min(chosen, most)
    return max(1, most // 2)


def set_slots(count: int) -> None:
    """Say how many runs are computed at once; it holds from now on, also after a restart.

    Raises
    ------
    ConfigError
        It is not between 1 and the number of cores, or cannot be saved.
    """
    most = devices.cores()
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        raise ConfigError(
            f"The number of runs at once must be a whole number from 1 to {most}, the cores of this computer, "
            f"but got {str(count)[:40]}."
        )
    try:
        with lock():
            write_json(_settings(), _read_settings() | {"slots": count})
    except OSError as error:
        raise ConfigError(f"The number of runs at once cannot be saved: {error.strerror or error}.") from None


_asleep: dict[str, int] = {}
"""Status files of runs that are not computed, and when they were last changed."""


def running() -> list[Run]:
    """Return the runs that are being computed now by any process, oldest first.

    A run is computed while its lock is held. A run that was seen standing still is looked at again only when its status
    has been rewritten, so that a thousand old ones cost a few milliseconds.
    """
    waiting = set(pending()[devices.cores() :])  # those in front may be starting
    try:
        names = sorted(entry.name for entry in os.scandir(runs.folder()) if runs.RUN_ID.fullmatch(entry.name))
    except FileNotFoundError:
        return []
    found = []
    stem = f"{runs.folder()}{os.sep}"
    for name in names:
        path = f"{stem}{name}{os.sep}status.json"
        try:
            changed = os.stat(path).st_mtime_ns  # noqa: PTH116
        except OSError:
            continue
        if name in waiting or _asleep.get(path) == changed:
            continue
        run = Run(name, Path(path).parent)
        if _is_computed(run):
            found.append(run)
        elif time.time_ns() - changed > SETTLED_SECONDS * 1e9:
            _asleep[path] = changed
    return found


def _is_computed(run: Run) -> bool:
    try:
        return run.status.state in ACTIVE and run.is_locked
    except (RunError, OSError):
        return False


def _markers() -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder()))
    except FileNotFoundError:
        return []


def _next_number(markers: Sequence[Path]) -> int:
    """Return a number behind all that wait; a clock that is set back would let the newest overtake the others."""
    numbers = (marker.name.partition("-")[0] for marker in markers)
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def _marker_name(number: int, run_id: str) -> str:
    return f"{number:020d}-{run_id}"


def _run_id(marker: Path) -> str:
    return marker.name.partition("-")[2]


def _settings() -> Path:
    return home() / "settings.json"


def _read_settings() -> dict[str, Any]:
    try:
        document = json.loads(_settings().read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


SETTLED_SECONDS = 2.0
"""What was changed longer ago is not changed again without a new time of change; file systems keep coarse time."""
LOOK_SECONDS = 0.25
"""After so long a folder is listed in any case, as the clock of a file server may be another one."""


class WatchedFolder:
    """Whether a folder holds anything; it is listed only when it may have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._filled = False
        self._changed = self._looked = 0.0

    def is_filled(self) -> bool:
        """Whether there is anything in the folder; not where there is no folder."""
        try:
            changed, now = self._path.stat().st_mtime, time.time()
            settled = self._looked - changed > SETTLED_SECONDS and 0 <= now - self._looked < LOOK_SECONDS
            if changed != self._changed or not settled:
                with os.scandir(self._path) as entries:
                    self._filled = any(True for _ in entries)
                self._changed, self._looked = changed, now
        except FileNotFoundError:
            return False
        return self._filled
