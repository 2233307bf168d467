"""The charts of calibration, rejection, mistakes and response: what they hold, and that they can be clicked."""

import html
from statistics import NormalDist

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.evaluation.calibration import Reliability
from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.mistakes import KINDS, Slices
from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.rejection import CoverageCurve
from explorer.data.catalog import get
from explorer.ui.charts.calibration import FLOOR, coverage_chart, coverage_table, reliability_diagram, reliability_table
from explorer.ui.charts.mistakes import directions, pairs_chart, pairs_table, slice_name, slices_chart, slices_table
from explorer.ui.charts.probabilities import response_chart, response_table
from explorer.ui.charts.specs import CLICKED, clicked

CLASSES = get("fashion-mnist").classes
VARIED = ("two", "both", "ink", "pairs", "response")
RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.integers(0, 256, (600, 28, 28), dtype=np.uint8) * (RANDOM.random((600, 28, 28)) > 0.5).astype(np.uint8)


def made(n: int, strength: float = 2.0) -> Predictions:
    random = np.random.default_rng(3)
    labels = random.integers(0, 10, n)
    logits = random.normal(size=(n, 10)).astype(np.float32)
    logits[np.arange(n), labels] += strength
    return Predictions(logits, labels, np.arange(n), CLASSES, "x", "fashion-mnist", "test")


@pytest.fixture(scope="module")
def predictions():
    return made(600)


@pytest.fixture(scope="module")
def every_chart(predictions):
    found, matrix = Reliability.from_predictions(predictions), ConfusionMatrix.from_predictions(predictions)
    curve, other = CoverageCurve.from_predictions(predictions), CoverageCurve.from_predictions(made(600, 1.0))
    pairs = matrix.confused_pairs(4)
    drawn = {"reliability": reliability_diagram(found, 9), "two": reliability_diagram(found, None, found)}
    drawn |= {"coverage": coverage_chart({"A": curve}, 90), "both": coverage_chart({"A": curve, "B": other}, 80)}
    for kind in KINDS:
        drawn[kind] = slices_chart(Slices.from_predictions(predictions, kind, IMAGES), 0.3, 1)
    drawn["pairs"] = pairs_chart(pairs, CLASSES, (pairs[0].first, pairs[0].second))
    shares = predictions.probabilities[0].tolist()
    drawn["response"] = response_chart(CLASSES, {"A": shares, "B": shares}, 3)
    drawn["logits"] = response_chart(CLASSES, {"A": predictions.logits[0].tolist()}, 3, logits=True)
    return drawn


def test_the_schema_accepts_every_chart(every_chart):
    for name in VARIED:
        spec = every_chart[name]
        with schemapi.debug_mode(True):
            chart = alt.Chart.from_dict(spec, validate=True)
        assert chart.to_dict(validate=False)["title"], name


def test_the_words_of_every_chart_are_read_in_its_pictures(every_chart, exported):
    for spec in every_chart.values():
        exported(spec)


@pytest.mark.parametrize(
    ("name", "field"),
    [("reliability", "bin"), ("coverage", "percent"), ("class", "part"), ("pairs", "direction")],
)
def test_the_marks_can_be_clicked(every_chart, name, field):
    spec = every_chart[name]
    (parameter,) = spec["params"]
    assert parameter["name"] == CLICKED
    assert parameter["select"]["fields"] == [field]
    (layer,) = [one for one in spec["layer"] if one.get("name") == "targets"]
    assert parameter["views"] == ["targets"]
    assert all(field in row for row in spec["datasets"][(layer.get("data") or spec["data"])["name"]])


def test_what_a_browser_sends_is_read_with_care():
    assert clicked({"selection": {CLICKED: [{"bin": 3}]}}, "bin") == 3
    for state in (None, {}, {"selection": {CLICKED: {}}}, {"selection": {CLICKED: []}}, {"selection": None}, "x"):
        assert clicked(state, "bin") is None
    assert clicked({"selection": {CLICKED: [{"other": 3}]}}, "bin") is None


def test_the_bins_hold_accuracy_confidence_and_number(predictions, every_chart):
    rows = {row["bin"]: row for row in every_chart["reliability"]["datasets"]["bins"]}
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.probabilities.argmax(axis=1) == predictions.labels
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        assert (number in rows) == bool(inside.any())
        if number in rows:
            assert rows[number]["accuracy"] == pytest.approx(right[inside].mean())
            assert rows[number]["confidence"] == pytest.approx(confidence[inside].mean())
            assert rows[number]["images"] == f"{inside.sum():,}"
            assert rows[number]["kind"] == (
                "overconfident" if confidence[inside].mean() > right[inside].mean() else "underconfident"
            )
    assert [number for number, row in rows.items() if row["chosen"]] == [9]
    assert max(row["top"] for row in rows.values()) < 0
    assert min(row["top"] for row in rows.values()) > FLOOR
    assert len(reliability_table(Reliability.from_predictions(predictions))[1]) == 15


