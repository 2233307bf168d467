import json

import pytest

from explorer.experiments import duels
from explorer.store import bin as runs_bin
from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.queue import requests, supervisor
from explorer.ui.experiments.filling import SUGGESTIONS

CONFIG = TrainConfig.parse({"options": {"hidden": [16]}, "epochs": 2, "subset": 100, "device": "cpu"})


@pytest.fixture(autouse=True)
def queued(alone, monkeypatch):
    """Ids of the runs that were queued; none is computed."""
    found = []
    monkeypatch.setattr(supervisor, "submit", lambda run: found.append(run.id) or requests.add(run))
    return found


def texts(app):
    elements = (*app.markdown, *app.caption, *app.error, *app.warning, *app.info, *app.success)
    return " ".join(element.value for element in elements)


def finish(run, *accuracies):
    for epoch, accuracy in enumerate(accuracies, start=1):
        figures = {"train_loss": 0.8, "train_accuracy": 0.71, "validation_loss": 0.9, "validation_accuracy": accuracy}
        run.append_history({"kind": "epoch", "epoch": epoch, "test_accuracy": 0.4321, "learning_rate": 0.1} | figures)
    best = {"best_epoch": accuracies.index(max(accuracies)) + 1, "best_accuracy": max(accuracies)}
    run.write_status(runs.Status(state="finished", epoch=len(accuracies), epochs=len(accuracies), seconds=12.0, **best))


def fought(differences=(0.01, 0.012, 0.011), field="optimizer", other="sgd"):
    """Return a duel that is over, whose side b is better by these shares."""
    duel = duels.start(CONFIG, field, other, len(differences))
    requests.remove(duel.side("a")[0])
    for (one, two), difference in zip(duel.pairs(), differences, strict=True):
        requests.remove(one)
        finish(one, 0.5, 0.8)
        finish(two, 0.5, 0.8 + difference)
    return duel


def start(app):
    return app.button(key="duel-start")


def other(app, name, kind="selectbox"):
    """The widget of side b."""
    return next(one for one in getattr(app, kind) if one.label == f"B: {name}")


def test_the_empty_page_says_what_a_duel_is_and_offers_some(open_page):
    app = open_page("duel")
    assert not app.exception
    assert "A duel compares two values of one setting" in texts(app)
    assert "Both start from the same weights and see the images in the same order" in texts(app)
    assert "79,510 parameters on both sides" in texts(app)
    assert not start(app).disabled
    assert not app.get("vega_lite_chart")


@pytest.mark.parametrize("suggestion", SUGGESTIONS, ids=lambda one: one.name)
def test_a_suggestion_fills_the_form_and_starts_nothing(open_page, queued, suggestion):
    app = open_page("duel")
    app.button(key=f"duel-empty-{suggestion.name}").click().run()
    assert not app.exception
    assert app.selectbox(key="duel-field").value == suggestion.setting
    assert queued == runs.list_runs() == []
    assert not start(app).disabled
    start(app).click().run()
    (duel,) = duels.list_duels()
    assert (duel.field, duel.values[1]) == (suggestion.setting, suggestion.other)
    assert len(duel.side("a")) == 5
    config = duel.side("a")[0].config
    assert config["subset"] == suggestion.config["subset"]
    assert config["options"] == TrainConfig.parse(suggestion.config).options


def test_the_button_starts_what_the_form_says(open_page, queued):
    app = open_page("duel")
    app.selectbox(key="duel-optimizer").select("nesterov").run()
    app.number_input(key="duel-epochs").set_value(3)
    app.number_input(key="duel-batch_size").set_value(128)
    app.selectbox(key="duel-field").select("learning_rate").run()
    app.number_input(key="duel-learning_rate").set_value(0.25)
    other(app, "learning rate", "number_input").set_value(0.5)
    app.slider(key="duel-seeds").set_value(2)
    start(app).click().run()
    assert not app.exception
    (duel,) = duels.list_duels()
    assert (duel.field, duel.values) == ("learning_rate", (0.25, 0.5))
    one, two = (duel.side(side)[0].config for side in duels.SIDES)
    assert (one["optimizer"], one["epochs"], one["batch_size"]) == ("nesterov", 3, 128)
    assert {name for name in one if one[name] != two[name]} == {"learning_rate"}
    assert len(duel.side("b")) == 2
    assert queued == [duel.runs["a"][0]]
    assert app.query_params["duel"] == duel.id
    assert any("waiting for its turn" in str(one.proto) for one in app.get("progress"))


def test_a_value_of_side_a_stays_when_it_moves_from_the_settings(open_page):
    app = open_page("duel")
    app.selectbox(key="duel-field").select("batch_size").run()
    app.selectbox(key="duel-optimizer").select("rmsprop").run()
    app.selectbox(key="duel-field").select("optimizer").run()
    assert app.selectbox(key="duel-optimizer").value == "rmsprop"
    assert app.selectbox(key="duel-optimizer").label == "A: optimizer"


