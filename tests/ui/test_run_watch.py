"""Watching and steering a run, in `AppTest`: real files, no training."""

import json

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import models
from explorer.analysis.evaluation.prediction_files import save_predictions
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.store import bin as runs_bin
from explorer.store import runs
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, save_checkpoint
from explorer.store.runs import Status
from explorer.training.queue import requests, steering, supervisor
from explorer.ui.train import watch

SCRIPT = """
import streamlit as st
from explorer.ui.train import watch as run_watch
view = run_watch.choose_view()
st.caption(f"view {view}")
run = run_watch.choose()
if run:
    run_watch.watch(run)
"""
WATCHED = """
import streamlit as st
from explorer.store import runs
from explorer.ui.train import watch as run_watch
run_id = st.query_params["run"]
run_watch.watch(runs.Run(run_id, runs.folder() / run_id))
"""
NAME = "Ann's *first* [try](http://x) <b>"
CLASSES = catalog.get("fashion-mnist").classes


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Start no process, and forget what earlier tests have cached."""
    monkeypatch.setattr(supervisor, "ensure", lambda: None)
    st.cache_data.clear()
    st.cache_resource.clear()


def made(state="stopped", epoch=0, epochs=4, **status):
    """Return a run with so many complete epochs and all their files."""
    config = {"model": "mlp", "dataset": "fashion-mnist", "epochs": epochs, "learning_rate": 0.001}
    run = runs.create(config, NAME)
    run.append_history({"kind": "step", "epoch": 1, "step": 1, "steps": 9, "loss": 2.3, "learning_rate": 0.001})
    for number in range(1, epoch + 1):
        complete(run, number)
    best = {"best_epoch": epoch} if epoch else {}
    run.write_status(Status(**{"state": state, "epoch": epoch, "epochs": epochs} | best | status))
    return run


def complete(run, epoch):
    """Write what an epoch leaves behind: every class right but the first in epoch 1, all right later."""
    split = load_split("fashion-mnist", "validation")
    logits = 4 * np.eye(10, dtype=np.float32)[split.labels]
    if epoch == 1:
        logits[split.labels == 0] = 4 * np.eye(10, dtype=np.float32)[6]
    predictions = Predictions(logits, split.labels, split.indices, CLASSES, "x", "fashion-mnist", "validation")
    path = run.predictions("validation", epoch)
    path.parent.mkdir(exist_ok=True)
    save_predictions(path, predictions, full=False)
    fields = {"format": FORMAT, "model": "mlp", "options": {"hidden": [3]}, "classes": CLASSES, "mean": 0.3, "std": 0.3}
    network = models.build("mlp", fields["options"])
    save_checkpoint(run.weights(epoch), network, Metadata(**fields, versions=library_versions()))
    line = {"train_loss": 0.8, "train_accuracy": 0.7, "validation_loss": 0.6, "learning_rate": 0.001}
    accuracy = {"validation_accuracy": predictions.accuracy, "test_accuracy": 0.4321}
    run.append_history({"kind": "epoch", "epoch": epoch} | line | accuracy)


def opened(**parameters):
    app = AppTest.from_string(SCRIPT, default_timeout=120)
    app.query_params.update(parameters)
    return app.run()


def button(app, key):
    return app.button(key=key)


def words(app):
    texts = [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning, *app.info)]
    return "\n".join([*texts, *(element.proto.text for element in app.get("progress"))])


def html(app):
    return "\n".join(element.proto.body for element in app.get("html"))


def toasts(app):
    return [toast.value for toast in app.toast]


def test_without_runs_the_network_is_shown_and_with_one_the_training():
    assert "view Network" in words(opened())
    made()
    assert "view Training" in words(opened())


def test_the_objective_has_a_view_where_it_is_not_the_loss():
    plain, other = made(epoch=1), made(epoch=1)
    other.path.joinpath("config.json").write_text(
        json.dumps(other.description | {"config": other.config | {"loss": "mse"}})
    )
    app = opened(run=other.id)
    app.segmented_control(key="watch-view").set_value("Objective").run()
    assert not app.exception
    assert "Objective: squared error" in str([chart.proto for chart in app.get("vega_lite_chart")])
    app.selectbox(key="run").select(plain.id).run()
    assert not app.exception
    assert "Objective" not in app.segmented_control(key="watch-view").options


def test_before_the_first_epoch_it_says_when_pictures_come():
    made()
    app = opened()
    assert not app.exception
    assert "The first pictures come at the end of epoch 1" in words(app)
    assert len(app.get("vega_lite_chart")) == 2


def test_the_images_show_the_newest_epoch():
    run = made(epoch=1)
    app = opened()
    assert not app.exception
    assert html(app).count("×") == 1
    assert html(app).count("✓") == 11
    complete(run, 2)
    run.write_status(Status(state="stopped", epoch=2, epochs=4, best_epoch=2))
    app.run()
    assert html(app).count("✓") == 12


def test_the_matrix_is_that_of_the_validation_images():
    made(epoch=1)
    app = opened()
    app.segmented_control(key="watch-view").set_value("Confusion matrix").run()
    assert not app.exception
    charts = [chart.proto for chart in app.get("vega_lite_chart")]
    assert len(charts) == 3
    assert "Confusion matrix of the validation images" in charts[-1].spec


def test_filters_and_learning_rate_are_shown():
    made(epoch=1)
    app = opened()
    app.segmented_control(key="watch-view").set_value("Filters").run()
    assert "First layer: 3 hidden units" in html(app)
    app.segmented_control(key="watch-view").set_value("Learning rate").run()
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 3


@pytest.mark.parametrize("view", ["Images", "Confusion matrix", "Filters", "Learning rate"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_every_view_is_explained_when_asked(view, epoch):
    made(epoch=epoch)
    app = opened()
    assert "Loss and accuracy" not in words(app)
    app.session_state["watch-about"] = True
    app.segmented_control(key="watch-view").set_value(view).run()
    assert not app.exception
    assert "**Loss and accuracy.**" in words(app)
    assert f"**{view}" in words(app)


def test_the_explanations_hold_the_numbers_of_the_run():
    made(epoch=1)
    app = opened()
    app.session_state["watch-about"] = True
    app.run()
    assert "Of these 12, 11 are right now" in words(app)
    app.segmented_control(key="watch-view").set_value("Confusion matrix").run()
    assert "600 images of T\\-shirt/top were taken for Shirt" in words(app)


def test_the_test_set_is_not_on_this_page():
    made(epoch=1)
    app = opened()
    app.session_state["watch-about"] = True
    app.run()
    charts = "".join(chart.proto.spec for chart in app.get("vega_lite_chart"))
    assert "43.2" not in words(app) + html(app) + charts
    assert "0.4321" not in words(app) + html(app) + charts


def test_files_of_an_epoch_that_are_missing_or_damaged_are_a_message():
    run = made(epoch=1)
    run.predictions("validation", 1).write_bytes(b"nonsense")
    run.weights(1).unlink()
    app = opened()
    assert "damaged" in words(app)
    app.segmented_control(key="watch-view").set_value("Filters").run()
    assert not app.exception
    assert "not a readable checkpoint" in words(app)


def test_a_running_run_is_paused():
    run = made("running")
    with run.lock():
        app = opened()
        button(app, "watch-pause").click().run()
        assert not app.exception
        assert run.stop_requested
        assert button(app, "watch-pause").disabled
        assert button(app, "watch-finish").disabled


def test_a_running_run_is_stopped_and_kept():
    run = made("running")
    with run.lock():
        app = opened()
        button(app, "watch-finish").click().run()
        assert run.requests.asked("finish")
        assert button(app, "watch-finish").disabled


def test_a_waiting_run_can_be_paused_but_not_finished():
    run = made()
    requests.add(run)
    app = opened()
    assert button(app, "watch-finish").disabled
    button(app, "watch-pause").click().run()
    assert run.status.state == "stopped"


def test_a_paused_run_is_resumed(monkeypatch):
    monkeypatch.setattr(supervisor, "submit", requests.add)
    run = made()
    app = opened()
    button(app, "watch-resume").click().run()
    assert run.status.state == "queued"
    assert "**Waiting**" in words(app)


def test_a_press_that_comes_too_late_is_a_message(monkeypatch):
    monkeypatch.setattr(supervisor, "submit", requests.add)
    run = made()
    first, second = opened(), opened()
    button(first, "watch-resume").click().run()
    button(second, "watch-resume").click().run()
    assert not second.exception
    assert toasts(first) == []
    assert any("already queued" in text for text in toasts(second))
    button(first, "watch-pause").click().run()
    button(second, "watch-pause").click().run()
    assert not second.exception
    assert run.status.state == "stopped"


def test_another_learning_rate_is_noted_and_announced():
    run = made(epoch=1)
    app = opened()
    box = app.number_input(key=f"watch-rate-{run.id}")
    assert box.value == 0.001
    assert box.label == "From epoch 2 on"
    box.set_value(0.0005)
    button(app, "watch-rate-change").click().run()
    assert steering.pending_rate(run) == 0.0005
    assert "**0.0005 from epoch 2 on**" in words(app)


def test_an_impossible_learning_rate_is_refused():
    run = made(epoch=1)
    app = opened()
    app.number_input(key=f"watch-rate-{run.id}").set_value(0.0)
    button(app, "watch-rate-change").click().run()
    assert not app.exception
    assert any("learning\\_rate" in text for text in toasts(app))
    assert steering.pending_rate(run) is None


def test_in_the_last_epoch_no_other_rate_is_offered():
    made("stopped", epoch=3, step=5)
    app = opened()
    assert "would change nothing" in words(app)
    assert not [box for box in app.number_input if "watch-rate" in str(box.key)]


def test_discarding_moves_on_to_the_next_run():
    older, newer = made(), made()
    app = opened(run=newer.id)
    assert button(app, "watch-discard").disabled, "it may be somebody else's"
    app.checkbox(key=f"watch-discard-sure-{newer.id}").check().run()
    button(app, "watch-discard").click().run()
    assert not app.exception
    assert [run.id for run in runs_bin.binned()] == [newer.id]
    assert any("bin" in text for text in toasts(app))
    app.run()
    assert app.selectbox(key="run").value == older.id


def test_a_run_that_was_started_here_is_discarded_without_being_asked_twice():
    run = made()
    app = AppTest.from_string(SCRIPT, default_timeout=120)
    app.session_state["watch:started"] = {run.id}
    app.run()
    assert not app.checkbox
    button(app, "watch-discard").click().run()
    assert [one.id for one in runs_bin.binned()] == [run.id]


@pytest.mark.parametrize("left", [0, 1])
def test_whose_run_has_been_discarded_elsewhere_is_told(left):
    for _ in range(left):
        made()
    app = AppTest.from_string(SCRIPT, default_timeout=120)
    app.session_state["run"] = "20200101-000000-abcdef"
    app.run()
    assert not app.exception
    assert ["The run that was shown is not here" in text for text in toasts(app)] == [True]
    assert not toasts(app.run())


def test_a_run_that_vanishes_while_it_is_watched_is_a_message():
    run = made(epoch=1)
    app = AppTest.from_string(WATCHED, default_timeout=120)
    app.query_params["run"] = run.id
    app.run()
    assert len(app.get("vega_lite_chart")) == 2
    runs_bin.discard(run)
    app.run()
    assert not app.exception
    assert "This run is no longer here" in words(app)
    assert "watch-newest" in {element.key for element in app.button}


def test_runs_of_one_name_and_second_are_told_apart():
    for _ in range(3):
        made()
    options = opened().selectbox(key="run").options
    assert len(set(options)) == 3


@pytest.mark.parametrize(("name", "content"), [("status.json", "{"), ("status.json", "[]"), ("config.json", "3")])
def test_damaged_files_are_a_message(name, content):
    run = made(epoch=1)
    (run.path / name).write_text(content)
    app = opened()
    assert not app.exception
    assert "damaged" in words(app) + str(app.selectbox(key="run").options)


def test_damaged_lines_are_left_out_and_said():
    run = made(epoch=1)
    with (run.path / "history.jsonl").open("a") as file:
        file.write("nonsense\n")
    app = opened()
    assert not app.exception
    assert "1 damaged line of the history is left out" in words(app)
    assert len(app.get("vega_lite_chart")) == 2


def test_a_failed_run_says_why_and_texts_take_no_effect():
    made("failed", message="The loss became infinite [or](http://undefined).")
    app = opened()
    assert "The loss became infinite" in words(app)
    assert "[or](" not in words(app)


def test_a_run_that_diverged_leads_to_a_lower_rate_instead_of_the_same_again():
    diverged = made("failed", message="The loss became infinite.", reason="diverged")
    app = opened(run=diverged.id)
    assert button(app, "watch-lower-rate").label == "Try a learning rate of 0.0001"
    assert not [one for one in app.button if one.key == "watch-resume"]
    assert "no epoch was complete" in words(app)
    assert "the end of epoch 1" not in words(app)
    full = made("failed", message="The disk was full.")
    assert button(opened(run=full.id), "watch-resume")


def test_a_finished_run_leads_on():
    run = made("finished", epoch=1, epochs=1, reason="epochs")
    app = opened()
    keys = {element.key for element in app.button}
    assert {"to-evaluate", "to-explain", "to-draw", "watch-discard"} <= keys
    assert not {"watch-pause", "watch-finish", "watch-resume", "watch-rate-change"} & keys
    assert runs.get(run.id).status.state == "finished"


def test_only_finished_runs_are_not_looked_at_again(monkeypatch):
    seen = {}
    monkeypatch.setattr(st, "fragment", lambda function, run_every: seen.update(every=run_every) or (lambda *_: None))
    for state, every in (("queued", 1), ("stopped", 1), ("failed", 1), ("finished", None)):
        watch.watch(made(state))
        assert seen["every"] == every


def test_a_link_chooses_the_run_and_a_forged_one_is_refused():
    first, second = made(), made()
    assert opened(run=first.id).selectbox(key="run").value == first.id
    app = opened(run="../../etc/passwd")
    assert not app.exception
    assert app.selectbox(key="run").value in (first.id, second.id)
    assert any("not here" in text for text in toasts(app))


def test_a_thousand_runs_are_not_all_offered():
    for _ in range(watch.OFFERED + 5):
        made()
    oldest = runs.list_runs()[-1]
    app = opened(run=oldest.id)
    assert len(app.selectbox(key="run").options) == watch.OFFERED + 1
    assert app.selectbox(key="run").value == oldest.id


def test_the_history_of_the_file_is_what_the_table_holds():
    run = made(epoch=2)
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    from explorer.ui.charts import curve_table

    assert [row[0] for row in curve_table(lines)[1]] == [1, 2]
