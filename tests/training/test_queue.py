import pytest

from explorer.errors import RunError
from explorer.store import runs
from explorer.store.runs import Status
from explorer.training import queue
from explorer.training.execution import execute

CONFIG = {"model": "mlp", "dataset": "mnist", "epochs": 3}


@pytest.fixture
def make():
    queue.lock()  # makes the folder
    return lambda: runs.create(CONFIG)


def test_first_come_first_served(make):
    some = [make() for _ in range(4)]
    for run in some:
        queue.add(run)
    assert queue.pending() == [run.id for run in some]
    assert [queue.take() for _ in some] == some
    assert queue.take() is None
    assert queue.pending() == []


def test_an_empty_queue_before_anything_was_added():
    assert queue.pending() == []
    assert queue.take() is None


@pytest.mark.parametrize(("state", "message"), [("finished", "is finished"), ("queued", "already queued")])
def test_what_cannot_be_queued(make, state, message):
    run = make()
    if state == "finished":
        run.write_status(Status(state="finished"))
    else:
        queue.add(run)
    with pytest.raises(RunError, match=message):
        queue.add(run)
    assert len(queue.pending()) == (state == "queued")


def test_a_running_run_cannot_be_queued(make):
    run = make()
    run.write_status(Status(state="running"))
    with run.lock(), pytest.raises(RunError, match="already running"):
        queue.add(run)


@pytest.mark.parametrize("state", ["stopped", "failed", "running"])
def test_a_run_that_stands_still_is_queued_again(make, state):
    """A `running` run without a process is an interrupted one."""
    run = make()
    run.write_status(Status(state=state, message="why", epoch=2))
    run.request_stop()
    queue.add(run)
    assert (run.status.state, run.status.message, run.status.epoch) == ("queued", "", 2)
    assert not run.stop_requested
    assert queue.take() == run


def test_a_stopped_run_leaves_the_queue(make):
    one, two = make(), make()
    queue.add(one)
    queue.add(two)
    queue.stop(one)
    assert one.status.state == "stopped"
    assert queue.pending() == [two.id]
    assert queue.take() == two


def test_a_running_run_is_asked_to_stop(make):
    run = make()
    run.write_status(Status(state="running"))
    with run.lock():
        queue.stop(run)
        assert run.stop_requested
        assert run.status.state == "running"


@pytest.mark.usefixtures("quick")
def test_a_run_stopped_while_its_worker_starts_takes_no_step(configure):
    queue.lock()
    run = runs.create(configure().model_dump(mode="json"))
    queue.add(run)
    assert queue.take() == run
    queue.stop(run)
    assert execute(run, lambda record: pytest.fail("a step was taken")).state == "stopped"
    queue.add(run)
    assert execute(queue.take()).state == "finished"


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_stopping_what_stands_still_changes_nothing(make, state):
    run = make()
    run.write_status(Status(state=state))
    queue.stop(run)
    assert run.status.state == state
    assert not run.stop_requested


def test_markers_of_runs_that_are_gone_or_damaged_are_dropped(make, home):
    gone, damaged, good = make(), make(), make()
    for run in (gone, damaged, good):
        queue.add(run)
    (gone.path / "config.json").unlink()
    (damaged.path / "status.json").write_text("{")
    (home / "queue" / "notes.txt").touch()
    (home / "queue" / "00000000000000000001-..").touch()
    assert queue.take() == good
    assert queue.take() is None
    assert queue.pending() == []
