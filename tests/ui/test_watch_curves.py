import json
import re

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.inside.filters import Filters
from explorer.store import runs
from explorer.ui import charts
from explorer.ui.charts import learning_curves, weights
from explorer.ui.kit import theme
from explorer.ui.kit.run_history import History
from explorer.ui.train.epoch import explain_curves, explain_objective, explain_rate


def step(number, rate=0.1, loss=1.5):
    return {"kind": "step", "epoch": 1, "step": number, "steps": 4, "loss": loss, "learning_rate": rate}


def epoch(number, accuracy=0.8):
    line = {"train_loss": 0.9, "train_accuracy": 0.7, "validation_loss": 0.6, "learning_rate": 0.1}
    return {"kind": "epoch", "epoch": number, "validation_accuracy": accuracy} | line


DRAW = {"loss": charts.loss_curve, "accuracy": charts.accuracy_curve, "rate": learning_curves.rate_curve}
MOMENTS = [[], [step(1)], [step(1), step(3, loss=0.4)], [step(1), epoch(1), step(2), epoch(2, 0.95)]]


@pytest.mark.parametrize("name", DRAW)
def test_only_the_data_change_while_a_run_goes_on(name):
    specs = [DRAW[name](lines, end) for lines in MOMENTS for end in (1, 4, 40)]
    shapes = {json.dumps({key: value for key, value in spec.items() if key != "datasets"}) for spec in specs}
    assert len(shapes) == 1


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("lines", MOMENTS)
def test_the_schema_accepts_them_and_they_have_named_axes(name, lines, exported):
    spec = DRAW[name](lines, 4)
    if lines is MOMENTS[-1]:
        exported(spec)
    with schemapi.debug_mode(True):
        alt.Chart.from_dict(spec, validate=True)
    encoding = spec["layer"][-1]["encoding"]
    assert encoding["x"]["title"] == "epoch"
    assert encoding["y"]["title"] == {"loss": "loss (nats)", "accuracy": "accuracy", "rate": "learning rate"}[name]
    assert spec["title"]["text"]


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("lines", MOMENTS)
def test_no_data_set_is_empty_and_the_axis_reaches_to_its_end(name, lines):
    data = DRAW[name](lines, 7)["datasets"]
    assert all(len(rows) for rows in data.values())
    assert [row["epoch"] for row in data["span"]] == [0, 7]


def seen(rows):
    return [row for row in rows if row["seen"]]


def test_the_marks_stand_where_they_should():
    data = charts.loss_curve([step(1), step(3, loss=0.4), epoch(1)], 4)["datasets"]
    assert [(row["epoch"], row["loss"]) for row in seen(data["steps"])] == [(0.25, 1.5), (0.75, 0.4)]
    assert [(row["epoch"], row["series"], row["loss"]) for row in seen(data["epochs"])] == [
        (1, "training", 0.9),
        (1, "validation", 0.6),
    ]
    assert seen(charts.loss_curve([], 4)["datasets"]["steps"]) == []
    assert seen(charts.accuracy_curve([step(1)], 4)["datasets"]["epochs"]) == []


def test_the_axis_of_the_accuracy_has_room_and_stays_between_0_and_1():
    held = [row["accuracy"] for row in charts.accuracy_curve([epoch(1, 0.8)], 4)["datasets"]["held"]]
    assert held[0] < 0.7 < 0.8 < held[1]
    perfect = [dict(epoch(1, 1.0), train_accuracy=0.0)]
    assert [row["accuracy"] for row in charts.accuracy_curve(perfect, 4)["datasets"]["held"]] == [0.0, 1.0]


def test_a_learning_rate_over_decades_has_a_logarithmic_axis():
    def scale(*rates):
        spec = learning_curves.rate_curve([step(number, rate) for number, rate in enumerate(rates, start=1)], 4)
        return spec["layer"][-1]["encoding"]["y"]["scale"].get("type", "linear"), seen(spec["datasets"]["rates"])

    assert scale(0.1, 0.05)[0] == "linear"
    assert scale(0.1, 0.01)[0] == "log"
    assert scale(0.0)[0] == "linear"
    kind, rows = scale(0.1, 0.001, 0.0)
    assert kind == "log"
    assert [row["rate"] for row in rows] == [0.1, 0.001]


def test_raw_histories_are_thinned_too():
    lines = [step(1)] * 5000 + [epoch(number) for number in range(1, 1000)]
    data = charts.loss_curve(lines, 1000)["datasets"]
    assert len(data["steps"]) + len(data["epochs"]) <= 400
    assert data["epochs"][-1]["epoch"] == 999


