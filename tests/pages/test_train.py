import json
import statistics
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

import models
from explorer.experiments import seeds
from explorer.paths import ROOT
from explorer.store import groups, runs, summaries
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import FORMAT, Metadata, save_checkpoint
from explorer.training.config import TrainConfig
from explorer.training.queue import requests, supervisor
from explorer.ui import charts
from explorer.ui.kit import seed_groups, training_form
from explorer.ui.train import watch
from models.registry import InputShape

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
    monkeypatch.setattr(supervisor, "submit", lambda run: found.append(run) or requests.add(run))
    return found


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning)]


def started(history=HISTORY, **status):
    run = runs.create(TrainConfig(epochs=4).model_dump(mode="json"), "mine")
    for line in history:
        run.append_history(line)
    run.write_status(runs.Status(epochs=4, **status))
    return run


def start(app):
    return app.button(key="train-start")


def link(app):
    """The configuration in the URL."""
    found = app.query_params.get("config", "{}")
    return json.loads(found[0] if isinstance(found, list) else found)


def preset(app, title):
    return app.selectbox(key="train-preset-Coursework").select(title).run()


def test_without_runs_it_says_what_the_settings_amount_to(open_page):
    app = open_page("train")
    assert not app.exception
    assert any("79,510 parameters, 844 steps an epoch" in text for text in texts(app))
    assert not any(text.startswith("Changed") for text in texts(app))
    assert "config" not in app.query_params


def test_the_button_starts_what_the_form_says(open_page, queued):
    app = open_page("train")
    app.number_input(key="train-learning_rate").set_value(0.25)
    app.selectbox(key="train-optimizer").select("nesterov").run()
    app.text_input(key="train-name").set_value("mine")
    app.number_input(key="train-batch_size").set_value(128)
    start(app).click().run()
    assert not app.exception
    (run,) = queued
    assert (run.config["optimizer"], run.config["learning_rate"], run.config["batch_size"]) == ("nesterov", 0.25, 128)
    assert run.config["options"]["hidden"] == [100]
    assert run.name == "mine"
    assert app.selectbox(key="run").value == run.id
    assert any("Waiting" in element.proto.text for element in app.get("progress"))
    app.run()
    assert queued == [run]


def test_a_new_model_brings_its_own_options(open_page, queued):
    app = open_page("train")
    app.selectbox(key="train-model").select("lenet").run()
    app.number_input(key="train-lenet-kernel").set_value(3).run()
    start(app).click().run()
    assert queued[0].config["model"] == "lenet"
    assert queued[0].config["options"]["kernel"] == 3


def test_impossible_settings_are_named_and_cannot_be_started(open_page):
    app = open_page("train")
    app.selectbox(key="train-model").select("lenet").run()
    app.number_input(key="train-lenet-kernel").set_value(28).run()
    assert not app.exception
    assert any("kernel" in error.value for error in app.error)
    assert start(app).disabled


def test_text_that_is_no_list_is_named_and_the_form_stays_whole(open_page):
    app = open_page("train")
    app.text_input(key="train-mlp-hidden").set_value("3, x").run()
    assert any("whole numbers" in error.value for error in app.error)
    assert start(app).disabled
    assert app.number_input(key="train-epochs").value == 10
    preset(app, "Network: one layer of 100")
    assert not app.error
    assert app.text_input(key="train-mlp-hidden").value == "100"


def test_every_field_of_the_configuration_is_shown_somewhere(open_page):
    app = open_page("train")
    app.selectbox(key="train-optimizer").select("momentum").run()
    app.toggle(key="train-flip").set_value(True).run()
    shown = set()
    for schedule in ("step", "one-cycle"):
        app.selectbox(key="train-schedule").select(schedule).run()
        for kind in ("number_input", "selectbox", "slider", "text_input", "toggle"):
            shown |= {widget.key for widget in getattr(app, kind)}
    keys = {f"train-{name}" for name in TrainConfig.model_fields} - {"train-options"}
    assert keys - shown == {"train-dataset"}
    assert app.selectbox(key="dataset").value == "fashion-mnist"


