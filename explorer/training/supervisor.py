"""The supervisor: one process that takes runs from the queue and gives each a worker of its own.

It is started on demand, is alone by an operating-system lock, and ends when it has been idle for a while.
On Linux it forks workers from a server that has imported PyTorch and computed nothing, so that a click is
followed by the first step within a fraction of a second; elsewhere each worker is a fresh process.
"""

import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from filelock import FileLock, Timeout

from explorer import devices
from explorer.errors import ExplorerError, RunError
from explorer.paths import ROOT, home
from explorer.store import runs
from explorer.store.runs import Run
from explorer.training import queue

POLL_SECONDS = 0.02
IDLE_SECONDS = 600.0
PRELOAD = ["torch", "torch.optim", "torch._dynamo", "explorer.cli", "explorer.training.worker"]


def submit(run: Run) -> None:
    """Put a run into the queue and make sure that it is taken.

    Raises
    ------
    RunError
        The run cannot be queued.
    """
    try:
        with queue.lock():
            queue.add(run)
            ensure()
    except OSError as error:
        raise RunError(f"The run cannot be queued: {error.strerror or error}.") from None


_started: subprocess.Popen[bytes] | None = None
"""The supervisor that this process started last; kept so that its end is noticed."""


def ensure() -> None:
    """Start a supervisor unless one lives."""
    global _started
    if _started is not None:
        _started.poll()
    if is_alive():
        return
    home().mkdir(parents=True, exist_ok=True)
    # Waiting OpenMP threads must sleep: spinning, they would slow every other process down many times.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "EXPLORER_HOME": str(home())}
    with (home() / "supervisor.log").open("ab") as log:
        _started = subprocess.Popen(
            [sys.executable, "-m", "explorer", "supervise"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def is_alive() -> bool:
    """Whether a supervisor lives, by its lock."""
    lock = _lock()
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def slots() -> int:
    """Return how many runs are computed at once: one for every two cores."""
    return max(1, devices.cores() // 2)


def serve(idle_seconds: float = IDLE_SECONDS) -> None:
    """Take runs from the queue until there is nothing to do for `idle_seconds`.

    Returns at once where another supervisor lives.
    """
    lock = _lock()
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        return
    try:
        _Supervisor().serve(idle_seconds, lock)
    finally:
        lock.release()


class _Supervisor:
    def __init__(self) -> None:
        self.context: ForkServerContext | SpawnContext
        if sys.platform == "linux":
            self.context = multiprocessing.get_context("forkserver")
            self.context.set_forkserver_preload(PRELOAD)
        else:
            self.context = multiprocessing.get_context("spawn")
        self.workers: dict[str, BaseProcess] = {}

    def serve(self, idle_seconds: float, lock: FileLock) -> None:
        self._warm_up()
        busy = time.monotonic()
        while True:
            self._reap()
            waiting = queue.pending()
            if waiting and self._occupied() < slots() and (run := queue.take()):
                self._start(run)
            if self.workers or waiting:
                busy = time.monotonic()
            elif time.monotonic() - busy > idle_seconds:
                with queue.lock():
                    if not queue.pending():
                        lock.release()
                        return
            time.sleep(POLL_SECONDS)

    def _warm_up(self) -> None:
        """Start the fork server now, so that its imports are done before the first click."""
        from explorer.training.worker import do_nothing

        process = self.context.Process(target=do_nothing)
        process.start()
        process.join()

    def _start(self, run: Run) -> None:
        from explorer.training.worker import work

        process = self.context.Process(target=work, args=(run.id,), name=run.id)
        process.start()
        self.workers[run.id] = process

    def _occupied(self) -> int:
        """Count own workers, and those that an earlier supervisor left behind."""
        if self.workers:
            return len(self.workers)
        return sum(run.status.state == "running" for run in runs.list_runs())

    def _reap(self) -> None:
        for run_id, process in list(self.workers.items()):
            if process.is_alive():
                continue
            process.join()
            del self.workers[run_id]
            _note_end(run_id, process.exitcode or 0)


def _note_end(run_id: str, exitcode: int) -> None:
    """Say so where a worker ended without a word."""
    try:
        run = runs.get(run_id)
        status = run.status
    except ExplorerError:
        return
    if exitcode and status.state in ("queued", "interrupted"):
        message = f"The training process ended unexpectedly (exit code {exitcode}). Resume the run to go on."
        if exitcode == -9:
            message = "The system killed the training process, most likely for lack of memory. "
            message += "Resume the run, or start it anew with a smaller batch size."
        run.write_status(status.model_copy(update={"state": "interrupted", "message": message}))


def _lock() -> FileLock:
    home().mkdir(parents=True, exist_ok=True)
    return FileLock(home() / "supervisor.lock")