def test_a_model_brings_its_own_settings(open_page):
    app = open_page("duel")
    app.selectbox(key="duel-field").select("options.hidden").run()
    app.selectbox(key="duel-model").select("lenet").run()
    assert not app.exception
    assert app.selectbox(key="duel-field").value == "optimizer"
    app.selectbox(key="duel-field").select("options.padding").run()
    assert "parameters" in texts(app)
    assert " against " in texts(app)
    assert "the networks have different shapes" in texts(app)


def test_every_setting_has_a_widget_for_both_sides(open_page):
    app = open_page("duel")
    app.selectbox(key="duel-model").select("lenet").run()
    kinds = ("selectbox", "number_input", "text_input", "slider", "toggle")
    for field in duels.fields(TrainConfig(model="lenet")):
        app.selectbox(key="duel-field").select(field).run()
        assert not app.exception
        shown = [one.label for kind in kinds for one in getattr(app, kind)]
        assert [sum(label.startswith(side) for label in shown) for side in ("A: ", "B: ")] == [1, 1], field


@pytest.mark.parametrize(
    ("field", "kind", "name", "value", "words"),
    [
        ("optimizer", "selectbox", "optimizer", "adam", "Both sides of the duel are the same"),
        ("options.hidden", "text_input", "hidden", "many", "whole numbers"),
        ("options.hidden", "text_input", "hidden", "9999", "hidden"),
        ("momentum", "number_input", "momentum", 0.5, "Momentum has an effect only with optimizer SGD with momentum"),
    ],
)
def test_what_is_wrong_is_said_and_the_button_is_off(open_page, queued, field, kind, name, value, words):
    app = open_page("duel")
    app.selectbox(key="duel-field").select(field).run()
    other(app, name, kind).set_value(value).run()
    assert not app.exception
    assert words in texts(app)
    assert start(app).disabled
    assert queued == []


def test_settings_that_are_probably_not_meant_are_said_with_their_side(open_page):
    app = open_page("duel")
    other(app, "optimizer").select("sgd").run()
    assert "**B:** A learning rate of 0\\.001 is low for SGD" in texts(app)


def test_a_preset_fills_the_form_with_its_other_settings(open_page):
    app = open_page("duel")
    app.selectbox(key="duel-preset").select("CNN: baseline").run()
    assert not app.exception
    assert app.selectbox(key="duel-model").value == "cnn"
    assert app.selectbox(key="duel-optimizer").value == "momentum"
    app.selectbox(key="duel-preset").select("Loss: mean squared error").run()
    assert app.selectbox(key="duel-model").value == "mlp"
    assert "Also: Loss Mean squared error" in texts(app)
    start(app).click().run()
    (duel,) = duels.list_duels()
    assert {run.config["loss"] for run in duel.side("a")} == {"mse"}


def test_a_run_fills_the_form(open_page):
    run = runs.create(CONFIG.model_dump(mode="json") | {"seed": 7, "weight_decay": 0.001}, "<b>mine</b>")
    requests.stop(run)
    app = open_page("duel")
    app.selectbox(key="duel-run").select(run.id).run()
    assert not app.exception
    assert app.text_input(key="duel-mlp-hidden").value == "16"
    assert app.number_input(key="duel-subset").value == 100
    start(app).click().run()
    (duel,) = duels.list_duels()
    assert [one.config["seed"] for one in duel.side("a")] == [0, 1, 2, 3, 4]
    assert {one.config["weight_decay"] for one in duel.side("b")} == {0.001}


def test_a_duel_that_is_over_says_who_is_better_and_shows_each_seed(open_page):
    duel = fought()
    app = open_page("duel", duel=duel.id)
    assert not app.exception
    assert r"**B \(SGD\) is better by 1.10 points** (95% interval 0.85 to 1.35, 3 seeds)" in texts(app)
    assert len(app.get("vega_lite_chart")) == 3
    (table,) = (one.value for one in app.dataframe)
    assert list(table["Seed"]) == ["0", "1", "2", "mean"]
    assert list(table["A: Adam"]) == pytest.approx([80, 80, 80, 80])
    assert list(table["B: SGD"]) == pytest.approx([81, 81.2, 81.1, 81.1])
    assert list(table["B − A"]) == pytest.approx([1, 1.2, 1.1, 1.1])
    assert list(table["Time A"]) == ["12 s"] * 4
    assert not app.get("progress")
    assert not any(button.key in ("duel-pause", "duel-resume") for button in app.button)


def test_the_test_set_stays_out_of_this_page(open_page):
    app = open_page("duel", duel=fought().id)
    charts = " ".join(str(chart.proto) for chart in app.get("vega_lite_chart"))
    everything = charts + " ".join(one.value.to_csv() for one in app.dataframe) + texts(app)
    assert "0.4321" not in everything
    assert "43.2" not in everything


