"""What the ROC and precision-recall charts hold, and that Vega-Lite accepts them."""

import json

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.thresholds import elements_at
from explorer.ui.charts.class_curves import POINTS, WHOLE
from explorer.ui.evaluate import curve_kinds, threshold
from explorer.ui.evaluate.curve_kinds import KINDS, DrawnCurve
from explorer.ui.evaluate.scope import Results
from explorer.ui.kit import theme

NAMES = (*"abcdefghi", 'quote"<b>')


@pytest.fixture(scope="module")
def results():
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 3000)
    logits = random.normal(size=(3000, 10)).astype(np.float32)
    logits[np.arange(3000), labels] += 2
    return Results(Predictions(logits, labels, np.arange(3000), NAMES, "x", "fashion-mnist", "test"))


@pytest.fixture(scope="module")
def drawn(results):
    names = (*NAMES, "micro", "macro")
    colours = (*theme.class_colours(10), "#000000", "#000000")
    return [DrawnCurve(str(which), name, results, which, colours[which]) for which, name in enumerate(names)]


SIZES = [WHOLE, (0.2, 0.4)]


def chart(kind, drawn, size=WHOLE, at=0.3):
    results = drawn[0].results
    grip = threshold.grip(
        results.rankings.per_class[2],
        "c",
        "#112233",
        at,
        kind.frame(size),
        kind.place,
        [("#000000", results.rankings.per_class[3])],
    )
    return kind.chart(drawn, drawn[2], size, grip)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_the_schema_accepts_the_chart(drawn, name, size):
    spec = chart(KINDS[name], drawn, size)
    spec["datasets"] = {name: rows[:2] for name, rows in spec["datasets"].items()}
    with schemapi.debug_mode(True):
        assert alt.Chart.from_dict(spec, validate=True).to_dict(validate=False)["title"]
    lines = spec["layer"][1]["encoding"]
    axes = ("false positive rate", "true positive rate (recall)") if name == "roc" else ("recall", "precision")
    assert (lines["x"]["title"], lines["y"]["title"]) == axes
    assert lines["color"]["scale"]["range"][:10] == list(theme.class_colours(10))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_curves_are_thin_and_reach_the_edges(drawn, name, size):
    points = chart(KINDS[name], drawn, size)["datasets"]["points"]
    for series in drawn:
        own = [point for point in points if point["curve"] == series.key]
        assert 2 <= len(own) <= POINTS
        assert [point["step"] for point in own] == list(range(len(own)))
        if size == WHOLE:
            assert own[0]["x"] == 0
            assert own[-1]["x"] == 1


def test_the_legend_holds_every_area_with_its_interval(results, drawn):
    expression = chart(KINDS["roc"], drawn)["layer"][1]["encoding"]["color"]["legend"]["labelExpr"]
    labels = json.loads(expression.removeprefix("(").removesuffix(")[datum.label]"))
    intervals = (*results.areas.per_class, results.areas.micro, results.areas.macro)
    for series, curve, (low, high) in zip(drawn, results.roc.every, intervals, strict=True):
        assert labels[series.key] == f"{series.title} {curve.auc:.4f} ({low:.4f}–{high:.4f})"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_the_point_lies_where_the_two_by_two_table_says(results, drawn, name, size):
    kind = KINDS[name]
    data = chart(kind, drawn, size)["datasets"]
    assert len(data["track"]) <= threshold.TRACK
    assert len({place["round"] for place in (*data["track"], *data["here"])}) == 1
    own = [place for place in data["here"] if place["own"]]
    assert [place["threshold"] for place in data["here"]] == [0.3, 0.3]
    for place in (*own, *data["track"][:: len(data["track"]) // 9 or 1]):
        element = elements_at(results.predictions, 2, place["threshold"])
        expected = [getattr(element, axis) for axis in kind.place]
        assert [place["x"], place["y"]] == pytest.approx(expected, abs=1e-6)


def test_moving_the_threshold_changes_only_data(drawn):
    first, second = (chart(KINDS["roc"], drawn, at=at) for at in (0.3, 0.4))
    data, other = first.pop("datasets"), second.pop("datasets")
    assert first == second
    assert data["points"] == other["points"]
    assert data["here"] != other["here"]


def test_every_place_of_the_track_can_be_told_in_the_address(drawn):
    for place in chart(KINDS["roc"], drawn)["datasets"]["track"]:
        assert threshold.parse(str(place["threshold"])) == place["threshold"]


@pytest.mark.parametrize("name", KINDS)
def test_tables_hold_every_point(drawn, name):
    results, kind = drawn[0].results, KINDS[name]
    header, rows = kind.table(drawn)
    curves = results.roc.every if name == "roc" else results.precision_recall.every
    assert len(rows) == sum(len(curve.thresholds) for curve in curves)
    assert len(header) == len(rows[0])
    assert rows[0][:2] == [drawn[0].title, curves[0].area]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("n", [0, 1])
def test_undefined_curves_stand_in_the_legend_without_a_line(name, n):
    results = Results(
        Predictions(np.eye(n, 2, dtype=np.float32), np.zeros(n, int), np.arange(n), ("a", "b"), "", "d", "")
    )
    lines = [DrawnCurve(str(which), "x", results, which, "#000000") for which in range(4)]
    spec = KINDS[name].chart(lines, lines[1], curve_kinds.corner(KINDS[name], lines), None)
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == ["0", "1", "2", "3"]
    assert "x undefined" in spec["layer"][1]["encoding"]["color"]["legend"]["labelExpr"]


def series_of(better):
    """One class of two, whose images get a logit that is on average so much higher than that of the others."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 4000)
    logits = random.normal(size=(4000, 2)).astype(np.float32)
    logits[np.arange(4000), labels] += better
    predictions = Predictions(logits, labels, np.arange(4000), ("a", "b"), "x", "fashion-mnist", "test")
    return DrawnCurve("1", "b", Results(predictions), 1, "#000000")


@pytest.mark.parametrize("name", KINDS)
def test_the_corner_holds_the_curves_and_no_more_than_they_need(name):
    kind = KINDS[name]
    found = [curve_kinds.corner(kind, [series_of(better)]) for better in (0.2, 1, 3, 20)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (WHOLE, (0.01, 0.01)), "a poor classifier needs all, a perfect one hardly anything"
    own = series_of(3)
    element = elements_at(own.results.predictions, 1, threshold.DEFAULT)
    assert curve_kinds.corner(kind, [own, series_of(0.2)]) == WHOLE
    size = curve_kinds.corner(kind, [own])
    frame = kind.frame(size)
    for axis, (low, high) in zip(kind.place, (frame.x_domain, frame.y_domain), strict=True):
        assert low <= getattr(element, axis) <= high


@pytest.mark.parametrize("name", KINDS)
def test_the_words_of_a_chart_are_read_in_its_pictures(drawn, name, exported):
    assert exported(chart(KINDS[name], drawn)).count("quote") == 1, "one legend"
