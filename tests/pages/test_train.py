import json

import pytest

from explorer.store import runs
from explorer.training import queue, supervisor
from explorer.ui import charts, run_watch

HISTORY = [
    {"kind": "step", "epoch": 1, "step": 1, "steps": 2, "loss": 2.3, "learning_rate": 0.001},
    {
        "kind": "epoch",
        "epoch": 1,
        "train_loss": 0.8,
        "train_accuracy": 0.7,
        "validation_loss": 0.6,
        "validation_accuracy": 0.8125,
        "test_accuracy": 0.4321,
        "learning_rate": 0.001,
    },
]


@pytest.fixture
def queued(monkeypatch):
    """Take note of what would be computed."""
    found = []
    monkeypatch.setattr(supervisor, "submit", lambda run: found.append(run) or queue.add(run))
    return found


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning)]


def started(history=HISTORY, **status):
    run = runs.create({"model": "mlp", "dataset": "fashion-mnist", "epochs": 4}, "mine")
    for line in history:
        run.append_history(line)
    run.write_status(runs.Status(epochs=4, **status))
    return run


def test_without_runs_it_says_what_to_do(open_page):
    app = open_page("train")
    assert not app.exception
    assert any("No run yet" in text for text in texts(app))
    assert any("79,510 parameters, 844 steps an epoch" in text for text in texts(app))


def test_the_button_starts_what_the_form_says(open_page, queued):
    app = open_page("train")
    app.number_input(key="train-learning_rate").set_value(0.25)
    app.selectbox(key="train-optimizer").select("nesterov").run()
    app.number_input(key="train-batch_size").set_value(128).run()
    next(button for button in app.button if button.label == "Start training").click().run()
    assert not app.exception
    (run,) = queued
    config = json.loads((run.path / "config.json").read_text())["config"]
    assert (config["optimizer"], config["learning_rate"], config["batch_size"]) == ("nesterov", 0.25, 128)
    assert config["options"]["hidden"] == [100]
    assert app.selectbox(key="run").value == run.id
    assert any("Waiting" in element.proto.text for element in app.get("progress"))


def test_a_new_model_brings_its_own_options(open_page, queued):
    app = open_page("train")
    app.selectbox(key="train-model").select("lenet").run()
    app.number_input(key="train-lenet-kernel").set_value(3).run()
    next(button for button in app.button if button.label == "Start training").click().run()
    assert queued[0].config["model"] == "lenet"
    assert queued[0].config["options"]["kernel"] == 3


def test_impossible_settings_are_named_and_cannot_be_started(open_page):
    app = open_page("train")
    app.selectbox(key="train-model").select("lenet").run()
    app.number_input(key="train-lenet-kernel").set_value(28).run()
    assert not app.exception
    assert any("kernel" in error.value for error in app.error)
    assert next(button for button in app.button if button.label == "Start training").disabled


def test_a_stopped_run_shows_its_curves_and_resumes(open_page, queued):
    run = started(state="stopped", epoch=1, best_epoch=1)
    app = open_page("train")
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 2
    assert any("81.2%" in text for text in texts(app))
    next(button for button in app.button if button.label == "Resume").click().run()
    assert queued == [run]
    assert run.status.state == "queued"


def test_test_accuracy_stays_out_of_this_page(open_page):
    started(state="stopped", epoch=1, best_epoch=1)
    app = open_page("train")
    assert not any("43.2" in text or "0.4321" in text for text in texts(app))
    for draw in (charts.loss_curve, charts.accuracy_curve):
        assert "0.8125" in json.dumps(draw(HISTORY, 4))
        assert "0.4321" not in json.dumps(draw(HISTORY, 4))
    assert "0.4321" not in str(charts.curve_table(HISTORY))


def test_a_waiting_run_can_be_stopped(open_page):
    run = started(history=[], state="stopped")
    queue.folder().mkdir(parents=True, exist_ok=True)
    queue.add(run)
    app = open_page("train")
    next(button for button in app.button if button.label == "Stop").click().run()
    assert run.status.state == "stopped"
    assert queue.pending() == []


def test_a_failed_run_says_why(open_page):
    started(state="failed", message="The loss became infinite [or](http://undefined).")
    app = open_page("train")
    assert any("The loss became infinite" in error.value for error in app.error)
    assert not any("[or](" in error.value for error in app.error)


def test_a_run_in_the_url_is_shown_and_a_forged_one_is_not(open_page):
    first, second = started(state="stopped"), started(state="stopped")
    assert open_page("train", run=first.id).selectbox(key="run").value == first.id
    app = open_page("train", run="../../etc/passwd")
    assert not app.exception
    assert app.selectbox(key="run").value in (first.id, second.id)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (runs.Status(state="queued", epochs=4), "**Waiting** for its turn"),
        (runs.Status(state="finished", epoch=4, epochs=4, seconds=61), "**Finished** after 4 epochs · 1 min"),
        (runs.Status(state="finished", epoch=1, epochs=4, seconds=9.94), "after 1 epoch of 4; the time was up · 9.9 s"),
        (runs.Status(state="interrupted", epoch=2, epochs=4), "**Interrupted** in epoch 3 of 4"),
        (
            runs.Status(state="running", epoch=1, epochs=4, step=50, steps=100, seconds=30, images_per_second=12345.6),
            "epoch 2 of 4 · step 50 of 100 · 12,346 images per second · about 50 s left",
        ),
    ],
)
def test_a_status_in_words(status, text):
    assert text in run_watch.describe(status)
