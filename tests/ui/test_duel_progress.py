"""Where a duel stands, its curves and the buttons, from runs on disk that nobody computes."""

import pytest

from explorer.errors import RunError
from explorer.experiments import duels
from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.queue import requests, supervisor
from explorer.ui.experiments import curves, progress, watch
from explorer.ui.experiments.progress import look

CONFIG = TrainConfig.parse({"options": {"hidden": [4]}, "epochs": 4, "subset": 100, "device": "cpu"})


@pytest.fixture
def queued(home, monkeypatch):
    """Ids of the runs that were queued, which stay in the queue."""
    found = []
    monkeypatch.setattr(supervisor, "submit", lambda run: found.append(run.id) or requests.add(run))
    return found


def together(count=3):
    """Start a duel whose seeds are computed at once."""
    return duels.start(CONFIG, "optimizer", "sgd", count)


def in_turns(count=3):
    """Start a duel whose seeds are computed one after the other."""
    return duels.start(CONFIG, "patience", 3, count)


def write(run, state, *accuracies, losses=None, **status):
    best = max(accuracies, default=None)
    for epoch, accuracy in enumerate(accuracies, start=1):
        figures = {"train_loss": 0.5, "train_accuracy": 0.5, "validation_loss": (losses or {}).get(epoch, 0.5)}
        line = {"kind": "epoch", "epoch": epoch, "validation_accuracy": accuracy, "learning_rate": 0.1} | figures
        run.append_history(line)
    found = {"state": state, "epoch": len(accuracies), "epochs": 4, "best_accuracy": best, "seconds": 10.0} | status
    found["best_epoch"] = accuracies.index(best) + 1 if accuracies else None
    run.write_status(runs.Status.model_validate(found))


def each(duel, state, *accuracies, side=None):
    for one in duels.SIDES if side is None else side:
        for run in duel.side(one):
            write(run, state, *accuracies)


def test_a_new_duel_waits(queued):
    duel = together()
    duel_progress = look(duel)
    assert (duel_progress.is_active, duel_progress.is_over, duel_progress.running) == (True, False, [])
    assert [len(lane) for lane in duel_progress.lanes] == [6]
    assert progress.side(duel_progress, "a") == (0.0, r"**A\: Adam** · waiting for its turn · best accuracy –")
    assert progress.left(duel_progress, True) == "Starts soon."
    other = together()
    assert progress.left(look(other), True) == "Waits for its turn; 1 run before it."


def test_runs_that_say_they_wait_but_are_in_no_queue_can_be_resumed(queued):
    duel = together()
    requests.remove(duel.side("a")[0])
    duel_progress = look(duel)
    assert (duel_progress.is_active, duel_progress.is_over) == (False, False)
    queued.clear()
    watch.resume(duel_progress)
    assert queued == [duel.runs["a"][0]]
    assert look(duel).is_active


def test_a_running_duel_says_where_it_is(queued):
    duel = together()
    requests.remove(duel.side("a")[0])
    each(duel, "finished", 0.5, 0.75)
    with duel.side("a")[0].lock(), duel.side("b")[2].lock():
        write(duel.side("a")[0], "running")
        write(duel.side("b")[2], "running")
        duel_progress = look(duel)
        assert duel_progress.is_active
        share, text = progress.side(duel_progress, "a")
        assert "seed 1 of 3, epoch 1 of 4 · best accuracy 75.0%" in text
        assert share == pytest.approx(2 / 3)
        assert "seed 3 of 3" in progress.side(duel_progress, "b")[1]
        assert progress.left(duel_progress, False) == "About 30 s left."
    assert not look(duel).is_active, "their process is gone"
    assert "interrupted in seed 1 of 3, epoch 1 of 4" in progress.side(look(duel), "a")[1]


def test_it_is_over_when_all_are_finished_or_failed(queued):
    duel = in_turns()
    assert [len(lane) for lane in look(duel).lanes] == [2, 2, 2]
    for run in duel.side("a"):
        requests.remove(run)
    each(duel, "finished", 0.5, 0.75)
    assert look(duel).is_over
    write(duel.side("b")[1], "failed", message="It *diverged*.")
    duel_progress = look(duel)
    assert duel_progress.is_over
    assert progress.problems(duel_progress) == [r"**B, seed 1:** It \*diverged\*\."]
    assert "finished, 1 failed" in progress.side(duel_progress, "b")[1]
    assert duel_progress.differences == {0: 0.0, 2: 0.0}
    write(duel.side("a")[0], "stopped")
    assert not look(duel).is_over


def test_runs_that_are_gone_or_damaged_are_said(queued):
    duel = together()
    (duel.side("a")[1].path / "config.json").unlink()
    (duel.side("b")[0].path / "status.json").write_text("{")
    duel_progress = look(duel)
    assert [seed for seed, _one, _two in duel_progress.pairs()] == [2]
    texts = progress.problems(duel_progress)
    assert any("1 run of this duel is no longer here" in text for text in texts)
    assert any("damaged" in text for text in texts)


