"""Several seeds computed at once, into a run's directory each."""

import shutil

import pytest
import torch

from explorer.errors import RunError
from explorer.experiments import seeds
from explorer.store import groups, runs
from explorer.store.checkpoints import load_checkpoint
from explorer.training.queue import control, execution, writing
from explorer.training.queue.execution import execute
from explorer.training.queue.worker import compute
from explorer.training.records import Cut, SeedEpochs, Step
from explorer.training.seeds.state import SeedsState

pytestmark = pytest.mark.usefixtures("quick")
SMALL = {"options": {"hidden": [12], "dropout": 0.2}, "epochs": 3, "batch_size": 16, "subset": 80}


@pytest.fixture
def start(configure, monkeypatch):
    """Make runs of three seeds; requests are seen, and the status is written, after every step."""
    monkeypatch.setattr(control, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(writing, "STATUS_SECONDS", 0.0)

    def make(count=3, **values):
        return seeds.create(configure(**SMALL | values), count)

    return make


def _files(run):
    return {
        str(path.relative_to(run.path)): path.read_bytes()
        for name in ("weights", "predictions")
        for path in (run.path / name).iterdir()
    }


def _lines(run):
    return [{key: value for key, value in line.items() if "seconds" not in key} for line in run.epochs()]


def _at(kind, epoch, step, act):
    def listen(record):
        if isinstance(record, kind) and record.epoch == epoch and getattr(record, "step", step) == step:
            act()

    return listen


def test_each_seed_is_like_its_single_run(start, configure):
    members = start()
    compute(members[1])
    for seed, run in enumerate(members):
        single = runs.create(configure(**SMALL, seed=seed).model_dump(mode="json"))
        execute(single)
        assert run.status.state == single.status.state == "finished"
        assert run.kept_epochs() == single.kept_epochs()
        ours, theirs = (load_checkpoint(one.weights(3)).classifier().network.state_dict() for one in (run, single))
        for key, value in theirs.items():
            torch.testing.assert_close(ours[key], value, rtol=1e-4, atol=1e-5)
        for line, other in zip(run.epochs(), single.epochs(), strict=True):
            assert line["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
            assert line["validation_accuracy"] == pytest.approx(other["validation_accuracy"], abs=0.011)
        assert load_checkpoint(run.weights(3)).config["seed"] == seed
        assert len([line for line in run.history() if line["kind"] == "step"]) == 15


def test_how_many_threads_are_taken_depends_on_how_many_seeds_there_are(start, monkeypatch):
    asked = []
    monkeypatch.setattr(execution, "choose_threads", lambda config, seeds: asked.append((config.threads, seeds)) or 1)
    compute(start(threads=0)[0])
    assert asked == [(0, 3)]


@pytest.mark.parametrize(("kind", "epoch", "step"), [(Step, 1, 2), (SeedEpochs, 1, 0), (Step, 3, 5)])
def test_paused_by_one_and_resumed_by_another_all_end_alike(start, kind, epoch, step):
    whole, members = start(), start()
    compute(whole[0])
    compute(members[0], _at(kind, epoch, step, members[2].request_stop))
    assert [run.status.state for run in members] == ["stopped"] * 3
    assert not any(run.stop_requested for run in members)
    compute(members[1])
    for run, other in zip(members, whole, strict=True):
        assert run.status.state == "finished"
        assert _files(run) == _files(other)
        assert _lines(run) == _lines(other)


@pytest.mark.parametrize(("kind", "epoch", "step"), [(Step, 2, 3), (SeedEpochs, 2, 0)])
def test_a_process_that_dies_loses_nothing(start, kind, epoch, step):
    whole, members = start(), start()
    compute(whole[0])

    def die():
        raise ZeroDivisionError

    with pytest.raises(RunError, match="ZeroDivisionError"):
        compute(members[0], _at(kind, epoch, step, die))
    assert [run.status.state for run in members] == ["failed"] * 3
    compute(members[0])
    for run, other in zip(members, whole, strict=True):
        assert _files(run) == _files(other)
        assert _lines(run) == _lines(other)


def test_finished_by_the_user_they_end_together(start):
    members = start()
    compute(members[0], _at(Step, 2, 2, lambda: members[1].requests.ask("finish")))
    assert [(run.status.state, run.status.reason, run.status.epoch) for run in members] == [("finished", "user", 2)] * 3
    assert all({"kind": "cut", "epoch": 2, "step": 2, "reason": "user"} in run.events() for run in members)


def test_a_deleted_seed_does_not_keep_the_others(start):
    whole, members = start(), start()
    compute(whole[0])
    compute(members[0], _at(Step, 2, 2, members[0].request_stop))
    shutil.rmtree(members[1].path)
    compute(members[2])
    for number in (0, 2):
        assert _files(members[number]) == _files(whole[number])


def test_a_seed_that_diverges_fails_alone(start, monkeypatch):
    members = start()
    spoil = SeedsState.start_epoch

    def spoilt(state):
        spoil(state)
        if state.epoch == 1:
            with torch.no_grad():
                for parameter in state.network.parameters():
                    parameter[1] = float("nan")

    monkeypatch.setattr(SeedsState, "start_epoch", spoilt)
    compute(members[0])
    assert [run.status.state for run in members] == ["finished", "failed", "finished"]
    assert "infinite or undefined" in members[1].status.message
    assert members[1].status.reason == "diverged"
    assert members[1].status.epoch == 1
    assert members[0].status.epoch == 3


def test_what_cannot_be_computed_at_once_is_computed_one_after_the_other(start):
    members = start(patience=2, epochs=1)
    assert groups.ids(members[0]) == []
    compute(members[0])
    assert [run.status.state for run in members] == ["finished", "queued", "queued"]


def test_one_of_them_computed_elsewhere_is_a_message(start):
    members = start()
    with members[2].lock(), pytest.raises(RunError, match="another process"):
        compute(members[0])
    assert [run.status.state for run in members] == ["queued"] * 3


def test_a_time_or_a_cut_is_the_same_for_all_when_resumed(start):
    whole, members = start(), start()
    compute(whole[0], _at(Step, 2, 2, lambda: whole[0].requests.ask("finish")))

    def die(record):
        if isinstance(record, Step) and (record.epoch, record.step) == (2, 2):
            members[0].requests.ask("finish")
        if isinstance(record, Cut):
            raise ZeroDivisionError

    with pytest.raises(RunError):
        compute(members[0], die)
    compute(members[0])
    for run, other in zip(members, whole, strict=True):
        assert _files(run) == _files(other)
