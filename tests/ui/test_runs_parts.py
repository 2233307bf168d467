import csv
import io
import json

import pytest

from explorer.store import runs, summaries
from explorer.store.runs import Status
from explorer.training.config import TrainConfig
from explorer.ui.charts import learning_curves
from explorer.ui.charts.learning_curves import LearningCurve, Point
from explorer.ui.kit import run_text
from explorer.ui.kit.figure import csv_text
from explorer.ui.kit.text import plain
from explorer.ui.runs import compare, table
from explorer.ui.runs.table import RunFilters


def made(name="mine", note="", tags=(), status=None, **config):
    run = runs.create(TrainConfig(**config).model_dump(mode="json"), name)
    run.describe(note=note, tags=list(tags))
    run.write_status(Status.model_validate(status or {"state": "finished", "epochs": 10}))
    return summaries.summarise(run)


def epoch(number, accuracy, loss=0.5):
    figures = {"train_loss": loss, "train_accuracy": accuracy + 0.01, "validation_loss": loss + 0.1}
    return {"kind": "epoch", "epoch": number, "validation_accuracy": accuracy, "test_accuracy": 0.4321} | figures


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (RunFilters(), True),
        (RunFilters(find="FIRST note"), True),
        (RunFilters(find="first absent"), False),
        (RunFilters(find="sweep"), True),
        (RunFilters(state="finished"), True),
        (RunFilters(state="failed"), False),
        (RunFilters(dataset="mnist"), False),
        (RunFilters(model="mlp", tag="sweep", dataset="fashion-mnist"), True),
        (RunFilters(tag="swee"), False),
    ],
)
def test_filters(filters, passes):
    run = made("My first run", note="a note", tags=["sweep"])
    assert filters.matches(run) is passes
    assert RunFilters(find=run.id[-6:]).matches(run)


def test_text_of_a_user_stays_on_its_line_and_in_its_direction():
    assert plain("a\u202eb\u2066c\nd\u2028e\x00f\u200f") == "abc d e f"
    assert plain("שלום, 👩\u200d💻") == "שלום, 👩\u200d💻"
    run = made("\u202e" * 5 + "x", note="**one**\n<b>two</b>")
    assert run_text.title(run) == "x"
    assert run_text.note(run) == r"\*\*one\*\*  " + "\n" + r"\<b\>two\</b\>"
    nameless = made("\u202e")
    assert run_text.title(nameless) == nameless.id


def test_settings_that_are_not_the_usual_ones():
    run = made(model="lenet", options={"kernel": 3}, learning_rate=0.25, flip=True)
    assert run_text.changed_settings(run.config) == {"learning_rate": 0.25, "flip": True, "model.kernel": 3}
    assert run_text.changed_settings(made(model="lenet").config) == {}
    assert run_text.setting_label("model.kernel") == "Model: kernel"
    foreign = {"dataset": "gone", "model": "x", "epochs": 3, "options": {"a": 1}}
    assert run_text.changed_settings(foreign) == {"epochs": 3, "model.a": 1}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("flip", True, "yes"),
        ("patience", None, "none"),
        ("batch_size", 54000, "54,000"),
        ("learning_rate", 0.001, "0.001"),
        ("model.hidden", [100, 50], "100, 50"),
        ("model.hidden", [], "none"),
        ("optimizer", "adamw", "AdamW"),
        ("dataset", "fashion-mnist", "Fashion-MNIST"),
        ("model", "mlp", "mlp"),
    ],
)
def test_a_setting_in_words(name, value, text):
    assert run_text.setting_value(name, value) == text


def test_only_settings_that_differ():
    found = [made("a", seed=1), made("b", seed=2, options={"hidden": [50]}), made("c", seed=1)]
    assert run_text.differing(found) == {"model.hidden": ["100", "50", "100"], "seed": ["1", "2", "1"]}
    assert run_text.differing([found[0], found[0]]) == {}
    lenet = run_text.differing([found[0], made("d", model="lenet", seed=1)])
    assert lenet["model"] == ["mlp", "lenet"]
    assert lenet["model.hidden"] == ["100", "–"]


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        (
            [{"optimizer": "sgd", "learning_rate": 0.1}, {"optimizer": "adam"}],
            ["SGD, learning rate 0.1", "Adam, learning rate 0.001"],
        ),
        ([{"flip": True}, {}], ["flip", "no flip"]),
        ([{"seed": 3}, {"seed": 4}], ["seed 3", "seed 4"]),
        ([{"seed": 3, "ema": 0.5}, {"seed": 4}], ["EMA 0.5", "EMA 0"]),
        ([{"dataset": "mnist"}, {"model": "cnn"}], ["MNIST, mlp", "Fashion-MNIST, cnn"]),
        ([{"options": {"hidden": []}}, {"model": "lenet"}], ["mlp, hidden none", "lenet"]),
    ],
)
def test_runs_without_names_of_their_own_are_named_by_what_differs(settings, labels):
    found = run_text.labels([made("", **one) for one in settings])
    assert [label[: len(start)] for label, start in zip(found, labels, strict=True)] == labels
    assert len(set(found)) == len(found)


