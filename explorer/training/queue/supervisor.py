"""The supervisor: one process that takes runs from the queue and gives each a worker of its own.

It is started on demand, is alone by an operating-system lock, and ends when it has been idle for a while.
On Linux it forks workers from a server that has imported PyTorch and computed nothing, so that a click is
followed by the first step within a fraction of a second; elsewhere each worker is a fresh process.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from explorer.errors import ExplorerError, RunError
from explorer.paths import ROOT, home
from explorer.store import groups, runs
from explorer.store.runs import Run
from explorer.training.queue import estimate, requests
from explorer.training.queue.requests import LOOK_SECONDS, WatchedFolder

if TYPE_CHECKING:
    from explorer.training.config import TrainConfig

POLL_SECONDS = 0.02
START_SECONDS = 10.0
"""Within so long a supervisor that was started has its lock."""
IDLE_SECONDS = 600.0
MEASURE_SECONDS = 60.0
"""A measurement that takes longer is given up."""
PRELOAD = [
    "torch",
    "torch.optim",
    "torch._dynamo",
    "explorer.cli",
    "explorer.training.queue.worker",
    "explorer.training.queue.stopwatch",
    "tensorboard.compat.proto.event_pb2",
    "tensorboard.summary.writer.record_writer",
    "PIL.ImageDraw",
]


def measure(config: "TrainConfig") -> None:
    """Have the time of a configuration measured unless it is known; returns at once.

    To be repeated while the answer is wanted.

    Raises
    ------
    ExplorerError
        This machine has no such device, or the request cannot be saved.
    """
    if estimate.request(config):
        ensure()


def submit(run: Run) -> None:
    """Put a run into the queue and make sure that it is taken.

    Raises
    ------
    RunError
        The run cannot be queued.
    """
    try:
        with requests.lock():
            requests.add(run)
            ensure()
    except OSError as error:
        raise RunError(f"The run cannot be queued: {error.strerror or error}.") from None


_starting = threading.Lock()
_started: tuple[subprocess.Popen[bytes], float] | None = None
"""The supervisor that this process started last, and when."""


def ensure() -> None:
    """Start a supervisor unless one lives; threads may ask for it at once.

    Raises
    ------
    RunError
        The folder of the runs cannot be written to.
    """
    global _started
    try:
        with _starting:
            if not is_alive() and not _has_just_started():
                _started = (_start(), time.monotonic())
    except OSError as error:
        raise RunError(
            f"Nothing can be trained here: the folder that keeps the runs cannot be written to "
            f"({error.strerror or error}). Make it writable, or set EXPLORER_HOME to another folder and start again."
        ) from None


def _has_just_started() -> bool:
    """Whether a supervisor of this process is still on its way to its lock."""
    return _started is not None and _started[0].poll() is None and time.monotonic() - _started[1] < START_SECONDS


def _start() -> subprocess.Popen[bytes]:
    home().mkdir(parents=True, exist_ok=True)
    # Waiting OpenMP threads must sleep: spinning, they would slow every other process down many times.
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "EXPLORER_HOME": str(home())}
    with (home() / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "explorer", "supervise"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that its end leaves no defunct process
    return process


def is_alive() -> bool:
    """Whether a supervisor lives, by its lock."""
    lock = _lock()
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


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
        self.groups: dict[str, str] = {}
        self.starting: list[Run] = []
        self.others: tuple[float, int] = (-LOOK_SECONDS, 0)
        self.measuring: tuple[str, BaseProcess, float] | None = None
        self.waiting, self.requested = WatchedFolder(requests.folder()), WatchedFolder(estimate.requests_folder())

    def serve(self, idle_seconds: float, lock: FileLock) -> None:
        self._warm_up()
        requests.first()  # drops what an earlier supervisor had started and could no longer take out
        busy = time.monotonic()
        while True:
            self._reap()
            self._clear_started()
            waiting = self.waiting.is_filled()
            if waiting and self._has_room() and (run := requests.first(besides=self.workers)):
                self._start(run)
            if self.requested.is_filled() and self.measuring is None:
                self._measure()
            if self.workers or waiting or self.measuring:
                busy = time.monotonic()
            elif time.monotonic() - busy > idle_seconds:
                with requests.lock():
                    if not requests.pending():
                        lock.release()
                        return
            time.sleep(POLL_SECONDS)

    def _warm_up(self) -> None:
        """Start the fork server now, so that its imports are done before the first click."""
        process = self.context.Process(target=_do_nothing)
        process.start()
        process.join()

    def _start(self, run: Run) -> None:
        """Start a worker. The run stays in the queue until the worker has it, so that it cannot be lost in between.

        Should the next supervisor start it again, the run's own lock lets only one worker compute it.
        """
        process = self.context.Process(target=_work, args=(run.id,), name=run.id)
        process.start()
        self.workers[run.id], self.groups[run.id] = process, _group(run)
        self.starting.append(run)

    def _clear_started(self) -> None:
        for run in list(self.starting):
            if run.id not in self.workers or _state(run) != "queued":
                self.starting.remove(run)
                requests.remove(run)

    def _measure(self) -> None:
        """Measure the estimate that was asked for last; it takes no slot, as somebody is looking at the form."""
        if (key := estimate.next_request(busy=bool(self.workers) or self._count_others() > 0)) is None:
            return
        process = self.context.Process(target=_measure, args=(key,), name=f"estimate-{key}")
        process.start()
        self.measuring = (key, process, time.monotonic())

    def _has_room(self) -> bool:
        """Whether fewer workers compute than there are slots, those of an earlier supervisor included."""
        slots = requests.slots()
        return len(self.workers) < slots and len(self.workers) + self._count_others() < slots

    def _count_others(self) -> int:
        """Count the processes besides the own workers that compute runs; one computes all runs of a group."""
        looked, count = self.others
        if time.monotonic() - looked >= LOOK_SECONDS:
            others = [run for run in requests.running() if run.id not in self.workers]
            count = len({_group(run) for run in others} - set(self.groups.values()))
            self.others = (time.monotonic(), count)
        return count

    def _reap(self) -> None:
        for run_id, process in list(self.workers.items()):
            if process.is_alive():
                continue
            process.join()
            del self.workers[run_id], self.groups[run_id]
            self.others = (-LOOK_SECONDS, 0)  # with the fork server gone it looks ended, and goes on
            _note_end(run_id, process.exitcode or 0)
        if self.measuring:
            self._reap_measuring(*self.measuring)

    def _reap_measuring(self, key: str, process: BaseProcess, begun: float) -> None:
        too_long = time.monotonic() - begun > MEASURE_SECONDS
        if too_long:
            process.kill()
        if too_long or not process.is_alive():
            process.join()
            self.measuring = None
            estimate.note_end(key, process.exitcode or 0, too_long)


def _work(run_id: str) -> None:
    # Only the worker imports what this needs, so that the supervisor itself starts quickly.
    from explorer.training.queue.worker import let_others_go_first, work

    let_others_go_first()
    work(run_id)


def _measure(key: str) -> None:
    from explorer.training.queue.worker import let_others_go_first

    let_others_go_first()  # as the training will
    from explorer.training.queue import stopwatch

    stopwatch.measure_estimate(key)


def _do_nothing() -> None:
    pass


def _state(run: Run) -> str:
    try:
        return run.status.state
    except RunError:
        return "damaged"


def _group(run: Run) -> str:
    """Return what a worker computes as one, by its first run: the sides of a duel, the seeds of a batch, or one run."""
    try:
        rivals = run.description["group"].get("rivals") or groups.ids(run) or [run.id]
        return str(rivals[0])
    except (ExplorerError, TypeError, KeyError):
        return run.id


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
        run.write_status(status.model_copy(update={"state": "interrupted", "message": message}), last=True)


def _lock() -> FileLock:
    home().mkdir(parents=True, exist_ok=True)
    return FileLock(home() / "supervisor.lock")
