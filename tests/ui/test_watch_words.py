import pytest

from explorer.store.runs import Status
from explorer.ui.kit.run_history import History
from explorer.ui.kit.run_text import describe, figures, next_epoch, seconds_left


def running(**changes):
    fields = {"state": "running", "epoch": 1, "epochs": 4, "step": 50, "steps": 100, "seconds": 30}
    return Status(**fields | changes)


@pytest.mark.parametrize(
    ("status", "config", "text"),
    [
        (Status(state="finished", epoch=4, epochs=4, seconds=61, reason="epochs"), {}, "after 4 epochs · 1 min 1 s"),
        (
            Status(state="finished", epoch=1, epochs=4, seconds=60, reason="time"),
            {"time_budget": 60},
            "after 1 epoch of 4; the time was up (1 min) · 1 min",
        ),
        (
            Status(state="finished", epoch=7, epochs=50, seconds=9, reason="patience"),
            {"patience": 3},
            "after 7 epochs of 50; the validation accuracy had not risen for 3 epochs · 9.0 s",
        ),
        (Status(state="finished", epoch=7, epochs=50, reason="patience"), {}, "had not risen any more"),
        (Status(state="finished", epoch=2, epochs=50, reason="user"), {}, "after 2 epochs of 50; you ended it"),
        (Status(state="finished", epoch=4, epochs=4, reason="user"), {}, "after 4 epochs; you ended it"),
        (Status(state="stopped", epoch=1, epochs=4), {}, "**Paused** in epoch 2 of 4"),
        (Status(state="failed", epoch=4, epochs=4), {}, "**Failed** in epoch 4 of 4"),
        (running(), {}, "about 50 s left"),
        (running(), {"time_budget": 40}, "about 10 s left"),
        (running(), {"time_budget": 20}, "about 0.00 s left"),
        (running(), {"patience": 2}, "at most 50 s left"),
    ],
)
def test_a_status_in_words(status, config, text):
    assert text in describe(status, config)


def test_a_run_that_waits_says_behind_how_many():
    assert describe(Status(state="queued")) == "**Waiting** for its turn"
    assert describe(Status(state="queued"), {}, 1) == "**Waiting** for its turn; 1 run before it"
    assert describe(Status(state="queued"), {}, 3).endswith("3 runs before it")


def test_before_the_first_step_nothing_is_said_of_the_time():
    assert seconds_left(Status(state="running", epochs=4), {}) is None
    assert "left" not in describe(Status(state="running", epochs=4), {})


def line(epoch, accuracy):
    return {"epoch": epoch, "validation_accuracy": accuracy}


def test_the_figures_name_the_rate_that_is_to_come_and_the_best_epoch():
    history = History((), 4, {"learning_rate": 0.001}, line(3, 0.8), line(2, 0.851))
    text = figures(running(epoch=3, epochs=9), history, 0.00025)
    assert text == (
        "Learning rate 0.001 · **0.00025 from epoch 5 on** · "
        "validation accuracy 80.0% after epoch 3, best 85.1% after epoch 2"
    )
    assert "best" not in figures(running(), History((), 4, None, line(3, 0.8), line(3, 0.8)), None)
    assert figures(running(), History((), 4), None) == "The first accuracy comes at the end of epoch 1"
    finished = Status(state="finished", epoch=3, epochs=3)
    assert "0.5" not in figures(finished, history, 0.5)


@pytest.mark.parametrize(("epoch", "step", "following"), [(0, 0, 1), (0, 1, 2), (3, 0, 4), (3, 99, 5)])
def test_the_next_epoch_is_the_first_that_has_not_begun(epoch, step, following):
    assert next_epoch(Status(epoch=epoch, step=step)) == following
