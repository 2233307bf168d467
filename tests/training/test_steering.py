import pytest

from explorer.errors import ConfigError, RunError
from explorer.store import runs
from explorer.training.queue import control, requests, steering
from explorer.training.queue.execution import execute
from explorer.training.records import Epoch, Step

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def start(configure, monkeypatch):
    """Make a run; requests are seen after every step."""
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)

    def make(**values):
        values = {"options": {"hidden": [12], "dropout": 0.2}, "epochs": 4} | values
        return runs.create(configure(**values).model_dump(mode="json"))

    return make


def _at(kind, epoch, step, act):
    def listen(record):
        if isinstance(record, kind) and record.epoch == epoch and getattr(record, "step", step) == step:
            act()

    return listen


def _lines(run):
    return [{key: value for key, value in line.items() if "seconds" not in key} for line in run.epochs()]


def _weights(run, epoch):
    return run.weights(epoch).read_bytes()


def test_pause_and_resume(start):
    run = start()
    assert execute(run, _at(Step, 2, 2, lambda: steering.pause(run))).state == "stopped"
    with pytest.raises(RunError, match="is stopped, so it cannot be paused"):
        steering.pause(run)
    assert execute(run).state == "finished"


def test_stop_and_keep_ends_within_the_epoch_and_evaluates_it(start):
    run = start()
    status = execute(run, _at(Step, 2, 1, lambda: steering.finish(run)))
    assert (status.state, status.reason, status.epoch, status.progress) == ("finished", "user", 2, 1.0)
    assert len(run.epochs()) == 2
    assert run.weights(2).is_file()
    assert {"kind": "cut", "epoch": 2, "step": 1, "reason": "user"} in run.events()
    assert not run.requests.asked("finish")


def test_a_run_that_is_finished_by_the_user_and_killed_ends_alike(start):
    whole, run = start(), start()
    execute(whole, _at(Step, 2, 1, lambda: steering.finish(whole)))

    def kill(record):
        if isinstance(record, Step) and (record.epoch, record.step) == (2, 1):
            steering.finish(run)
        if type(record).__name__ == "Cut":
            raise RuntimeError("gone")

    with pytest.raises(RunError):
        execute(run, kill)
    run.requests.withdraw("finish")
    assert execute(run).reason == "user"
    assert _lines(run) == _lines(whole)
    assert _weights(run, 2) == _weights(whole, 2)


def test_a_changed_learning_rate_holds_from_the_next_epoch_on(start):
    run = start()
    execute(run, _at(Step, 2, 1, lambda: steering.change_learning_rate(run, 0.05)))
    assert [line["learning_rate"] for line in run.epochs()] == [0.001, 0.001, 0.05, 0.05]
    assert steering.pending_rate(run) is None
    assert {"kind": "learning_rate", "epoch": 3, "value": 0.05} in run.events()


def test_a_schedule_goes_on_from_the_changed_rate(start):
    run = start(schedule="cosine")
    execute(run, _at(Step, 1, 1, lambda: steering.change_learning_rate(run, 0.1)))
    expected = [0.001, 0.1 * 0.8535533905932737, 0.05, 0.1 * 0.14644660940672627]
    assert [line["learning_rate"] for line in run.epochs()] == pytest.approx(expected)


@pytest.mark.parametrize("stop", [(Step, 2, 2), (Epoch, 2, 0), (Step, 3, 1)])
def test_changes_are_replayed_when_the_run_is_resumed(start, stop):
    whole, run = start(), start()
    execute(whole, _at(Step, 2, 1, lambda: steering.change_learning_rate(whole, 0.05)))
    kind, epoch, step = stop

    def listen(record):
        _at(Step, 2, 1, lambda: steering.change_learning_rate(run, 0.05))(record)
        _at(kind, epoch, step, run.request_stop)(record)

    execute(run, listen)
    assert run.status.state == "stopped"
    execute(run)
    assert _lines(run) == _lines(whole)
    assert _weights(run, 4) == _weights(whole, 4)
    assert [event for event in run.events() if event["kind"] == "learning_rate"] == [
        {"kind": "learning_rate", "epoch": 3, "value": 0.05}
    ]


def test_a_rate_asked_for_while_it_stands_still_is_shown_and_taken(start):
    run = start()
    execute(run, _at(Epoch, 2, 0, run.request_stop))
    steering.change_learning_rate(run, 0.2)
    assert steering.pending_rate(run) == 0.2
    execute(run)
    assert [line["learning_rate"] for line in run.epochs()] == [0.001, 0.001, 0.2, 0.2]


@pytest.mark.parametrize("rate", [0, -1, 1000, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(start, rate):
    run = start()
    with pytest.raises(ConfigError, match="learning_rate"):
        steering.change_learning_rate(run, rate)
    assert steering.pending_rate(run) is None


@pytest.mark.parametrize("content", ["nan", "soon", "", "1e999"])
def test_a_damaged_request_is_passed_over(start, content):
    run = start(epochs=1)
    (run.path / "rate").write_text(content)
    execute(run)
    assert run.epochs()[0]["learning_rate"] == 0.001


def test_over_is_over(start):
    run = start(epochs=1)
    execute(run)
    with pytest.raises(RunError, match="is finished, so it cannot be paused"):
        steering.pause(run)
    with pytest.raises(RunError, match="not running"):
        steering.finish(run)
    with pytest.raises(RunError, match="Fork it"):
        steering.change_learning_rate(run, 0.1)


def test_a_waiting_run_is_paused_by_leaving_the_queue(start):
    run = start()
    requests.add(run)
    steering.pause(run)
    assert requests.pending() == []
    assert run.status.state == "stopped"


def test_discard_puts_it_into_the_bin(start):
    run = start()
    execute(run, _at(Step, 1, 1, run.request_stop))
    steering.discard(run)
    assert runs.list_runs() == []


def test_a_run_at_work_that_does_not_stop_in_time_stays(start, monkeypatch):
    monkeypatch.setattr(steering, "DISCARD_SECONDS", 0.05)
    run = start()
    with run.lock(), pytest.raises(RunError, match="still at its last step"):
        steering.discard(run)
    assert [one.id for one in runs.list_runs()] == [run.id]


def test_patience_ends_a_run_without_progress(start):
    run = start(patience=2, learning_rate=1e-9, epochs=50)
    status = execute(run)
    assert (status.state, status.reason, status.epoch) == ("finished", "patience", 3)
    assert status.best_epoch == 1


def test_patience_is_counted_on_when_a_run_is_resumed(start):
    run = start(patience=3, learning_rate=1e-9, epochs=50)
    execute(run, _at(Epoch, 2, 0, run.request_stop))
    assert execute(run).epoch == 4