def test_one_seed_is_repeated_with_five(open_page, queued):
    duel = fought((0.01,), "options.dropout", 0.5)
    queued.clear()
    app = open_page("duel", duel=duel.id)
    assert "One seed says nothing about chance" in texts(app)
    assert len(app.get("vega_lite_chart")) == 2
    app.button(key="duel-repeat").click().run()
    assert not app.exception
    new = next(one for one in duels.list_duels() if one.id != duel.id)
    assert (new.field, new.values) == (duel.field, duel.values)
    assert [run.config["seed"] for run in new.side("a")] == [0, 1, 2, 3, 4]
    assert new.side("b")[0].config == duel.side("b")[0].config
    assert queued == [new.runs["a"][0]]
    assert app.query_params["duel"] == new.id
    assert app.selectbox(key="duel").value == new.id


@pytest.mark.parametrize(
    ("differences", "offered"), [((0.02, -0.02), True), ((0.02, 0.021), False), ((0.0,) * 5, False)]
)
def test_more_seeds_are_offered_where_they_are_few_and_say_nothing(open_page, differences, offered):
    app = open_page("duel", duel=fought(differences).id)
    assert any(button.key == "duel-repeat" for button in app.button) == offered


def test_its_settings_fill_the_form(open_page):
    duel = fought((0.01, 0.02), "options.dropout", 0.25)
    app = open_page("duel", duel=duel.id)
    app.button(key="duel-use").click().run()
    assert not app.exception
    assert app.selectbox(key="duel-field").value == "options.dropout"
    assert other(app, "dropout", "slider").value == 0.25
    assert app.text_input(key="duel-mlp-hidden").value == "16"
    assert app.slider(key="duel-seeds").value == 2
    start(app).click().run()
    newest = next(one for one in duels.list_duels() if one.id != duel.id)
    assert newest.side("b")[1].config["options"] == duel.side("b")[1].config["options"]


def test_the_ways_from_a_duel_to_the_other_pages(open_page):
    duel = fought((0.01, 0.02))
    app = open_page("duel", duel=duel.id)
    app.button(key="duel-to-runs").click().run()
    assert app.title[0].value == "Runs"
    assert app.query_params["chosen"].split(",") == [*duel.runs["a"], *duel.runs["b"]]


def test_a_duel_in_the_queue_is_paused_and_resumed(open_page, queued):
    duel = duels.start(CONFIG, "optimizer", "sgd", 2)
    app = open_page("duel")
    app.button(key="duel-pause").click().run()
    assert not app.exception
    assert requests.pending() == []
    app.run()
    app.button(key="duel-resume").click().run()
    assert not app.exception
    assert requests.pending() == [duel.runs["a"][0]]


def test_a_duel_that_is_discarded_lies_in_the_bin_and_the_next_one_is_shown(open_page, queued):
    older, newer = sorted((fought(), duels.start(CONFIG, "batch_size", 10, 2)), key=lambda duel: duel.id)
    app = open_page("duel", duel=newer.id)
    app.checkbox(key=f"duel-discard-sure-{newer.id}").check().run()
    app.button(key="duel-discard").click().run()
    assert not app.exception
    assert "The duel that was shown has been discarded" in app.toast[0].value
    assert app.query_params["duel"] == older.id
    assert {run.id for run in runs_bin.binned()} == {*newer.runs["a"], *newer.runs["b"]}
    assert [duel.id for duel in duels.list_duels()] == [older.id]
    app.checkbox(key=f"duel-discard-sure-{older.id}").check().run()
    app.button(key="duel-discard").click().run()
    assert not app.exception
    assert runs.list_runs() == requests.pending() == []
    assert app.button(key="duel-empty-optimizer")


def test_the_newest_is_shown_first_and_another_can_be_chosen(open_page):
    first = fought()
    second = duels.start(CONFIG, "batch_size", 10)
    newest = max(first.id, second.id)
    app = open_page("duel")
    assert app.selectbox(key="duel").value == newest
    assert "duel" not in app.query_params, "it would be a step on the way back"
    app.selectbox(key="duel").select(min(first.id, second.id)).run()
    assert app.query_params["duel"] == min(first.id, second.id)
    for unknown in ("duel-20260101-000000-abcdef", "../../etc/passwd", "<img>"):
        app = open_page("duel", duel=unknown)
        assert not app.exception
        assert app.selectbox(key="duel").value == newest
        assert any("not here" in toast.value for toast in app.toast)


def test_damaged_and_hostile_files_do_not_break_the_page(open_page):
    duel = fought()
    path = duels.folder() / f"{duel.id}.json"
    document = json.loads(path.read_text())
    document |= {"field": "<img src=x onerror=alert(1)>", "values": ["![x](http://x)", {"a": [1]}]}
    path.write_text(json.dumps(document))
    (duel.side("a")[0].path / "status.json").write_text("{")
    (duel.side("b")[1].path / "history.jsonl").write_bytes(b'{"kind": "epoch"}\nnonsense\n{"kind"')
    app = open_page("duel", duel=duel.id)
    assert not app.exception
    shown = texts(app)
    assert "<img" not in shown.replace(r"\<img", "")
    assert "![x](" not in shown
    assert "damaged" in shown
    for run in duel.side("a"):
        (run.path / "config.json").unlink()
    app = open_page("duel", duel=duel.id)
    assert not app.exception
    assert "no longer here" in texts(app)
