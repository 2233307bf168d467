import itertools
import json
import os
import time

import pytest

from explorer import devices
from explorer.errors import ConfigError, RunError
from explorer.store import runs
from explorer.store.runs import Status
from explorer.training.queue import requests
from explorer.training.queue.execution import execute

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 3}


@pytest.fixture
def make():
    return lambda: runs.create(CONFIG)


def test_first_come_first_served(make):
    some = [make() for _ in range(4)]
    for run in some:
        requests.add(run)
    assert requests.pending() == [run.id for run in some]
    assert [requests.take() for _ in some] == some
    assert requests.take() is None
    assert requests.pending() == []


def test_an_empty_queue_before_anything_was_added():
    assert requests.pending() == []
    assert requests.take() is None


@pytest.mark.parametrize(("state", "message"), [("finished", "is finished"), ("queued", "already queued")])
def test_what_cannot_be_queued(make, state, message):
    run = make()
    if state == "finished":
        run.write_status(Status(state="finished"))
    else:
        requests.add(run)
    with pytest.raises(RunError, match=message):
        requests.add(run)
    assert len(requests.pending()) == (state == "queued")


def test_a_running_run_cannot_be_queued(make):
    run = make()
    run.write_status(Status(state="running"))
    with run.lock(), pytest.raises(RunError, match="already running"):
        requests.add(run)


@pytest.mark.parametrize("state", ["stopped", "failed", "running"])
def test_a_run_that_stands_still_is_queued_again(make, state):
    """A `running` run without a process is an interrupted one."""
    run = make()
    run.write_status(Status(state=state, message="why", epoch=2))
    run.request_stop()
    requests.add(run)
    assert (run.status.state, run.status.message, run.status.epoch) == ("queued", "", 2)
    assert not run.stop_requested
    assert requests.take() == run


def test_a_stopped_run_leaves_the_queue(make):
    one, two = make(), make()
    requests.add(one)
    requests.add(two)
    requests.stop(one)
    assert one.status.state == "stopped"
    assert requests.pending() == [two.id]
    assert requests.take() == two


def test_a_running_run_is_asked_to_stop(make):
    run = make()
    run.write_status(Status(state="running"))
    with run.lock():
        requests.stop(run)
        assert run.stop_requested
        assert run.status.state == "running"


@pytest.mark.usefixtures("quick")
def test_a_run_stopped_while_its_worker_starts_takes_no_step(configure):
    run = runs.create(configure().model_dump(mode="json"))
    requests.add(run)
    assert requests.take() == run
    requests.stop(run)
    assert execute(run, lambda record: pytest.fail("a step was taken")).state == "stopped"
    requests.add(run)
    assert execute(requests.take()).state == "finished"


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_stopping_what_stands_still_changes_nothing(make, state):
    run = make()
    run.write_status(Status(state=state))
    requests.stop(run)
    assert run.status.state == state
    assert not run.stop_requested


def test_markers_of_runs_that_are_gone_or_damaged_are_dropped(make, home):
    gone, damaged, good = make(), make(), make()
    for run in (gone, damaged, good):
        requests.add(run)
    (gone.path / "config.json").unlink()
    (damaged.path / "status.json").write_text("{")
    (home / "queue" / "notes.txt").touch()
    (home / "queue" / "00000000000000000001-..").touch()
    assert requests.take() == good
    assert requests.take() is None
    assert requests.pending() == []


def test_the_first_one_stays_until_it_is_removed(make):
    one, two = make(), make()
    requests.add(one)
    requests.add(two)
    assert requests.first() == requests.first() == one
    assert requests.first(besides={one.id}) == two
    assert requests.pending() == [one.id, two.id]
    requests.remove(one)
    requests.remove(one)
    assert requests.pending() == [two.id]
    assert one.status.state == "queued"


@pytest.mark.parametrize(
    ("position", "order"), [(0, "2013"), (1, "0213"), (2, "0123"), (3, "0132"), (9, "0132"), (-1, "2013")]
)
def test_a_run_is_moved(make, position, order):
    some = [make() for _ in range(4)]
    for run in some:
        requests.add(run)
    requests.move(some[2].id, position)
    assert requests.pending() == [some[int(number)].id for number in order]
    later = make()
    requests.add(later)
    assert requests.pending()[-1] == later.id


