"""One long test with real processes: a supervisor takes seconds to start."""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from explorer.store.runs import Status
from explorer.training.queue import estimate, requests, supervisor
from explorer.training.queue.worker import NICENESS
from tests.conftest import fill_up

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
        process = popen(*arguments, **keywords)
        if "supervise" in process.args:
            processes.append(process)
        return process

    monkeypatch.setattr(supervisor.subprocess, "Popen", start)
    monkeypatch.setattr(supervisor, "_started", None)
    yield processes
    for run in runs.list_runs():
        requests.stop(run)
    for process in processes:
        process.kill()
        process.wait()
    for run in runs.list_runs():
        if (holder := _holder(run.path / "lock")) and holder != os.getpid():
            os.kill(holder, signal.SIGKILL)


def test_a_life_of_supervisors(make, configure, started, home):
    requests.set_slots(1)

    # A run is taken and computed.
    first = make()
    supervisor.submit(first)
    _until(lambda: first.status.state == "finished")
    assert first.status.epoch == 1
    assert len(first.epochs()) == 1

    # The next one is computed by the same supervisor.
    second = make()
    supervisor.submit(second)
    _until(lambda: second.status.state == "finished")
    assert len(started) == 1
    assert supervisor.is_alive()

    # Only the server that it forks workers from has loaded PyTorch.
    assert "libtorch" not in Path(f"/proc/{started[0].pid}/maps").read_text()

    # Another supervisor ends at once.
    supervisor.serve()
    assert started[0].poll() is None

    # While one run is computed the next ones wait; one of them is taken out.
    long, waiting, last = make(epochs=10_000), make(), make()
    supervisor.submit(long)
    _until(lambda: long.status.epoch >= 1)
    supervisor.submit(waiting)
    supervisor.submit(last)
    assert requests.pending() == [waiting.id, last.id]
    assert requests.running() == [long]

    # It lets others go first: in its session, and its session among others where Linux compares those.
    own, worker = os.getpriority(os.PRIO_PROCESS, 0), _holder(long.path / "lock")
    assert os.getpriority(os.PRIO_PROCESS, worker) == min(19, own + NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, started[0].pid) == own
    if (group := Path(f"/proc/{worker}/autogroup")).exists():
        assert group.read_text().split()[-2:] == ["nice", str(NICENESS)]
        assert Path(f"/proc/{started[0].pid}/autogroup").read_text() != group.read_text()
    requests.stop(waiting)
    assert waiting.status.state == "stopped"
    assert requests.pending() == [last.id]

    # What somebody asks for is measured meanwhile, by a process of its own.
    wanted = configure(subset=200)
    supervisor.measure(wanted)
    found = _until(lambda: estimate.get(wanted))
    assert found.busy
    assert requests.pending() == [last.id]
    assert long.status.state == "running"

    # A worker that is killed leaves an interrupted run with a reason, and the next run is taken.
    os.kill(_holder(long.path / "lock"), signal.SIGKILL)
    _until(lambda: "killed the training process" in long.status.message)
    assert long.status.state == "interrupted"
    _until(lambda: last.status.state == "finished")

    # The fork server is killed: its worker goes on and keeps its slot, the next one is forked by a new server.
    supervisor.submit(long)
    _until(lambda: long.status.state == "running")
    epoch, worker = long.status.epoch, _holder(long.path / "lock")
    os.kill(_parent(worker), signal.SIGKILL)
    after = make()
    supervisor.submit(after)
    _until(lambda: long.status.epoch > epoch + 2)
    assert (_holder(long.path / "lock"), requests.pending(), requests.running()) == (worker, [after.id], [long])
    requests.stop(long)
    _until(lambda: after.status.state == "finished")
    assert len(started) == 1

    # The supervisor is killed: its worker goes on, what waits is taken by the next supervisor.
    supervisor.submit(long)
    _until(lambda: long.status.state == "running")
    left = make()
    supervisor.submit(left)
    started[0].kill()
    started[0].wait()
    _until(lambda: not supervisor.is_alive())
    epoch, worker = long.status.epoch, _holder(long.path / "lock")
    assert requests.pending()[-1] == left.id
    supervisor.ensure()
    _until(supervisor.is_alive)
    assert len(started) == 2
    _until(lambda: requests.pending() == [left.id])
    _until(lambda: long.status.epoch > epoch + 1)
    assert _holder(long.path / "lock") == worker
    assert requests.pending() == [left.id]
    requests.stop(long)
    _until(lambda: long.status.state == "stopped")
    _until(lambda: left.status.state == "finished")
    assert waiting.epochs() == []
    assert requests.pending() == []
    assert (home / "supervisor.log").is_file()


