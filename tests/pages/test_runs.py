import json
import threading
import time

import numpy as np
import pytest

from explorer.experiments import seeds
from explorer.store import bin as runs_bin
from explorer.store import runs
from explorer.training.archives import export_run
from explorer.training.config import TrainConfig
from explorer.training.queue import forking, requests, supervisor
from explorer.training.queue.execution import execute
from explorer.ui.runs import table as runs_table

NASTY = "<img src=x onerror=alert(1)> *b* [l](http://x) $y$ :red[z]"


def line(epoch, accuracy):
    figures = {"train_loss": 0.8, "train_accuracy": 0.71, "validation_loss": 0.9, "validation_accuracy": accuracy}
    return {"kind": "epoch", "epoch": epoch, "test_accuracy": 0.4321, "learning_rate": 0.001} | figures


def made(name="mine", accuracies=(0.7, 0.8125, 0.75), tags=(), note="", status=None, **config):
    """Make a finished run with this validation accuracy by epoch."""
    values = TrainConfig(epochs=max(1, len(accuracies)), **config).model_dump(mode="json")
    run = runs.create(values, name)
    run.describe(note=note, tags=list(tags))
    for number, accuracy in enumerate(accuracies, start=1):
        run.append_history(line(number, accuracy))
    best = max(accuracies, default=None)
    found = {"state": "finished", "epoch": len(accuracies), "epochs": len(accuracies), "reason": "epochs"}
    found |= {
        "best_epoch": 1 + accuracies.index(best) if accuracies else None,
        "best_accuracy": best,
        "curve": accuracies,
        "seconds": 75.0,
    }
    run.write_status(runs.Status.model_validate(found | (status or {})))
    return run


def keep_weights(run, *epochs):
    run.weights(1).parent.mkdir(exist_ok=True)
    for epoch in epochs:
        run.weights(epoch).touch()


@pytest.fixture
def finished():
    """A run that has really been trained."""
    config = TrainConfig(options={"hidden": []}, subset=500, epochs=1, threads=1)
    run = runs.create(config.model_dump(mode="json"), "trained")
    execute(run)
    return run


def texts(app):
    elements = (*app.markdown, *app.caption, *app.error, *app.warning, *app.info, *app.success)
    return [element.value for element in elements]


def table(app, column="State"):
    return next(one.value for one in app.dataframe if column in one.value.columns)


def test_without_runs_it_says_what_to_do(open_page):
    app = open_page("runs")
    assert not app.exception
    assert any("No run yet" in text for text in texts(app))
    app.button(key="empty-train").click().run()
    assert app.title[0].value == "Train"


def test_the_table_says_what_the_files_say(open_page):
    made("small", tags=["a", "b"], note="first\nsecond", options={"hidden": []})
    made("waiting", (), status={"state": "queued", "epochs": 7})
    app = open_page("runs")
    assert not app.exception
    found = table(app).set_index("Name")
    assert set(found.index) == {"small", "waiting"}
    small = found.loc["small"]
    assert small["State"] == "✓ Finished"
    assert small["Validation"] == pytest.approx(81.25, abs=0.01)  # drawn towards 81.3, which the text says
    assert list(small["By epoch"]) == [70.0, 81.25, 75.0]
    assert (small["Epochs"], small["of"], small["Data set"], small["Model"]) == (3, 3, "Fashion-MNIST", "mlp")
    assert small["Parameters"] == 784 * 10 + 10
    assert (small["Seconds"], small["Optimizer"], small["Rate"], small["Batch"]) == (75, "Adam", 0.001, 64)
    assert (small["Dropout"], small["Settings"]) == (0, "epochs 3, hidden none")
    assert list(small["Tags"]) == ["a", "b"]
    assert small["Note"] == "first second"
    waiting = found.loc["waiting"]
    assert (waiting["State"], waiting["Epochs"], waiting["of"]) == ("○ Waiting", 0, 7)
    assert waiting["Validation"] != waiting["Validation"]