def test_what_is_hidden_for_a_while_keeps_its_value(open_page):
    app = open_page("train")
    app.selectbox(key="train-optimizer").select("momentum").run()
    app.number_input(key="train-momentum").set_value(0.5).run()
    app.text_input(key="train-mlp-hidden").set_value("7").run()
    app.selectbox(key="train-optimizer").select("adam").run()
    app.selectbox(key="train-model").select("cnn").run()
    assert link(app) == {"model": "cnn"}
    app.selectbox(key="train-model").select("mlp").run()
    app.selectbox(key="train-optimizer").select("momentum").run()
    assert app.number_input(key="train-momentum").value == 0.5
    assert app.text_input(key="train-mlp-hidden").value == "7"
    app.switch_page(page("home")).run()
    app.query_params.pop("config", None)
    app.switch_page(page("train")).run()
    assert app.number_input(key="train-momentum").value == 0.5
    assert link(app) == {"options": {"hidden": [7]}, "optimizer": "momentum", "momentum": 0.5}


def page(name):
    return str(ROOT / "pages" / f"{name}.py")


LINK = '{"model":"lenet","options":{"kernel":3},"optimizer":"momentum","momentum":0.5,"time_budget":60.0,"flip":true}'


def test_a_link_fills_the_form_and_starts_nothing(open_page, queued):
    app = open_page("train", dataset="mnist", config=LINK)
    assert not app.exception
    assert app.selectbox(key="dataset").value == "mnist"
    assert app.selectbox(key="train-model").value == "lenet"
    assert app.number_input(key="train-lenet-kernel").value == 3
    assert app.number_input(key="train-momentum").value == 0.5
    assert app.number_input(key="train-time_budget").value == 60
    assert app.toggle(key="train-flip").value is True
    assert link(app) == json.loads(LINK)
    assert (queued, runs.list_runs()) == ([], [])
    assert any(text.startswith("Changed: ") and "Kernel 3" in text for text in texts(app))
    app.run()
    assert link(app) == json.loads(LINK)
    start(app).click().run()
    assert (queued[0].config["dataset"], queued[0].config["options"]["kernel"]) == ("mnist", 3)


@pytest.mark.parametrize("config", ['{"dataset":"mnist","epochs":3}', '{"epochs":3,"dataset":"mnist"}'])
def test_a_data_set_in_the_configuration_itself_is_chosen_too(open_page, config):
    app = open_page("train", config=config)
    assert not app.exception
    assert app.selectbox(key="dataset").value == "mnist"
    assert app.number_input(key="train-epochs").value == 3
    assert link(app) == {"epochs": 3}
    assert app.query_params["dataset"] in ("mnist", ["mnist"])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "not valid JSON"),
        ('{"epochs":0}', "epochs"),
        ('{"model":"![x](http://evil.example/x.png)"}', "There is no model"),
        ("[" * 5000, "4,000 characters"),
        ('{"dataset":"../mnist"}', "no data set"),
        ('{"options":{"hidden":[0]}}', "hidden"),
    ],
)
def test_nonsense_in_a_link_is_one_message_and_the_form_stays(open_page, config, reason):
    app = open_page("train", config=config)
    assert not app.exception
    (error,) = app.error
    assert reason.replace(",", "\\,") in error.value or reason in error.value
    assert "![x]" not in error.value
    assert app.number_input(key="train-epochs").value == 10
    assert "config" not in app.query_params
    assert not start(app).disabled
    app.number_input(key="train-epochs").set_value(3).run()
    assert not app.error


