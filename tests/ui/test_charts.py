"""What the charts hold, and that Vega-Lite's own schema accepts them."""

import re

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.catalog import get
from explorer.training.tracking.reading import HistogramSeries
from explorer.ui import charts
from explorer.ui.charts.weights import histogram_map
from explorer.ui.kit import theme

CLASSES = get("fashion-mnist").classes


@pytest.fixture(scope="module")
def predictions():
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 3000)
    logits = random.normal(size=(3000, 10)).astype(np.float32)
    logits[np.arange(3000), labels] += 2
    return Predictions(logits, labels, np.arange(3000), CLASSES, "x", "fashion-mnist", "test")


@pytest.fixture(scope="module")
def every_chart(predictions):
    matrix = ConfusionMatrix.from_predictions(predictions)
    drawn = {view: charts.confusion_matrix(matrix, view, 3) for view in charts.MATRIX_VIEWS}
    drawn["bars"] = charts.probability_bars(CLASSES, predictions.probabilities[0].tolist(), 1, 2)
    drawn["map"] = charts.attribution_map(np.random.default_rng(1).normal(size=(28, 28)), "Map", "unit")
    return drawn


def test_the_schema_accepts_every_chart(every_chart):
    for name, spec in every_chart.items():
        with schemapi.debug_mode(True):
            chart = alt.Chart.from_dict(spec, validate=True)
        assert chart.to_dict(validate=False)["title"], name


AXES = {
    "Counts": ("predicted class", "true class"),
    "bars": ("probability", None),
    "map": ("column", "row"),
}


@pytest.mark.parametrize("name", AXES)
def test_every_chart_has_a_title_and_named_axes(every_chart, name):
    spec = every_chart[name]
    encoding = spec.get("layer", [spec])[0]["encoding"]
    named = tuple(encoding[axis].get("title") or encoding[axis].get("axis", {}).get("title") for axis in "xy")
    assert spec["title"]
    assert named == AXES[name]


def test_every_cell_holds_its_number(predictions, every_chart):
    matrix = ConfusionMatrix.from_predictions(predictions)
    cells = {(cell["true"], cell["predicted"]): cell["label"] for cell in every_chart["Counts"]["datasets"]["cells"]}
    assert len(cells) == 100
    assert cells["Dress", "Coat"] == f"{matrix.counts[3, 4]:,}"
    shares = {(c["true"], c["predicted"]): c["label"] for c in every_chart["By row"]["datasets"]["cells"]}
    assert shares["Bag", "Bag"] == f"{100 * matrix.counts[8, 8] / matrix.counts[8].sum():.1f}"
    shares = {(c["true"], c["predicted"]): c["label"] for c in every_chart["By column"]["datasets"]["cells"]}
    assert shares["Bag", "Dress"] == f"{100 * matrix.counts[8, 3] / matrix.counts[:, 3].sum():.1f}"


def test_an_absent_class_has_a_dash_and_no_raw_nan():
    matrix = ConfusionMatrix(np.array([[3, 0], [0, 0]]), ("a", "b"))
    spec = charts.confusion_matrix(matrix, "By row")
    assert [cell["label"] for cell in spec["datasets"]["cells"]] == ["100.0", "0.0", "–", "–"]


def test_a_class_has_one_colour_in_every_chart(every_chart):
    colours = list(theme.class_colours(10))
    assert every_chart["bars"]["layer"][0]["encoding"]["color"]["scale"]["range"] == colours


def test_the_middle_of_a_map_is_zero():
    for values in (np.array([[0.0, 3.0]]), np.array([[-1.0, 0.25]]), np.zeros((2, 2))):
        low, high = charts.attribution_map(values, "t", "u")["encoding"]["color"]["scale"]["domain"]
        assert low == -high
        assert high >= np.abs(values).max()
        assert high > 0


def test_bars_mark_prediction_truth_and_target(every_chart, predictions):
    bars = {bar["class"]: bar["label"] for bar in every_chart["bars"]["datasets"]["bars"]}
    best = CLASSES[int(predictions.probabilities[0].argmax())]
    assert "predicted" in bars[best]
    assert "true" in bars["Trouser"]
    assert "target" in bars["Pullover"]


def test_tables_hold_full_precision(predictions):
    matrix = ConfusionMatrix.from_predictions(predictions)
    header, rows = charts.confusion_table(matrix, "Counts")
    assert header[1:] == [f"predicted {name}" for name in CLASSES]
    assert [row[1:] for row in rows] == matrix.counts.tolist()
    _, rows = charts.attribution_table(np.array([[1.5, -2.0]]))
    assert rows == [[0, 0, 1.5], [0, 1, -2.0]]
    _, rows = charts.probability_table(CLASSES, predictions.probabilities[0].tolist())
    assert sum(row[1] for row in rows) == pytest.approx(1)


def test_the_words_of_every_chart_are_read_in_its_pictures(every_chart, exported):
    for spec in every_chart.values():
        exported(spec)


@pytest.mark.parametrize("last", [1, 2, 3, 4])
def test_the_axis_of_epochs_names_each_of_a_few_once(exported, last):
    epochs = tuple(range(1, last + 1))
    series = HistogramSeries(epochs, np.array([-1.0, 0.0, 1.0]), np.full((last, 2), 0.5))
    drawn = exported(histogram_map(series, "Weights", "weight"))
    assert re.findall(r">(\d+)</text>", drawn)[:last] == [str(epoch) for epoch in epochs]