def test_a_link_chooses_runs_and_filters(open_page):
    first, second = made("one", tags=["x"]), made("two")
    made("three", dataset="mnist", status={"state": "failed"})
    app = open_page("runs", chosen=f"{first.id},{second.id}")
    assert app.session_state[runs_table.KEY]["selection"]["rows"] == [
        index for index, name in enumerate(table(app)["Name"]) if name in ("one", "two")
    ]
    for parameters, names in (
        ({"runs-find": "TW"}, {"two"}),
        ({"runs-state": "failed"}, {"three"}),
        ({"runs-dataset": "mnist"}, {"three"}),
        ({"runs-tag": "x"}, {"one"}),
        ({"runs-tag": "no such tag"}, {"one", "two", "three"}),
        (
            {"runs-model": "../x", "chosen": "../../etc/passwd,x", "runs-show": "?", "runs-view": "?"},
            {"one", "two", "three"},
        ),
    ):
        app = open_page("runs", **parameters)
        assert not app.exception
        assert not app.error
        assert set(table(app)["Name"]) == names


def test_filters_go_into_the_url_and_can_be_cleared(open_page):
    made("one", tags=["x"])
    made("two")
    app = open_page("runs")
    app.selectbox(key=runs_table.TAG).select("x").run()
    assert app.query_params["runs-tag"] == "x"
    assert list(table(app)["Name"]) == ["one"]
    app.text_input(key=runs_table.FIND).set_value("nothing like this").run()
    assert any("No run passes the filters" in text for text in texts(app))
    app.button(key="runs-clear").click().run()
    assert set(table(app)["Name"]) == {"one", "two"}
    assert "runs-tag" not in app.query_params
    assert "runs-find" not in app.query_params


def test_a_tick_is_of_a_run_not_of_a_line(open_page):
    old = made("old")
    app = open_page("runs")
    app.session_state[runs_table.CHOSEN] = old.id  # as by a tick; what a link has chosen stands first
    app.run()
    assert app.session_state[runs_table.KEY]["selection"]["rows"] == [0]
    new = runs.create(old.config, "new")
    new.path.rename(new.path.with_name("20991231-000000-abcdef"))
    app.run()
    assert list(table(app)["Name"]) == ["new", "old"]
    assert app.session_state[runs_table.KEY]["selection"]["rows"] == [1]
    assert app.query_params["chosen"] == old.id


def test_chosen_runs_that_the_filters_hide_stay_chosen(open_page):
    one, two = made("one"), made("two")
    app = open_page("runs", chosen=f"{one.id},{two.id}", **{"runs-find": "two"})
    assert any("1 of 2 runs, 2 chosen, 1 of them hidden" in text for text in texts(app))
    assert app.query_params["chosen"] == f"{one.id},{two.id}"
    app.button(key="runs-none").click().run()
    assert "chosen" not in app.query_params
    assert any("1 of 2 runs. Tick" in text for text in texts(app))


def test_one_run_in_detail(open_page):
    run = made("mine", note="line one\nline two", tags=["t"], learning_rate=0.25)
    versions = {"torch": "9.9", "python": "3.11"}
    run.append_event({"kind": "start", "device": "cpu", "threads": 2, "versions": versions})
    app = open_page("runs", chosen=run.id)
    assert not app.exception
    shown = " ".join(texts(app))
    for words in ("line one  \nline two", "2 threads", r"torch 9\.9", "81.2%", "79,510 parameters", "after 3 epochs"):
        assert words in shown
    settings = table(app, "Value").set_index("Setting")["Value"].to_dict()
    assert settings == {"Learning rate": "0.25", "Epochs": "3"}


def test_the_test_set_stays_out_of_this_page(open_page):
    one, two = made(), made()
    for chosen in ("", one.id, f"{one.id},{two.id}"):
        for section in ("Details", "Curves", "Settings", "Size and accuracy"):
            app = open_page("runs", chosen=chosen, **{"runs-show": section})
            assert not app.exception
            charts = " ".join(str(chart.proto) for chart in app.get("vega_lite_chart"))
            tables = " ".join(one.value.to_csv() for one in app.dataframe)
            everything = charts + tables + " ".join(texts(app))
            assert "0.4321" not in everything
            assert "43.2" not in everything