def test_the_curve_ends_at_the_accuracy_and_the_mark_stands_on_it(predictions, every_chart):
    data = every_chart["coverage"]["datasets"]
    assert data["curve"][-1]["coverage"] == 1
    assert data["curve"][-1]["accuracy"] == pytest.approx(predictions.accuracy, abs=1e-6)
    order = np.argsort(-predictions.confidence)
    assert data["points"] == [{"coverage": 0.9, "accuracy": pytest.approx(predictions.correct[order[:540]].mean())}]
    assert len(every_chart["both"]["datasets"]["points"]) == 2
    assert [row["percent"] for row in data["percents"]] == list(range(1, 101))
    curve = CoverageCurve.from_predictions(predictions)
    assert coverage_table({"A": curve})[1][-1][:2] == ["A", 1.0]


def test_the_slices_hold_rate_and_interval(predictions, every_chart):
    z = NormalDist().inv_cdf(0.975)
    rows = every_chart["class"]["datasets"]["parts"]
    for number, row in enumerate(rows):
        inside = predictions.labels == number
        wrong, n = int((~predictions.correct[inside]).sum()), int(inside.sum())
        assert (row["name"], row["of"], row["wrong"]) == (CLASSES[number], f"{n}", f"{wrong}")
        for end in (row["low"], row["high"]):
            assert abs(wrong / n - end) == pytest.approx(z * np.sqrt(end * (1 - end) / n))
        assert row["rate"] == pytest.approx(wrong / n)
    assert len(every_chart["ink"]["datasets"]["parts"]) == 5
    found = Slices.from_predictions(predictions, "ink", IMAGES)
    share = 100 * np.count_nonzero(IMAGES[found.rows(0)], axis=(1, 2)) / 784
    assert slice_name(found, 0) == f"{share.min():.0f} to {share.max():.0f}%"
    assert slices_table(found)[1][0][1] == len(found.rows(0))


def test_names_are_data_and_never_part_of_an_expression():
    pytest.importorskip("vl_convert")
    from explorer.ui.kit import figure

    names = ('a"][0]; b //', "c\\' + d", *"efghijkl")
    pairs = ConfusionMatrix(np.arange(100).reshape(10, 10), names).confused_pairs(45)
    drawn = figure.svg(response_chart(names, {"A": [0.1] * 10}, None)), figure.svg(pairs_chart(pairs, names))
    for svg in (html.unescape(one) for one in drawn):
        assert all(name in svg for name in names)


def test_both_directions_of_a_pair_stand_side_by_side(predictions, every_chart):
    matrix = ConfusionMatrix.from_predictions(predictions)
    both = directions(matrix.confused_pairs(4))
    assert len(both) == 8
    for there, back in zip(both[::2], both[1::2], strict=True):
        assert (there[0], there[1]) == (back[1], back[0])
        assert there[2] >= back[2]
        assert there[2] == ((predictions.labels == there[0]) & (predictions.predicted == there[1])).sum()
    rows = every_chart["pairs"]["datasets"]["pairs"]
    assert [row["images"] for row in rows] == [images for *_, images in both]
    assert sum(row["chosen"] for row in rows) == 1
    assert pairs_table(matrix.confused_pairs(1), CLASSES)[1][0][2] == both[0][2]


def test_the_response_stands_beside_its_target(predictions, every_chart):
    data = every_chart["response"]["datasets"]
    assert data["target"] == [{"place": "3", "value": 1}]
    assert [row["value"] for row in data["bars"]][:10] == pytest.approx(predictions.probabilities[0].tolist())
    assert every_chart["logits"]["datasets"]["target"] == []
    logits, shares = {"A": [1.0, 2.0]}, {"A": [0.25, 0.75]}
    assert response_table(("x", "y"), logits, shares, 1) == (
        ["class", "target", "logit", "probability"],
        [["x", 0, 1.0, 0.25], ["y", 1, 2.0, 0.75]],
    )
    assert response_table(("x", "y"), logits, shares, None)[1][0] == ["x", None, 1.0, 0.25]


def test_nothing_breaks_without_images():
    empty = made(0)
    assert reliability_diagram(Reliability.from_predictions(empty))["datasets"]["bins"] == []
    for kind in KINDS:
        spec = slices_chart(Slices.from_predictions(empty, kind, IMAGES[:0]), float("nan"))
        assert all(row["rate"] is None for row in spec["datasets"]["parts"])
    assert pairs_chart([], CLASSES)["datasets"]["pairs"] == []


def test_the_label_of_the_target_stands_behind_its_frame():
    for shares in ([0.9, 0.1], [0.2, 0.8]):
        rows = response_chart(["a", "b"], {"A": shares}, 0)["datasets"]["bars"]
        assert [row["end"] for row in rows] == [1.0, shares[1]]