def test_the_url_follows_the_form_and_the_form_the_url(open_page, monkeypatch):
    app = open_page("train")
    app.number_input(key="train-epochs").set_value(3).run()
    assert link(app) == {"epochs": 3}
    app.number_input(key="train-learning_rate").set_value(0.5).run()
    assert link(app) == {"epochs": 3, "learning_rate": 0.5}
    monkeypatch.setattr(training_form, "_by_history", lambda: True)
    app.query_params["config"] = '{"epochs":3}'
    app.run()
    assert app.number_input(key="train-learning_rate").value == 0.001
    assert link(app) == {"epochs": 3}
    del app.query_params["config"]
    app.run()
    assert app.number_input(key="train-epochs").value == 10
    assert "config" not in app.query_params


def test_a_url_that_has_not_caught_up_does_not_undo_a_change(open_page, queued):
    app = open_page("train")
    app.number_input(key="train-epochs").set_value(3).run()
    del app.query_params["config"]
    app.number_input(key="train-batch_size").set_value(32).run()
    assert link(app) == {"batch_size": 32, "epochs": 3}
    app.query_params["config"] = '{"epochs":3}'
    start(app).click().run()
    assert queued[0].config["batch_size"] == 32


def test_a_late_message_of_a_part_that_renews_itself_changes_nothing(open_page, monkeypatch):
    app = open_page("train")
    preset(app, "CNN: batch norm, then dropout")
    with monkeypatch.context() as polling:
        polling.setattr(training_form, "_in_fragment", lambda: True)
        app.selectbox(key="train-model").select("mlp")
        app.number_input(key="train-learning_rate").set_value(0.001)
        app.run()
    assert app.selectbox(key="train-model").value == "cnn"
    assert app.number_input(key="train-learning_rate").value == 0.01
    assert link(app)["model"] == "cnn"
    assert any("is filled in" in success.value for success in app.success)


def test_a_preset_fills_the_whole_form_and_its_data_set(open_page, queued):
    app = open_page("train", dataset="mnist")
    app.selectbox(key="train-model").select("lenet").run()
    app.number_input(key="train-lenet-kernel").set_value(3).run()
    preset(app, "CNN: batch norm, then dropout")
    assert not app.exception
    assert app.selectbox(key="dataset").value == "fashion-mnist"
    assert app.selectbox(key="train-model").value == "cnn"
    assert app.selectbox(key="train-cnn-after_first").value == "batch-norm-dropout"
    assert link(app)["options"] == {"after_first": "batch-norm-dropout"}
    assert "dataset" not in app.query_params
    assert any("is filled in" in success.value for success in app.success)
    assert app.selectbox(key="train-preset-Coursework").value is None
    app.number_input(key="train-epochs").set_value(1).run()
    assert not app.success
    preset(app, "CNN: batch norm, then dropout")
    assert app.number_input(key="train-epochs").value == 10
    app.selectbox(key="train-model").select("lenet").run()
    assert app.number_input(key="train-lenet-kernel").value == 5
    assert queued == []


def test_presets_are_found_by_assignment_and_question(open_page):
    app = open_page("train")
    chosen = "JHU CS 482/682 Deep Learning, assignment 1"
    app.selectbox(key="train-preset-assignment").select(chosen).run()
    assert "Depth: 2 layers of 90" not in app.selectbox(key="train-preset-Coursework").options
    app.selectbox(key=f"train-preset-question-{chosen}").select("6. Batch size").run()
    assert app.selectbox(key="train-preset-Coursework").options == [
        *("CNN: batches of 8", "CNN: baseline", "CNN: batches of 512"),
    ]
    preset(app, "CNN: batches of 8")
    assert not app.exception
    assert app.number_input(key="train-batch_size").value == 8


def test_a_file_fills_the_form_and_a_bad_one_says_why(open_page):
    app = open_page("train")
    document = {"name": "<b>", "config": {"dataset": "mnist", "epochs": 7, "options": {"hidden": []}}}
    upload(app, "mine.json", json.dumps(document).encode())
    assert not app.exception
    assert app.selectbox(key="dataset").value == "mnist"
    assert app.number_input(key="train-epochs").value == 7
    assert app.text_input(key="train-mlp-hidden").value == ""
    assert any("mine" in success.value for success in app.success)
    upload(app, "bad.json", b'{"epochs": "many"}')
    assert any("epochs" in error.value for error in app.error)
    assert app.number_input(key="train-epochs").value == 7