def test_several_runs_side_by_side(open_page):
    chosen = [made("one", seed=1).id, made("two", (0.9, 0.9125), seed=2, learning_rate=0.5).id]
    app = open_page("runs", chosen=",".join(chosen))
    assert len(app.get("vega_lite_chart")) == 2
    assert any("10.0 points more" in text for text in texts(app))
    app.segmented_control(key="runs-show").set_value("Settings").run()
    assert app.query_params["runs-show"] == "Settings"
    found = table(app, "Run")
    assert list(found["Run"]) == ["one, learning rate 0.001, epochs 3", "two, learning rate 0.5, epochs 2"]
    assert found[["Learning rate", "Epochs", "Seed"]].values.tolist() == [["0.001", "3", "1"], ["0.5", "2", "2"]]
    assert found[["Validation", "Best epoch", "Seconds"]].values.tolist() == [[81.25, 2, 75], [91.25, 2, 75]]
    assert "Test" not in found
    app.toggle(key="runs-test").set_value(True).run()
    assert list(table(app, "Run")["Test"]) == [pytest.approx(43.21)] * 2


def test_runs_without_names_of_their_own_are_named_by_what_differs(open_page):
    chosen = [made("", learning_rate=rate).id for rate in (0.1, 0.01)]
    app = open_page("runs", chosen=",".join(chosen))
    for chart in app.get("vega_lite_chart"):
        assert {"learning rate 0.1", "learning rate 0.01"} <= set(domain(chart))
    assert any("names 81.2% of" in text and r"learning rate 0\.1" in text for text in texts(app))
    app.segmented_control(key="runs-show").set_value("Size and accuracy").run()
    assert {"learning rate 0.1", "learning rate 0.01"} <= set(domain(app.get("vega_lite_chart")[0]))


def domain(chart):
    """Return the labels of a chart's legend."""
    layers = json.loads(chart.proto.spec)["layer"]
    return next(one["encoding"]["shape"]["scale"]["domain"] for one in layers if "shape" in one["encoding"])


def test_runs_that_differ_in_their_seed_alone_have_a_mean_and_a_spread(open_page):
    found = [made("", (0.7, best), seed=seed).id for seed, best in enumerate((0.80, 0.81, 0.85))]
    other = made("", learning_rate=0.5).id
    app = open_page("runs", chosen=",".join([*found, other]))
    assert set(domain(app.get("vega_lite_chart")[0])) == {
        "learning rate 0.001, epochs 2, 3 seeds",
        "learning rate 0.5, epochs 3",
    }
    assert any("thick ones their mean" in text for text in texts(app))
    app.segmented_control(key="runs-show").set_value("Settings").run()
    (row,) = table(app, "Group").to_dict("records")
    values = [80, 81, 85]
    assert row["Mean"] == pytest.approx(np.mean(values))
    assert row["Standard deviation"] == pytest.approx(np.std(values, ddof=1))
    assert (row["Lowest"], row["Highest"], row["Mean seconds"]) == (80, 85, 75)


def test_one_of_several_seeds_leads_to_the_others(open_page):
    found = seeds.create(TrainConfig(epochs=2), 3, vectorised=False)
    for run, best in zip(found, (0.80, 0.81, 0.85), strict=True):
        run.write_status(runs.Status(state="finished", epoch=2, epochs=2, best_epoch=2, best_accuracy=best))
    app = open_page("runs", chosen=found[2].id)
    assert any("One of 3 seeds" in text and "82.0% ± 2.6 points" in text for text in texts(app))
    app.button(key="runs-seeds").click().run()
    assert not app.exception
    assert app.query_params["chosen"] == ",".join(run.id for run in found)


def test_curves_can_be_drawn_by_seconds(open_page):
    run = runs.create(TrainConfig().model_dump(mode="json"), "timed")
    for number in (1, 2):
        run.append_history(line(number, 0.5) | {"seconds": 7.5 * number})
    run.write_status(runs.Status(state="finished", epoch=2, epochs=2))
    app = open_page("runs", chosen=run.id, **{"runs-show": "Curves", "runs-by": "seconds"})
    encoding = json.loads(app.get("vega_lite_chart")[0].proto.spec)["layer"][0]["encoding"]
    assert (encoding["x"]["field"], encoding["x"]["scale"]["domain"]) == ("seconds", [0, 15])


