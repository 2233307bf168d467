"""The charts of the page Inside, and its small tables and pictures: what they hold."""

import re

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.inside.ablation import Ablation
from explorer.analysis.inside.steps import LayerCall
from explorer.analysis.inside.weights_over_epochs import Movement, WeightHistogram
from explorer.data.catalog import get
from explorer.ui.charts import ablation, embedding, weights
from explorer.ui.charts.specs import CLICKED
from explorer.ui.inside import pictures
from explorer.ui.kit import theme

CLASSES = get("fashion-mnist").classes
STEP = LayerCall(1, "1", 0, "ReLU", "ReLU", "activation", "after", (4, 24, 24), (4, 24, 24), 0)
RANDOM = np.random.default_rng(5)


def predictions(seed):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(9), 20)  # no image of the last class
    logits = random.normal(size=(180, 10)).astype(np.float32)
    logits[np.arange(180), labels] += 2
    return Predictions(logits, labels, np.arange(180), CLASSES, "x", "fashion-mnist", "test")


@pytest.fixture(scope="module")
def found():
    return Ablation(STEP, (2,), predictions(1), predictions(2))


@pytest.fixture(scope="module")
def drawn(found):
    points, rows = RANDOM.normal(size=(180, 2)), np.arange(180) * 3
    parts = (points, rows, found.before.labels, found.before.predicted, CLASSES)
    counted = WeightHistogram("0.weight", np.linspace(-1, 1, 5), np.array([3, 0, 5, 2]), 0.1, 0.4, 0.1)
    moved = Movement("0.weight", (1, 4, 9), np.sort(RANDOM.normal(size=(3, 7))), np.ones(3))
    urls = ["data:,"] * 180
    return {
        "recall": ablation.recall_before_and_after(found, "Recall without map 2"),
        "pairs": ablation.broken_pairs(found.broken(8), CLASSES),
        "importance": ablation.importance([0.8, 0.9, 0.7], 0.9, "Accuracy lost", [2]),
        "points": embedding.embedding_map(*parts, urls, ("a", "b"), "Map"),
        "thumbnails": embedding.embedding_map(*parts, urls, ("a", "b"), "Map", urls),
        "histogram": weights.weight_histogram(counted, "Weights", "weight"),
        "movement": weights.movement_bands(moved, 4, "Weights", "weight"),
    }


def test_the_schema_accepts_every_chart_and_its_words_are_read_in_its_pictures(drawn, exported):
    for name, spec in drawn.items():
        with schemapi.debug_mode(True):
            chart = alt.Chart.from_dict(spec, validate=True)
        assert chart.to_dict(validate=False)["title"], name
        exported(spec)


def test_the_recall_of_present_classes_is_drawn_before_and_after(found, drawn):
    rows = {row["class"]: row for row in drawn["recall"]["datasets"]["classes"]}
    assert set(rows) == set(CLASSES[:9])
    for number, name in enumerate(CLASSES[:9]):
        inside = found.before.labels == number
        assert rows[name]["before"] == pytest.approx((found.before.predicted[inside] == number).mean())
        assert rows[name]["after"] == pytest.approx((found.after.predicted[inside] == number).mean())
    assert len(drawn["recall"]["datasets"]["points"]) == 18
    _, table = ablation.recall_table(found)
    assert len(table) == 10


def test_the_broken_pairs_begin_with_the_worst(found, drawn):
    rows = drawn["pairs"]["datasets"]["pairs"]
    assert [row["more"] for row in rows] == sorted((row["more"] for row in rows), reverse=True)
    pair = found.broken(1)[0]
    taken = (found.after.labels == pair.true) & (found.after.predicted == pair.predicted)
    assert rows[0]["after"] == taken.sum()
    assert rows[0]["pair"] == f"{CLASSES[pair.true]} taken for {CLASSES[pair.predicted]}"


def test_the_unit_that_matters_most_comes_first(drawn):
    rows = drawn["importance"]["datasets"]["units"]
    assert [row["unit"] for row in rows] == ["2", "0", "1"]
    assert [row["loss"] for row in rows] == pytest.approx([0.2, 0.1, 0])
    assert [row["chosen"] for row in rows] == [True, False, False]


def test_points_can_be_clicked_and_tell_right_from_wrong(found, drawn):
    for name in ("points", "thumbnails"):
        spec = drawn[name]
        (click,) = [one for one in spec["params"] if one["name"] == CLICKED]
        assert click["select"]["fields"] == [embedding.FIELD]
        assert click["views"] == ["images"]
        rows = spec["datasets"]["points"]
        assert [row["row"] for row in rows] == (np.arange(180) * 3).tolist()
        assert sum(row["wrong"] for row in rows) == (~found.before.correct).sum()
    marks, frame = drawn["points"]["layer"]
    assert len(set(marks["encoding"]["shape"]["scale"]["range"])) == 10, "told apart without colour"
    assert frame["transform"] == [{"filter": "datum.wrong"}], "above the marks, which would hide it"
    assert theme.contrast(frame["encoding"]["stroke"]["value"], theme.colour("backgroundColor")) > 10


def test_bins_and_bands_hold_the_values(drawn):
    bins = drawn["histogram"]["datasets"]["bins"]
    assert [row["count"] for row in bins] == [3, 5, 2]
    bands = drawn["movement"]["datasets"]
    assert [row["epoch"] for row in bands["epochs"]] == [1, 4, 9]
    assert all(row[f"q{at}"] <= row[f"q{at + 1}"] for row in bands["epochs"] for at in range(6))
    assert bands["chosen"] == [{"epoch": 4}]


def test_zero_is_the_middle_of_the_colours():
    painted = pictures.painted(np.array([-2.0, 0.0, 2.0, np.nan]), 2.0)
    assert len({tuple(colour) for colour in painted.tolist()}) == 4
    np.testing.assert_array_equal(pictures.painted(np.zeros(3), 0.0), painted[[1, 1, 1]])
    strip = pictures.strip(np.arange(70.0))
    assert strip.shape == (2, 64)
    assert np.isnan(strip[1, 6:]).all()


def test_a_frame_surrounds_the_field_and_leaves_the_rest():
    image = RANDOM.integers(0, 256, (28, 28), dtype=np.uint8)
    large = pictures.framed(image, (4, 6, 8, 10), 3)
    assert large.shape == (84, 84, 3)
    changed = (large != pictures.framed(image, None, 3)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 26, 18, 32)
    assert not changed[15:24, 21:30].any()


def test_numbers_have_true_minus_signs_and_padding_is_grey():
    assert [pictures.text(value) for value in (-1.234, -0.001, 0.0, 2.5)] == ["−1.23", "0.00", "0.00", "2.50"]
    padded = np.array([[True, False], [False, False]])
    table = pictures.table(np.array([[0.0, 1.0], [-1.0, 0.5]]), "<b>Patch</b>", padded)
    assert "<b>" not in table
    cells = re.findall(r"background:(#\w+)[^>]*>([^<]*)<", table)
    assert [text for _, text in cells] == ["0.00", "1.00", "−1.00", "0.50"]
    assert len({fill for fill, _ in cells}) == 4
    large = pictures.table(np.zeros((9, 9)), "Kernel")
    assert "<img" in large