def test_pausing_a_duel_that_waits_takes_it_out_of_the_queue(queued):
    duel = in_turns()
    watch.pause(look(duel))
    assert requests.pending() == []
    assert {run.status.state for run in look(duel).runs} == {"stopped"}
    assert "paused in epoch 1 of 4" in progress.side(look(duel), "a")[1]
    for action in (watch.pause, watch.finish):
        with pytest.raises(RunError, match="not being computed any more"):
            action(look(duel))


def test_pausing_asks_every_run_of_a_running_duel(queued):
    duel = together()
    locks = [run.lock() for side in duels.SIDES for run in duel.side(side)]
    each(duel, "running")
    requests.remove(duel.side("a")[0])
    watch.pause(look(duel))
    assert all(run.stop_requested for side in duels.SIDES for run in duel.side(side))
    for lock in locks:
        lock.release()


def test_stop_and_keep_ends_the_pair_at_hand_and_lets_no_other_begin(queued):
    duel = in_turns()
    first, second = duel.pairs()[0]
    requests.remove(first)
    with first.lock(), second.lock():
        write(first, "running")
        write(second, "running")
        watch.finish(look(duel))
        assert first.requests.asked("finish")
        assert second.requests.asked("finish")
    assert requests.pending() == []
    others = [run for side in duels.SIDES for run in duel.side(side)[1:]]
    assert {run.status.state for run in others} == {"stopped"}
    assert not any(run.requests.asked("finish") for run in others)


def test_resuming_queues_one_run_of_each_lane_that_is_not_finished(queued):
    duel = in_turns()
    watch.pause(look(duel))
    pairs = duel.pairs()
    for run in pairs[0]:
        write(run, "finished", 0.5)
    write(pairs[1][0], "finished", 0.5)
    pairs[1][1].request_stop()
    queued.clear()
    watch.resume(look(duel))
    assert queued == [pairs[1][1].id, pairs[2][0].id]
    assert not pairs[1][1].stop_requested, "a request that came too late would stop it at once"


def test_what_is_going_is_not_queued_twice(queued):
    duel = in_turns()
    queued.clear()
    watch.resume(look(duel))
    assert queued == []


def means(duel):
    return [(row["epoch"], row["accuracy"]) for row in curves.race(look(duel)).means if row["side"] == "A: none"]


def test_the_mean_goes_as_far_as_all_seeds_have_got(queued):
    duel = in_turns(2)
    one, two = duel.side("a")
    write(one, "stopped", 0.5, 0.75)
    assert means(duel) == [(1, 0.5), (2, 0.75)]
    write(two, "stopped", 0.25)
    assert means(duel) == [(1, 0.375)]


def test_the_mean_does_not_jump_when_the_next_seed_begins(queued):
    duel = in_turns(3)
    one, two, three = duel.side("a")
    write(one, "finished", 0.5, 0.75)
    write(two, "stopped", 0.25)
    assert means(duel) == [(1, 0.5), (2, 0.75)]
    write(three, "failed", 0.125)
    assert means(duel) == [(1, 0.5), (2, 0.75)]


def test_thin_lines_are_drawn_for_several_seeds_only(queued):
    duel = in_turns(2)
    each(duel, "finished", 0.5, 0.75)
    assert len(curves.race(look(duel)).seeds) == 2 * 2 * 2
    single = in_turns(1)
    each(single, "finished", 0.5, 0.75)
    race = curves.race(look(single))
    assert race.seeds == []
    assert len(race.means) == 2 * 2


def test_long_histories_are_thinned(queued):
    duel = duels.start(CONFIG.model_copy(update={"epochs": 3000}), "optimizer", "sgd", 2)
    for side in duels.SIDES:
        for run in duel.side(side):
            write(run, "finished", *([0.5] * 3000), epochs=3000)
    race = curves.race(look(duel))
    assert len(race.seeds) <= 4 * (curves.SEED_EPOCHS + 1)
    assert max(row["epoch"] for row in race.means) == 3000
    assert race.end >= 3000


def step(number, loss):
    return {"kind": "step", "epoch": 1, "step": number, "steps": 100, "loss": loss, "learning_rate": 0.1}


def test_the_loss_of_batches_is_averaged_over_the_seeds(queued):
    duel = in_turns(2)
    for run, loss in zip(duel.side("a"), (1.0, 3.0), strict=True):
        run.append_history(step(50, loss))
        run.append_history(step(51, None))
    (row,) = curves.race(look(duel)).steps
    assert (row["epoch"], row["loss"]) == (0.5, 2.0)


def test_the_steep_beginning_does_not_flatten_the_epochs(queued):
    duel = in_turns(1)
    for side in duels.SIDES:
        (run,) = duel.side(side)
        run.append_history(step(1, 2.3))
        run.append_history(step(90, 0.55))
        write(run, "finished", 0.5, 0.6)
    assert {row["loss"] for row in curves.race(look(duel)).steps} == {0.55}


def test_the_data_hold_every_epoch_and_no_test_accuracy(queued):
    duel = together(2)
    each(duel, "finished", 0.5, 0.75)
    header, rows = curves.table(look(duel))
    assert header[:4] == ["side", "value", "seed", "epoch"]
    assert len(rows) == 2 * 2 * 2
    assert rows[0][:4] == ["A", "Adam", 0, 1]
    assert rows[-1][:4] == ["B", "SGD", 1, 2]
    assert not any("test" in name for name in header)