def test_to_the_front_again_and_again(make):
    some = [make() for _ in range(5)]
    for run in some:
        requests.add(run)
    for run in some:
        requests.move_first(run.id)
    assert requests.pending() == [run.id for run in reversed(some)]


@pytest.fixture
def clock_going_back(monkeypatch):
    """Every look at the clock shows an hour less than the one before."""
    now = itertools.count(time.time_ns(), -3600 * 10**9)
    monkeypatch.setattr(time, "time_ns", lambda: next(now))
    monkeypatch.setattr(time, "time", lambda: next(now) / 1e9)


@pytest.mark.usefixtures("clock_going_back")
def test_a_clock_that_is_set_back_changes_no_order(make):
    some = [make() for _ in range(4)]
    for run in some:
        requests.add(run)
    assert requests.pending() == [run.id for run in some]
    requests.move_first(some[2].id)
    requests.move_first(some[3].id)
    later = make()
    requests.add(later)
    assert requests.pending() == [some[number].id for number in (3, 2, 0, 1)] + [later.id]


def test_runs_that_an_earlier_version_has_queued_stay_in_front(make, home):
    old, new = make(), make()
    (home / "queue").mkdir()
    (home / "queue" / f"{time.time_ns():020d}-{old.id}").touch()
    requests.add(new)
    assert requests.pending() == [old.id, new.id]


def test_what_does_not_wait_cannot_be_moved(make):
    requests.add(make())
    for run_id in (make().id, "../..", ""):
        with pytest.raises(RunError, match="not waiting any more"):
            requests.move_first(run_id)


def test_slots_by_default_and_as_chosen(monkeypatch, home):
    monkeypatch.setattr(devices, "cores", lambda: 6)
    assert requests.slots() == 3
    requests.set_slots(5)
    assert requests.slots() == 5
    assert json.loads((home / "settings.json").read_text()) == {"slots": 5}
    monkeypatch.setattr(devices, "cores", lambda: 1)
    assert requests.slots() == 1


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"slots": "2"}', '{"slots": true}', '{"slots": 0}', "[" * 9999]
)
def test_damaged_settings_are_the_default(monkeypatch, home, content):
    monkeypatch.setattr(devices, "cores", lambda: 4)
    (home / "settings.json").write_text(content)
    assert requests.slots() == 2
    requests.set_slots(1)
    assert requests.slots() == 1


def test_other_settings_stay(home):
    (home / "settings.json").write_text('{"another": [1]}')
    requests.set_slots(1)
    assert json.loads((home / "settings.json").read_text()) == {"another": [1], "slots": 1}


@pytest.mark.parametrize("count", [0, 5, -1, 1.5, True, None, "2"])
def test_slots_out_of_range(monkeypatch, home, count):
    monkeypatch.setattr(devices, "cores", lambda: 4)
    with pytest.raises(ConfigError, match="from 1 to 4"):
        requests.set_slots(count)
    assert not (home / "settings.json").exists()


def test_running_runs_are_those_whose_lock_is_held(make):
    computed, gone, finished, waiting, fresh = (make() for _ in range(5))
    computed.write_status(Status(state="running"))
    gone.write_status(Status(state="running"))
    finished.write_status(Status(state="finished"))
    requests.add(waiting)
    with computed.lock(), fresh.lock(), finished.lock():
        assert requests.running() == sorted([computed, fresh], key=lambda run: run.id)
    assert requests.running() == []


def test_a_run_that_stands_still_is_looked_at_again_only_when_its_status_changes(make, monkeypatch):
    run = make()
    run.write_status(Status(state="stopped"))
    long_ago = time.time() - 100
    os.utime(run.path / "status.json", (long_ago, long_ago))
    looks = []
    look = requests._is_computed
    monkeypatch.setattr(requests, "_is_computed", lambda run: looks.append(run) or look(run))
    with run.lock():
        assert [requests.running(), requests.running()] == [[], []]
        assert looks == [run]
        run.write_status(Status(state="running"))
        assert [requests.running(), requests.running()] == [[run], [run]]
    assert requests.running() == []


def test_damaged_runs_are_not_running(make):
    damaged, empty = make(), make()
    (damaged.path / "status.json").write_text("{")
    (empty.path / "status.json").unlink()
    with damaged.lock(), empty.lock():
        assert requests.running() == []