def test_labels_are_short_and_differ_however_much_and_little_the_settings_do():
    many = {"optimizer": "nesterov", "learning_rate": 0.5, "batch_size": 8, "epochs": 3, "erase": 0.5, "shift": 2}
    options = {"hidden": [300, 200, 100], "activation": "leaky-relu", "dropout": 0.25}
    found = [
        made(""),
        made(""),
        made("", **many),
        made("", **many, options=options),
        made("", **many, weight_decay=0.5),
    ]
    labels = run_text.labels([*found, made("x" * 120), made("x" * 120)])
    assert len(set(labels)) == 7
    assert max(map(len, labels)) < 100
    assert "weight decay 0.5" in labels[4]


@pytest.mark.parametrize(
    ("seconds", "rounded"),
    [(0.44, 0.44), (7.64, 7.6), (99.4, 99), (104.2, 104), (754.3, 754), (3725, 3720), (40_000, 40_000)],
)
def test_times_keep_two_digits(seconds, rounded):
    (row,) = table.rows([made(status={"state": "finished", "seconds": seconds})])
    assert row["Seconds"] == rounded


def test_rows_of_a_thousand_runs_are_made_once(monkeypatch):
    run = made()
    before = table.rows([run])
    monkeypatch.setattr(run_text, "parameters", None)
    assert table.rows([summaries.summarise(run.run)]) == before


def test_the_table_as_a_file_is_safe_for_a_spreadsheet():
    run = made("=1+1", note="@x\nsecond", tags=["a", "b"], seed=1)
    lines = csv_text(*table.as_table([run]))
    assert "\n" + f'{run.id},\'=1+1,finished,,,0,10,fashion-mnist,mlp,79510,0.0,"a, b","\'@x\nsecond",adam,' in lines
    (row,) = csv.DictReader(io.StringIO(lines))
    given = {"optimizer": "adam", "learning_rate": "0.001", "batch_size": "64", "seed": "1", "model.dropout": "0.0"}
    assert given | {"model.hidden": "[100]", "seconds": "0.0"} == {
        name: row[name] for name in (*given, "model.hidden", "seconds")
    }


def test_parameters_of_models_that_cannot_be_built_are_not_known():
    run = made()
    assert run_text.parameters(run) == 784 * 100 + 100 + 100 * 10 + 10
    for change in ({"model": "gone"}, {"dataset": "gone"}, {"options": {"hidden": [10**9]}}, {"options": [1]}):
        document = json.loads((run.run.path / "config.json").read_text())
        document["config"] |= change
        other = runs.create(TrainConfig().model_dump(mode="json"))
        (other.path / "config.json").write_text(json.dumps(document))
        assert run_text.parameters(summaries.summarise(other)) is None


def curves():
    first = LearningCurve("1 · =1+1", [epoch(1, 0.5, 2.0), epoch(2, 0.7, 1.0)])
    return [first, LearningCurve("2 · <b>", [epoch(1, 0.6), epoch(2, 0.65)])]


@pytest.mark.parametrize("quantity", ["accuracy", "loss"])
def test_curves_hold_the_numbers_of_the_history(quantity, exported):
    spec = learning_curves.overlaid_curves(curves(), quantity, 5)
    exported(spec)
    rows = spec["datasets"]["epochs"]
    assert len(rows) == 2 * 2 * 2
    assert {
        "run": "1 · =1+1",
        "images": "validation",
        "epoch": 2,
        "seconds": None,
        "accuracy": 0.7,
        "loss": 1.1,
    } in rows
    assert {"run": "1 · =1+1", "images": "training", "epoch": 2, "seconds": None, "accuracy": 0.71, "loss": 1.0} in rows
    assert "0.4321" not in json.dumps(spec)
    lines = spec["layer"][0]["encoding"]
    assert lines["x"]["scale"]["domain"] == [0, 5]
    assert lines["y"]["field"] == quantity
    assert len(set(lines["color"]["scale"]["range"])) == 2
    assert lines["strokeDash"]["scale"] == {"domain": ["training", "validation"], "range": [[4, 3], [1, 0]]}
    shapes = spec["layer"][1]["encoding"]["shape"]["scale"]["range"]
    assert len(set(shapes)) == 2