def _parent(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_supervisors_that_are_killed_at_any_moment_lose_no_run_and_change_none(make, started):
    requests.set_slots(1)
    values = {"epochs": 2, "subset": 2000, "batch_size": 8}
    some = [make(**values) for _ in range(2)]
    draws = random.Random(7)
    for run in some:
        supervisor.submit(run)
        _until(supervisor.is_alive)
        time.sleep(draws.uniform(0, 1))
        started[-1].kill()
        started[-1].wait()
        _until(lambda: not supervisor.is_alive())
    supervisor.ensure()
    _until(lambda: all(run.status.state == "finished" for run in some))
    weights = [load_checkpoint(run.weights(2)).classifier().network.state_dict() for run in some]
    assert all(torch.equal(tensor, other[name]) for other in weights[1:] for name, tensor in weights[0].items())
    assert [[line["epoch"] for line in run.epochs()] for run in some] == [[1, 2]] * 2
    assert requests.pending() == []


def test_a_full_disk_is_named_and_ends_neither_worker_nor_supervisor(make, started, small_home):
    home = small_home("8m")
    run = make(epochs=10_000)
    supervisor.submit(run)
    _until(lambda: run.status.epoch >= 1)
    filler = fill_up(home)
    _until(lambda: run.status.state != "running")
    assert (run.status.state, "No space left on device" in run.status.message) == ("failed", True)
    assert started[0].poll() is None
    filler.unlink()
    epoch = run.status.epoch
    supervisor.submit(run)
    _until(lambda: run.status.epoch > epoch)
    assert len(started) == 1


def test_sessions_that_ask_at_once_start_one_and_its_end_leaves_no_defunct_process(started):
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        supervisor.ensure()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 1
    os.kill(started[0].pid, signal.SIGKILL)
    _until(lambda: not Path(f"/proc/{started[0].pid}").exists(), seconds=20)


def test_it_ends_when_it_has_been_idle(home):
    begun = time.monotonic()
    supervisor.serve(idle_seconds=0.3)
    assert time.monotonic() - begun > 0.3
    assert not supervisor.is_alive()


class _Process:
    """A worker that does nothing until it is told that it has ended."""

    def __init__(self, target, args, name):
        self.args, self.exitcode, self.alive = args, None, False

    def start(self):
        self.alive = True

    def is_alive(self):
        return self.alive

    def join(self):
        assert not self.alive

    def end(self, exitcode=0):
        self.alive, self.exitcode = False, exitcode

    def kill(self):
        self.end(-9)


@pytest.fixture
def at_work(monkeypatch):
    """A supervisor whose workers are no processes."""
    made = supervisor._Supervisor()
    monkeypatch.setattr(made, "context", type("Context", (), {"Process": _Process}))
    return made


def _turn(at_work):
    """Do once what is done fifty times a second."""
    at_work._reap()
    at_work._clear_started()
    while at_work._has_room() and (run := requests.first(besides=at_work.workers)):
        at_work._start(run)


def test_a_run_stays_in_the_queue_until_its_worker_has_it(at_work, make):
    run = make()
    requests.add(run)
    _turn(at_work)
    _turn(at_work)
    assert list(at_work.workers) == requests.pending() == [run.id]
    with run.lock():
        run.write_status(Status(state="running"))
        _turn(at_work)
        assert requests.pending() == []
        assert list(at_work.workers) == [run.id]


def test_a_worker_that_dies_before_its_first_word_is_noted(at_work, make):
    run = make()
    requests.add(run)
    _turn(at_work)
    at_work.workers[run.id].end(-9)
    _turn(at_work)
    assert (run.status.state, requests.pending(), at_work.workers) == ("interrupted", [], {})
    assert "killed the training process" in run.status.message


def test_a_run_that_is_resumed_while_its_worker_ends_is_not_lost(at_work, make):
    run = make()
    requests.add(run)
    _turn(at_work)
    ending = at_work.workers[run.id]
    run.write_status(Status(state="stopped"))
    _turn(at_work)
    assert requests.pending() == []
    requests.add(run)
    _turn(at_work)
    assert requests.pending() == [run.id]
    assert at_work.workers[run.id] is ending
    ending.end()
    _turn(at_work)
    assert at_work.workers[run.id] is not ending


def test_own_workers_and_those_of_others_are_counted_once(at_work, make, monkeypatch):
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0)
    monkeypatch.setattr(requests.devices, "cores", lambda: 8)
    requests.set_slots(3)
    own, foreign, waiting, more = (make() for _ in range(4))
    requests.add(own)
    _turn(at_work)
    with own.lock(), foreign.lock():
        for run in (own, foreign):
            run.write_status(Status(state="running"))
        assert at_work._count_others() == 1
        for run in (waiting, more):
            requests.add(run)
        _turn(at_work)
        assert list(at_work.workers) == [own.id, waiting.id]
    _turn(at_work)
    assert list(at_work.workers) == [own.id, waiting.id, more.id]