def test_the_panel_of_tensorboard_is_offered(open_page):
    app = open_page("runs", chosen=made().id, **{"runs-show": "TensorBoard"})
    assert not app.exception
    assert not app.error
    assert app.segmented_control(key="runs-show").value == "TensorBoard"


def test_more_runs_than_can_be_told_apart(open_page):
    chosen = [made(f"run {number}").id for number in range(10)]
    app = open_page("runs", chosen=",".join(chosen))
    assert any("Only the first 8 of the 10" in text for text in texts(app))


def test_delete_undo_and_the_bin(open_page):
    run, other = made("mine"), made("other")
    keep_weights(run, 2)
    app = open_page("runs", chosen=run.id)
    app.button(key="runs-delete").click().run()
    assert not app.exception
    assert list(table(app)["Name"]) == ["other"]
    assert "chosen" not in app.query_params
    assert [one.id for one in runs_bin.binned()] == [run.id]
    app.button(key="runs-undo").click().run()
    assert set(table(app)["Name"]) == {"mine", "other"}
    assert app.query_params["chosen"] == run.id
    app = open_page("runs", chosen=f"{run.id},{other.id}")
    app.button(key="runs-delete").click().run()
    assert any("2 runs are in the bin" in text for text in texts(app))
    app.segmented_control(key="runs-view").set_value("Bin").run()
    assert set(table(app)["Name"]) == {"mine", "other"}
    assert app.button(key="runs-restore").disabled
    app.button(key="runs-empty-yes").click().run()
    assert runs_bin.binned() == []
    assert any("2 runs are deleted for good" in text for text in texts(app))
    assert any("The bin is empty" in element.value for element in app.info)


def test_a_running_run_is_stopped_and_thrown_away_and_a_waiting_one_leaves_the_queue(open_page):
    running, waiting = made("running", status={"state": "running"}), made("waiting", status={"state": "stopped"})
    requests.add(waiting)
    begun = threading.Event()

    def compute():
        """Stand still when asked to, as a worker does."""
        with running.lock():
            begun.set()
            while not running.stop_requested:
                time.sleep(0.01)
            running.write_status(running.status.model_copy(update={"state": "stopped"}))

    worker = threading.Thread(target=compute, daemon=True)
    worker.start()
    begun.wait(30)
    app = open_page("runs", chosen=f"{running.id},{waiting.id}")
    app.button(key="runs-delete").click().run()
    worker.join(30)
    assert not app.error
    assert {run.id for run in runs_bin.binned()} == {running.id, waiting.id}
    assert requests.pending() == []
    app.button(key="runs-undo").click().run()
    assert running.status.state == "stopped"


def test_what_cannot_be_deleted_is_called_by_its_name(open_page):
    run = made("Ann's *run*")
    app = open_page("runs", chosen=run.id)
    with run.lock():
        app.button(key="runs-delete").click().run()
    (error,) = app.error
    assert r"“Ann\'s \*run\*” is being computed" in error.value
    assert run.id not in error.value.replace("\\", "")
    assert app.query_params["chosen"] == run.id


def test_runs_that_a_link_has_chosen_stand_first(open_page):
    old = [made(f"old {number}").id for number in range(8)]
    for number in range(12):
        new = made(f"new {number}")
        new.path.rename(new.path.with_name(f"20991231-0000{number:02}-abcdef"))
    app = open_page("runs", chosen=",".join(old))
    assert app.session_state[runs_table.KEY]["selection"]["rows"] == list(range(8))
    assert {name[:3] for name in table(app)["Name"][:8]} == {"old"}
    assert table(app)["Name"][8] == "new 11"
    assert any("20 runs, 8 chosen" in text for text in texts(app))


