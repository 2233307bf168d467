"""The two sides of a duel, computed in turns by one process."""

import shutil

import pytest

from explorer.errors import RunError
from explorer.experiments import seeds
from explorer.store import runs
from explorer.training.queue import control
from explorer.training.queue.execution import execute
from explorer.training.queue.worker import TurnClock, compute
from explorer.training.records import Epoch, Step

pytestmark = pytest.mark.usefixtures("quick")
SMALL = {"options": {"hidden": [12], "dropout": 0.2}, "epochs": 3}


@pytest.fixture
def rivals(configure, monkeypatch):
    """Make the runs of two configurations that are computed in turns."""
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)

    def make(one=None, two=None):
        sides = [runs.create(configure(**SMALL | values).model_dump(mode="json")) for values in (one or {}, two or {})]
        for run in sides:
            run.set_group({"rivals": [side.id for side in sides]})
        return sides

    return make


def _files(run):
    return {
        str(path.relative_to(run.path)): path.read_bytes()
        for name in ("weights", "predictions")
        for path in (run.path / name).iterdir()
    }


def test_each_side_ends_bit_for_bit_like_its_single_run(rivals, configure):
    sides = rivals({}, {"optimizer": "nesterov", "learning_rate": 0.05})
    compute(sides[0])
    for run in sides:
        single = runs.create(run.config)
        execute(single)
        assert run.status.state == "finished"
        assert _files(run) == _files(single)


def test_neither_is_ever_more_than_a_step_ahead(rivals):
    sides = rivals({}, {"batch_size": 20})
    ahead, done = [], {40: 0.0, 20: 0.0}

    def listen(record):
        if isinstance(record, Step):
            done[{3: 40, 2: 20}[record.steps]] = record.epoch - 1 + record.step / record.steps
            ahead.append(abs(done[40] - done[20]))

    compute(sides[1], listen)
    assert max(ahead) <= 0.5
    assert done == {40: 3.0, 20: 3.0}


def test_paused_and_resumed_by_the_other_side(rivals):
    whole, sides = rivals(), rivals()
    compute(whole[0])
    epochs = []

    def listen(record):
        epochs.append(record.epoch)
        if len(epochs) == 9:
            for run in sides:
                run.request_stop()

    compute(sides[0], listen)
    assert [run.status.state for run in sides] == ["stopped", "stopped"]
    compute(sides[1])
    for run, other in zip(sides, whole, strict=True):
        assert run.status.state == "finished"
        assert _files(run) == _files(other)


def test_one_that_diverges_does_not_end_the_other(rivals):
    wild = {"optimizer": "sgd", "learning_rate": 100, "weight_decay": 10, "batch_size": 2, "epochs": 50}
    sides = rivals({}, wild)
    with pytest.raises(RunError, match="infinite or undefined"):
        compute(sides[0])
    assert [run.status.state for run in sides] == ["finished", "failed"]
    assert "at a learning rate of 100" in sides[1].status.message


def test_a_rival_that_was_deleted_is_not_missed(rivals):
    sides = rivals()
    for path in sorted(sides[1].path.rglob("*"), reverse=True):
        path.unlink()
    sides[1].path.rmdir()
    compute(sides[0])
    assert sides[0].status.state == "finished"


def test_the_seconds_of_a_run_are_its_own(rivals):
    sides = rivals()
    compute(sides[0])
    whole = [run.status.seconds for run in sides]
    assert all(line["seconds"] <= seconds for run, seconds in zip(sides, whole, strict=True) for line in run.epochs())


def test_the_clock_stands_still_between_turns(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    clock = TurnClock()
    seen = []

    def work():
        nonlocal now
        for _ in range(3):
            now += 2
            seen.append(clock())
            yield 1.0

    steps = work()
    for _ in range(3):
        assert clock.turn(steps) == 1.0
        now += 100
    assert clock.turn(steps) is None
    assert seen == [2, 4, 6]


def test_a_run_of_its_own_is_computed_alone(configure):
    run = runs.create(configure(**SMALL).model_dump(mode="json"))
    records = []
    compute(run, records.append)
    assert run.status.state == "finished"
    assert sum(isinstance(record, Epoch) for record in records) == 3


def test_seeds_whose_first_was_deleted_are_computed_all_the_same(configure, home):
    members = seeds.create(configure(**SMALL), 3)
    rival = runs.create(configure(**SMALL, optimizer="sgd").model_dump(mode="json"))
    for run in [*members, rival]:
        run.set_group(run.description["group"] | {"rivals": [members[0].id, rival.id]})
    shutil.rmtree(members[0].path)
    compute(members[1])
    assert [run.status.state for run in (*members[1:], rival)] == ["finished"] * 3