def test_a_chart_that_is_changed_changes_no_other():
    charts.loss_curve([], 4)["layer"].clear()
    assert charts.loss_curve([], 4)["layer"]


def test_curves_are_explained_with_their_own_numbers(tmp_path):
    history = History((), 4, step(1), epoch(3, 0.8), epoch(2, 0.85))
    text = explain_curves(None, history).text
    assert "After epoch 3 it is 0.900" in text
    assert "80.0% are named correctly, at best 85.0% after epoch 2" in text
    assert "single batches" in explain_curves(None, History((), 4)).text
    assert "Now it is 0.1." in explain_rate(history).text


def test_what_is_minimised_has_a_chart_and_words_of_its_own(home):
    run = runs.create({"model": "mlp", "dataset": "mnist", "epochs": 4, "loss": "mse"})
    line = epoch(1) | {"train_objective": 0.41, "validation_objective": 0.43}
    lines = (step(1) | {"objective": 0.7}, line)
    chart = charts.loss_curve(lines, 4, run.objective)
    data = {
        name: [row["loss"] for row in rows] for name, rows in chart["datasets"].items() if name in ("steps", "epochs")
    }
    assert data == {"steps": [0.7], "epochs": [0.41, 0.43]}
    assert chart["title"]["text"] == "Objective: squared error"
    assert [row["loss"] for row in charts.loss_curve(lines, 4)["datasets"]["epochs"]] == [0.9, 0.6]
    text = explain_objective(run, History(lines, 4, epoch=line)).text
    assert "minimises the squared error" in text
    assert "After epoch 1 it is 0.410 and 0.430" in text
    header, rows = charts.curve_table(lines)
    assert rows == [[1, 0.9, 0.7, 0.6, 0.8, 0.1, 0.41, 0.43]]
    assert header[-2:] == ["train_objective", "validation_objective"]
    unknown = History((), 4, step(1), epoch(1) | {"train_loss": None}, epoch(1))
    assert "it is 0.600 on the validation images" in explain_curves(None, unknown).text


def pictures(kind="weights", count=50, side=28, of_classes=False):
    images = np.random.default_rng(0).normal(size=(count, side, side)).astype(np.float32)
    names = tuple(f"<{number}>" for number in range(count))
    return Filters(images, names, kind, "0.weight", of_classes)


def test_filters_are_shown_at_whole_number_scale_up_to_a_limit():
    html = weights.filter_pictures(pictures())
    assert html.count("<img") == weights.SHOWN
    assert 'width="56"' in html
    assert "40 of 50 hidden units" in html
    assert 'width="55"' in weights.filter_pictures(pictures("kernels", 6, 5))
    assert "First layer: 6 kernels" in weights.filter_pictures(pictures("kernels", 6, 5))
    assert "First layer: 1 kernel<" in weights.filter_pictures(pictures("kernels", 1, 5))


def test_filters_have_one_scale_and_escaped_names():
    some = pictures(count=3, of_classes=True)
    html = weights.filter_pictures(some)
    assert f"−{some.largest:.2g}" in html
    assert f"+{some.largest:.2g}" in html
    assert theme.diverging()[0] in html
    assert html.count("&lt;2&gt;") == 3
    assert "<2>" not in html


def test_filters_can_be_taken_away():
    some = pictures(count=2, side=3)
    header, rows = weights.filter_table(some)
    assert header == ["filter", "row", "column", "weight"]
    assert rows[5] == ["<0>", 1, 2, float(some.images[0, 1, 2])]
    assert len(rows) == 18
    assert weights.filters_png(some).startswith(b"\x89PNG")


@pytest.mark.parametrize("name", DRAW)
def test_the_plot_stays_where_it_is_whatever_the_numbers(name):
    convert = pytest.importorskip("vl_convert")
    random = np.random.default_rng(1)
    places = set()
    for _ in range(40):
        values = (10 ** random.uniform(-3, 1.5, 6)).tolist()
        shares = (random.uniform(0, 1, 6) ** random.choice([0.1, 1, 3])).tolist()
        lines = [step(number % 4 + 1, value, value) for number, value in enumerate(values)]
        lines += [epoch(number, share) for number, share in enumerate(shares, start=1)]
        svg = convert.vegalite_to_svg(DRAW[name](lines, int(random.choice([6, 20, 40]))) | {"width": 250})
        places.add((re.search(r'height="([\d.]+)"', svg)[1], re.search(r"translate\(([\d.]+),([\d.]+)\)", svg)[0]))
    assert len(places) == 1