def upload(app, name, data):
    app.file_uploader[0].set_value((name, data, "application/json")).run()


def test_the_link_to_copy_opens_the_same_form(open_page):
    app = open_page("train", dataset="mnist", config=LINK)
    query = parse_qs(urlsplit(app.code[0].value).query)
    again = open_page("train", **{name: values[0] for name, values in query.items()})
    assert link(again) == json.loads(LINK)
    assert again.selectbox(key="dataset").value == "mnist"


@pytest.fixture
def weights(home):
    """Imported checkpoints: softmax regression for ten classes, the same for three, and a hidden layer."""
    folder = imported_folder()
    folder.mkdir(parents=True)
    for name, hidden, classes in (("flat", [], 10), ("three", [], 3), ("deep", [5], 10)):
        options = models.get("mlp").validate({"hidden": hidden}).model_dump(mode="json")
        names = tuple(str(number) for number in range(classes))
        described = Metadata(format=FORMAT, model="mlp", options=options, classes=names, mean=0.3, std=0.3)
        network = models.build("mlp", options, InputShape(classes=classes))
        save_checkpoint(folder / f"{name}.safetensors", network, described)


def test_a_run_can_start_from_weights_that_fit(open_page, weights, queued):
    app = open_page("train")
    assert app.selectbox(key="train-initial").options == ["Random weights"]
    app.text_input(key="train-mlp-hidden").set_value("").run()
    initial = app.selectbox(key="train-initial")
    assert initial.options == ["Random weights", "flat"]
    initial.select("flat").run()
    assert link(app) == {"options": {"hidden": []}, "initial": "flat"}
    start(app).click().run()
    assert queued[0].config["initial"] == "flat"
    app.text_input(key="train-mlp-hidden").set_value("5").run()
    assert any("weights of the same shapes" in error.value for error in app.error)
    initial = app.selectbox(key="train-initial")
    assert (initial.value, initial.options) == ("flat", ["Random weights", "deep", "flat"])
    assert start(app).disabled


def _elsewhere(config):
    import streamlit as st

    from explorer.ui.kit import state, training_form
    from explorer.ui.train import form

    here = state.Selection(st.session_state.get("chosen", "mnist"), None, None, "test")
    state.publish(here, here)
    if "there" in st.session_state:
        form.show(here.dataset)
    else:
        st.button("Use", key="use", on_click=training_form.fill, args=(config,))


def test_other_pages_fill_the_form():
    app = AppTest.from_function(
        _elsewhere, args=({"dataset": "mnist", "model": "cnn", "epochs": 4},), default_timeout=60
    )
    app.run()
    app.button(key="use").click().run()
    app.session_state["there"] = True
    app.run()
    assert not app.exception
    assert app.selectbox(key="train-model").value == "cnn"
    assert app.number_input(key="train-epochs").value == 4


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
    requests.folder().mkdir(parents=True, exist_ok=True)
    requests.add(run)
    app = open_page("train")
    app.button(key="watch-pause").click().run()
    assert run.status.state == "stopped"
    assert requests.pending() == []


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
        (runs.Status(state="finished", epoch=4, epochs=4, seconds=61), "**Finished** after 4 epochs · 1 min 1 s"),
        (runs.Status(state="finished", epoch=1, epochs=4, seconds=9.94), "after 1 epoch of 4; the time was up · 9.9 s"),
        (runs.Status(state="interrupted", epoch=2, epochs=4), "**Interrupted** in epoch 3 of 4"),
        (
            runs.Status(state="running", epoch=1, epochs=4, step=50, steps=100, seconds=30, images_per_second=12345.6),
            "epoch 2 of 4 · step 50 of 100 · 12,346 images per second · about 50 s left",
        ),
    ],
)
def test_a_status_in_words(status, text):
    assert text in watch.describe(status)