def test_a_run_is_renamed_noted_and_tagged(open_page):
    run = made()
    app = open_page("runs", chosen=run.id)
    key = f"runs-edit-{run.id}"
    app.text_input(key=f"{key}-name").set_value(NASTY)
    app.text_area(key=f"{key}-note").set_value("=1+1\n\u202egnp.exe")
    app.multiselect(key=f"{key}-tags").set_value(["<b>", "![x](y)"])
    app.button(key=f"{key}-save").click().run()
    assert not app.exception
    assert (run.name, run.description["note"]) == (NASTY, "=1+1\n\u202egnp.exe")
    assert run.description["tags"] == ["<b>", "![x](y)"]
    assert list(table(app)["Name"]) == [NASTY]
    shown = " ".join(texts(app))
    assert r"\<img src\=x onerror\=alert\(1\)\>" in shown
    assert "<img" not in shown.replace(r"\<img", "")
    assert "[l](" not in shown
    assert "\u202e" not in shown
    assert "![x](" not in shown
    assert "gnp\\.exe" in shown


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "x" * 300, "has 300"),
        ("name", "  ", "has 0"),
        ("note", "x" * 2001, "has 2,001"),
        ("tags", ["x" * 31], "has 31"),
        ("tags", [str(number) for number in range(11)], "these are 11"),
    ],
)
def test_what_is_too_long_is_refused_and_nothing_is_cut(open_page, field, value, words):
    run = made()
    before = json.loads((run.path / "config.json").read_text())
    app = open_page("runs", chosen=run.id)
    key = f"runs-edit-{run.id}"
    widget = {"name": app.text_input, "note": app.text_area, "tags": app.multiselect}[field](key=f"{key}-{field}")
    widget.set_value(value)
    app.button(key=f"{key}-save").click().run()
    assert not app.exception
    assert any(words in error.value for error in app.error)
    assert json.loads((run.path / "config.json").read_text()) == before
    widget = {"name": app.text_input, "note": app.text_area, "tags": app.multiselect}[field](key=f"{key}-{field}")
    assert widget.value == value, "what was typed must stay, to be shortened"


def test_a_damaged_run_is_listed_and_can_be_thrown_away(open_page):
    run, other = made("broken"), made("whole")
    (run.path / "status.json").write_text("{")
    app = open_page("runs", chosen=run.id)
    assert not app.exception
    assert set(table(app)["State"]) == {"✕ Damaged", "✓ Finished"}
    assert any("damaged" in error.value for error in app.error)
    app.button(key="runs-delete").click().run()
    assert list(table(app)["Name"]) == ["whole"]
    assert runs.list_runs() == [other]


def test_the_ways_from_a_run_to_the_other_pages(open_page, run):
    app = open_page("runs", chosen=run.id)
    app.button(key="runs-to-evaluate").click().run()
    assert not app.exception
    assert app.title[0].value == "Evaluate"
    assert app.selectbox(key="checkpoint").value == run.id
    app = open_page("runs", chosen=run.id)
    app.button(key="runs-watch").click().run()
    assert app.title[0].value == "Train"
    assert app.query_params["run"] == run.id


def test_its_settings_fill_the_form(open_page):
    run = made(learning_rate=0.125, optimizer="rmsprop", model="lenet")
    app = open_page("runs", chosen=run.id)
    app.button(key="runs-use").click().run()
    assert not app.exception
    assert app.title[0].value == "Train"
    assert app.selectbox(key="train-model").value == "lenet"
    assert app.selectbox(key="train-optimizer").value == "rmsprop"
    assert app.number_input(key="train-learning_rate").value == 0.125


def test_a_run_of_a_data_set_that_is_not_here(open_page):
    run = made()
    document = json.loads((run.path / "config.json").read_text())
    document["config"] |= {"dataset": "gone", "model": "![x](http://x)", "options": {"a": [1]}}
    (run.path / "config.json").write_text(json.dumps(document))
    for section in ("Details", "Curves", "Size and accuracy"):
        app = open_page("runs", chosen=run.id, **{"runs-show": section})
        assert not app.exception
        assert not app.error
        assert "![x](" not in " ".join(texts(app))
    app.button(key="runs-use").click().run()
    assert app.title[0].value == "Runs"
    assert any("gone" in error.value for error in app.error)


