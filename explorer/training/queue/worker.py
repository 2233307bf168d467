"""What runs in a worker process."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from explorer.errors import ExplorerError, RunError
from explorer.store import groups, runs
from explorer.store.runs import Run
from explorer.training.queue.control import Interruption
from explorer.training.queue.execution import Listener, computing

NICENESS = 10
"""Of 19; at 10 a process gets a tenth of the time of one that nobody has made nice, and all that others leave."""

_log = logging.getLogger(__name__)


def work(run_id: str) -> None:
    """Compute a run, and those of its batch; whatever goes wrong is in its status afterwards."""
    try:
        compute(runs.get(run_id))
    except (ExplorerError, KeyboardInterrupt) as error:
        _log.warning("%s: %s", run_id, error)  # unlike `print` it goes on where the disk of the log is full


def let_others_go_first() -> None:
    """Lower the priority of this process, which has no threads yet, below that of the pages."""
    if sys.platform == "win32":
        import ctypes

        itself = ctypes.c_void_p(-1)
        ctypes.windll.kernel32.SetPriorityClass(itself, subprocess.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        with suppress(OSError):
            os.nice(NICENESS)
            os.setsid()  # Linux may share the time among sessions first, and only then among their processes
            Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


class TurnClock:
    """A clock that stands still while it is somebody else's turn, so that a run's seconds are its own."""

    def __init__(self) -> None:
        self.passed, self.since = 0.0, 0.0

    def __call__(self) -> float:
        """Return the seconds of all turns so far; to be asked only within one."""
        return self.passed + time.perf_counter() - self.since

    def turn(self, work: Iterator[float]) -> float | None:
        """Let one piece of work be done, and return the progress in epochs; None at its end."""
        self.since = time.perf_counter()
        try:
            return next(work, None)
        finally:
            self.passed += time.perf_counter() - self.since


def compute(run: Run, listen: Listener | None = None) -> None:
    """Compute a run in this process: alone, with the seeds of its batch, or in a duel with its rival.

    Raises
    ------
    ExplorerError
        What went wrong; the status of the run says the same. In a duel the rival is computed to its end first.
    KeyboardInterrupt
        Ctrl+C or SIGTERM, after the step at hand; what was computed is `stopped`.
    """
    with Interruption() as interruption:
        _race(_rivals(run), interruption, listen)
        stopped = run.status.state == "stopped"
    if interruption.noted and stopped:
        raise KeyboardInterrupt


def _rivals(run: Run) -> list[Run]:
    """Return the run, and where it is a side of a duel, the other side; one run stands for its whole batch."""
    found = []
    for run_id in run.description["group"].get("rivals", [run.id]):
        try:
            found.append(runs.get(run_id))
        except RunError:
            continue
    covered = {one for each in found for one in groups.ids(each) or [each.id]}
    return found if run.id in covered else [*found, run]  # the first seed of its side may have been deleted


def _race(rivals: Sequence[Run], interruption: Interruption, listen: Listener | None) -> None:
    """Let the one that is behind take the next step, until all are over."""
    lanes = [(TurnClock(), run) for run in rivals]
    works = [(clock, computing(run, interruption, listen, clock)) for clock, run in lanes]
    progress = dict.fromkeys(range(len(works)), 0.0)
    problems: list[ExplorerError] = []
    try:
        while progress:
            number = min(progress, key=lambda one: progress[one])
            clock, work = works[number]
            try:
                done = clock.turn(work)
            except ExplorerError as error:
                problems.append(error)
                done = None
            if done is None:
                del progress[number]
            else:
                progress[number] = done
    finally:
        for _clock, work in works:
            work.close()
    if problems:
        raise problems[0]