@pytest.mark.parametrize("kind", ["batch", "rivals"])
def test_runs_that_are_computed_as_one_are_one_worker(at_work, configure, monkeypatch, kind):
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0)
    config = configure().model_dump(mode="json")
    group = [runs.create(config) for _ in range(3)]
    for run in group:
        run.set_group({kind: [one.id for one in group]})
    requests.set_slots(1)
    with group[0].lock(), group[1].lock(), group[2].lock():
        for run in group:
            run.write_status(Status(state="running"))
        assert at_work._count_others() == 1
        at_work.workers[group[0].id], at_work.groups[group[0].id] = _Process(None, (), ""), group[0].id
        assert at_work._count_others() == 0


def test_fewer_slots_hold_for_the_next_run(at_work, make, monkeypatch):
    monkeypatch.setattr(requests.devices, "cores", lambda: 8)
    requests.set_slots(2)
    some = [make() for _ in range(3)]
    for run in some:
        requests.add(run)
    _turn(at_work)
    assert list(at_work.workers) == [some[0].id, some[1].id]
    requests.set_slots(1)
    for run in some[:2]:
        run.write_status(Status(state="finished"))
    at_work.workers[some[0].id].end()
    _turn(at_work)
    assert list(at_work.workers) == [some[1].id]
    at_work.workers[some[1].id].end()
    _turn(at_work)
    assert list(at_work.workers) == [some[2].id]


def test_one_estimate_at_a_time_and_none_for_ever(at_work, configure, monkeypatch):
    monkeypatch.setattr(supervisor, "ensure", lambda: None)
    one, two = configure(subset=40), configure(subset=50)
    for config in (one, two):
        supervisor.measure(config)
    at_work._measure()
    key, process, begun = at_work.measuring
    assert key in estimate.pending()
    at_work._reap()
    assert at_work.measuring == (key, process, begun)
    at_work.measuring = (key, process, begun - supervisor.MEASURE_SECONDS - 1)
    at_work._reap()
    assert at_work.measuring is None
    assert process.exitcode == -9
    given_up = one if key == estimate.key_of(one) else two
    assert "so long" in estimate.problem(given_up)
    assert len(estimate.pending()) == 1