def test_while_a_run_goes_on_only_the_data_of_the_chart_change():
    before, after = curves(), curves()
    after[0] = LearningCurve(after[0].label, [*after[0].epochs, epoch(3, 0.9)])
    one, two = (learning_curves.overlaid_curves(found, "loss", 5) for found in (before, after))
    assert one.pop("datasets") != two.pop("datasets")
    assert one == two


def test_up_to_eight_runs_have_colours_and_signs_of_their_own():
    many = [LearningCurve(str(number), [epoch(1, 0.5)]) for number in range(learning_curves.MAX_RUNS)]
    points = learning_curves.overlaid_curves(many, "accuracy", 1)["layer"][1]["encoding"]
    assert len(set(points["color"]["scale"]["range"])) == learning_curves.MAX_RUNS
    assert len(set(points["shape"]["scale"]["range"])) == learning_curves.MAX_RUNS


def test_the_curves_as_a_table_are_safe_for_a_spreadsheet():
    header, rows = learning_curves.curves_table([LearningCurve("=1+1", [epoch(1, 0.5)])])
    assert header == [
        "run",
        "epoch",
        "seconds",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    ]
    assert csv_text(header, rows).splitlines()[1] == "'=1+1,1,,0.5,0.51,0.6,0.5"


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([(2.305, 2.303)], "the loss is not higher on the validation images than in training, **0**: 2.303"),
        ([(0.5, 0.5001)], "the loss is not higher"),
        ([(2.305, 2.303), (0.9, 0.4)], "no loss is higher on the validation images than in training; closest"),
        ([(0.3, 0.5)], "The gap at the end is that of **0**: 0.500 on the validation images, 0.300 on those"),
        ([(0.3, 0.5), (0.1, 0.9), (None, 3.0)], "The widest gap at the end is that of **1**: 0.900"),
        ([(None, 3.0)], "It is the cross entropy"),
    ],
)
def test_a_gap_is_named_only_where_there_is_one(ends, said):
    lines = [epoch(1, 0.5) | {"train_loss": train, "validation_loss": validation} for train, validation in ends]
    found = [LearningCurve(str(number), [line]) for number, line in enumerate(lines)]
    assert said in compare._read_loss(found)
    rows = learning_curves.overlaid_curves(found, "loss", 1)["datasets"]["epochs"]
    assert all(row["loss"] is not None for row in rows)


def test_size_and_accuracy(exported):
    points = [Point("a", "one", "", "MNIST", "mlp", 100, 0.5), Point("b", "two", "SGD", "MNIST", "mlp", 10_000, 0.9)]
    spec = learning_curves.size_and_accuracy(points, {"b": "1 · two"})
    exported(spec)
    assert [row["name"] for row in spec["datasets"]["others"]] == ["one"]
    assert [(row["label"], row["parameters"], row["accuracy"]) for row in spec["datasets"]["chosen"]] == [
        ("1 · two", 10_000, 0.9)
    ]
    x = spec["layer"][0]["encoding"]["x"]["scale"]
    assert x["type"] == "log"
    assert x["domain"][0] < 100
    assert x["domain"][1] > 10_000
    header, rows = learning_curves.size_table(points)
    assert rows[1] == ["b", "two", "SGD", "MNIST", "mlp", 10_000, 0.9]
    assert len(header) == len(rows[0])


def test_charts_are_valid_vega_lite():
    import altair

    points = [Point("a", "one", "", "MNIST", "mlp", 100, 0.5)]
    for spec in (
        learning_curves.overlaid_curves(curves(), "accuracy", 2),
        learning_curves.size_and_accuracy(points, {}),
        learning_curves.size_and_accuracy(points, {"a": "1 · one"}),
    ):
        altair.Chart.from_dict(spec, validate=True)
