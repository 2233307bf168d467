"""One long test with real processes: a supervisor takes seconds to start."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from explorer.store import runs
from explorer.training import queue, supervisor

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.timeout(300),
]


def _until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return result


def _holder(path):
    """The process that has a file open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == path:
                return int(link.parts[2])
        except OSError:
            continue
    return None


@pytest.fixture
def make(configure):
    return lambda **values: runs.create(configure(**values).model_dump(mode="json"))


@pytest.fixture
def started(monkeypatch, home):
    """End every supervisor and worker that the test started."""
    processes = []
    popen = supervisor.subprocess.Popen

    def start(*arguments, **keywords):
        processes.append(popen(*arguments, **keywords))
        return processes[-1]

    monkeypatch.setattr(supervisor.subprocess, "Popen", start)
    yield processes
    for run in runs.list_runs():
        queue.stop(run)
    for process in processes:
        process.kill()
        process.wait()
    for run in runs.list_runs():
        if (holder := _holder(run.path / "lock")) and holder != os.getpid():
            os.kill(holder, signal.SIGKILL)


def test_a_life_of_supervisors(make, started, home):
    # A run is taken and computed.
    first = make()
    begun = time.monotonic()
    supervisor.submit(first)
    _until(lambda: first.status.state == "finished")
    cold = time.monotonic() - begun
    assert first.status.epoch == 1
    assert len(first.epochs()) == 1

    # The next one starts much sooner, by the same supervisor.
    second = make()
    begun = time.monotonic()
    supervisor.submit(second)
    _until(lambda: second.status.state == "finished")
    assert time.monotonic() - begun < cold
    assert len(started) == 1
    assert supervisor.is_alive()

    # Another supervisor ends at once.
    begun = time.monotonic()
    supervisor.serve()
    assert time.monotonic() - begun < 5
    assert started[0].poll() is None

    # While one run is computed the next ones wait; one of them is taken out.
    long, waiting, last = make(epochs=10_000), make(), make()
    supervisor.submit(long)
    _until(lambda: long.status.epoch >= 1)
    supervisor.submit(waiting)
    supervisor.submit(last)
    if supervisor.slots() == 1:
        assert queue.pending() == [waiting.id, last.id]
        queue.stop(waiting)
        assert waiting.status.state == "stopped"
        assert queue.pending() == [last.id]

    # A worker that is killed leaves an interrupted run with a reason, and the next run is taken.
    os.kill(_holder(long.path / "lock"), signal.SIGKILL)
    _until(lambda: "killed the training process" in long.status.message)
    assert long.status.state == "interrupted"
    _until(lambda: last.status.state == "finished")

    # The supervisor is killed: its worker goes on, what waits is taken by the next supervisor.
    supervisor.submit(long)
    _until(lambda: long.status.state == "running")
    left = make()
    supervisor.submit(left)
    started[0].kill()
    started[0].wait()
    _until(lambda: not supervisor.is_alive())
    epoch = long.status.epoch
    supervisor.ensure()
    _until(supervisor.is_alive)
    assert len(started) == 2
    _until(lambda: long.status.epoch > epoch + 1)
    queue.stop(long)
    _until(lambda: long.status.state == "stopped")
    _until(lambda: left.status.state == "finished")
    if supervisor.slots() == 1:
        assert waiting.epochs() == []
    assert (home / "supervisor.log").is_file()


def test_it_ends_when_it_has_been_idle(home):
    begun = time.monotonic()
    supervisor.serve(idle_seconds=0.3)
    assert time.monotonic() - begun > 0.3
    assert not supervisor.is_alive()