def test_several_seeds_are_queued_as_one_computation(open_page, queued):
    app = open_page("train")
    app.number_input(key="train-repeats").set_value(3).run()
    start(app).click().run()
    assert not app.exception
    made = runs.list_runs()
    assert sorted(run.config["seed"] for run in made) == [0, 1, 2]
    assert len(queued) == 1
    assert groups.ids(queued[0]) == [run.id for run in sorted(made, key=lambda run: run.config["seed"])]


def seeds_of(accuracies, vectorised=True):
    """Make finished seeds with this validation accuracy after each of two epochs."""
    made = seeds.create(TrainConfig(epochs=2), len(accuracies), vectorised=vectorised)
    for run, (first, second) in zip(made, accuracies, strict=True):
        for epoch, accuracy in enumerate((first, second), 1):
            figures = {"train_loss": 0.5, "train_accuracy": 0.5, "validation_loss": 0.5, "learning_rate": 0.001}
            run.append_history({"kind": "epoch", "epoch": epoch, "validation_accuracy": accuracy} | figures)
        best = {"best_epoch": 2, "best_accuracy": max(first, second)}
        run.write_status(runs.Status(state="finished", epoch=2, epochs=2, **best))
    return made


@pytest.mark.parametrize("together", [True, False])
def test_seeds_that_were_started_together_are_shown_with_mean_and_spread(open_page, together):
    made = seeds_of([(0.70, 0.80), (0.60, 0.83), (0.65, 0.86)], together)
    app = open_page("train", run=made[1].id)
    assert not app.exception
    said = f"83.0% ± {100 * statistics.stdev([0.80, 0.83, 0.86]):.1f} points over 3 seeds"
    assert any("Seed 1 is one of 3" in text and said in text for text in texts(app))
    assert "80.0% to 86.0%" in " ".join(texts(app))
    for chart in app.get("vega_lite_chart"):
        (curve,) = {one for layer in json.loads(chart.proto.spec)["layer"] for one in _labels(layer)}
        assert curve == "mean of 3 seeds"
    mean = seed_groups.curve([summaries.summarise(run) for run in made], "mean")
    assert [line["validation_accuracy"] for line in mean.epochs] == pytest.approx([0.65, 0.83])
    assert len(mean.seeds) == 3


def _labels(layer):
    return layer["encoding"].get("color", {}).get("scale", {}).get("domain", [])


def test_pause_and_resume_are_for_all_seeds(open_page, queued):
    made = seeds.create(TrainConfig(epochs=2), 3, vectorised=False)
    seeds.submit(made)
    app = open_page("train", run=made[1].id)
    app.button(key="watch-pause").click().run()
    assert [run.status.state for run in made] == ["stopped"] * 3
    assert requests.pending() == []
    app.button(key="watch-resume").click().run()
    assert requests.pending() == [run.id for run in made]


def test_a_run_is_in_the_url_once_it_was_asked_for(open_page, queued):
    first = started(state="stopped")
    app = open_page("train")
    assert app.selectbox(key="run").value == first.id
    assert "run" not in app.query_params
    start(app).click().run()
    (new,) = set(runs.list_runs()) - {first}
    assert app.query_params["run"] == new.id
    app.run()
    assert app.query_params["run"] == new.id


def test_what_was_started_is_scrolled_to_once(open_page, queued):
    app = open_page("train")
    start(app).click().run()
    scripts = [element.proto.body for element in app.get("html") if "scrollIntoView" in element.proto.body]
    assert len(scripts) == 1
    assert f".st-key-{watch.PLACE}'" in scripts[0]
    app.run()
    assert not [element for element in app.get("html") if "scrollIntoView" in element.proto.body]