@pytest.fixture
def forked(monkeypatch):
    """Take note of what would be computed."""
    found = []
    monkeypatch.setattr(supervisor, "submit", found.append)
    return found


def open_fork(open_page, run):
    return open_page("runs", chosen=run.id, **{"runs-show": "Fork"})


def test_a_fork_goes_on_from_an_epoch_with_other_settings(open_page, forked):
    run = made(learning_rate=0.25)
    keep_weights(run, 1, 2, 3)
    run.append_event({"kind": "learning_rate", "epoch": 2, "value": 0.125})
    app = open_fork(open_page, run)
    assert not app.exception
    key = f"runs-fork-{run.id}"
    epoch = app.selectbox(key=f"{key}-epoch")
    assert (epoch.options, epoch.value) == (["1", "2 (the best)", "3"], 2)
    assert app.number_input(key=f"{key}-2-learning_rate").value == 0.125
    assert any("starts fresh: its state after epoch 2 was not kept" in text for text in texts(app))
    app.number_input(key=f"{key}-2-epochs").set_value(5).run()
    app.button(key=f"{key}-start").click().run()
    assert not app.exception
    (made_one,) = forked
    assert made_one.description["parent"] == {"run": run.id, "epoch": 2}
    assert (made_one.config["epochs"], made_one.config["learning_rate"]) == (5, 0.125)
    assert app.title[0].value == "Train"
    assert app.query_params["run"] == made_one.id
    app = open_page("runs", chosen=made_one.id)
    assert any("goes on from epoch 2 of “mine”" in text for text in texts(app))


def test_whether_the_optimizer_goes_on_is_said(open_page, forked, monkeypatch):
    monkeypatch.setattr(forking, "optimizer_kept", lambda run, epoch: True)
    run = made()
    keep_weights(run, 3)
    app = open_fork(open_page, run)
    key = f"runs-fork-{run.id}"
    assert app.number_input(key=f"{key}-3-epochs").value == 6
    assert any("goes on with its state after epoch 3" in text for text in texts(app))
    app.selectbox(key=f"{key}-3-optimizer").select("sgd").run()
    assert any("starts fresh, as it is another one" in text for text in texts(app))


def test_a_fork_that_cannot_be_is_refused(open_page, forked):
    run = made()
    keep_weights(run, 3)
    app = open_fork(open_page, run)
    key = f"runs-fork-{run.id}"
    app.number_input(key=f"{key}-3-epochs").set_value(2).run()
    app.button(key=f"{key}-start").click().run()
    assert not app.exception
    assert any("must be more than 3" in error.value for error in app.error)
    assert forked == []


def test_what_cannot_be_exported_is_said_before_the_button(open_page):
    active, empty = made(status={"state": "queued"}), made("none", ())
    for run, words in ((active, "not over yet"), (empty, "no complete epoch")):
        app = open_page("runs", chosen=run.id, **{"runs-show": "Export"})
        assert not app.exception
        assert any(words in error.value for error in app.error)
        assert not [button for button in app.get("download_button") if button.proto.label == "Archive"]


def test_an_exported_run_comes_back_by_import(open_page, finished):
    finished.describe(name="=1+1", tags=["kept"])
    app = open_page("runs", chosen=finished.id, **{"runs-show": "Export"})
    assert not app.exception
    labels = [button.proto.label for button in app.get("download_button")]
    assert {"Archive", "Script"} <= set(labels)
    assert "import torch" in app.code[0].value
    content = export_run(finished)
    app.session_state["runs-import"] = True
    app.run()
    app.file_uploader[0].upload("run.zip", content, "application/zip").run()
    assert not app.exception
    (imported,) = set(runs.list_runs()) - {finished}
    assert app.query_params["chosen"] == imported.id
    assert (imported.name, imported.description["tags"]) == ("=1+1", ["kept"])
    assert sorted(table(app)["Name"]) == ["=1+1", "=1+1"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_run_is_refused(open_page, content):
    made()
    app = open_page("runs")
    app.session_state["runs-import"] = True
    app.run()
    app.file_uploader[0].upload("x.zip", content, "application/zip").run()
    assert not app.exception
    assert app.error
    assert len(runs.list_runs()) == 1
