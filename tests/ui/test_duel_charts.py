import json

import altair as alt
import pytest
from altair.utils import schemapi

from explorer.experiments.duels import paired_difference
from explorer.ui.charts.duel import Race, accuracy_race, difference_plot, difference_table, loss_race, side_colours
from explorer.ui.kit import theme

LABELS = ("A: Adam", "B: SGD")


def row(side, epoch, accuracy=0.8, loss=0.5, **more):
    return {"side": LABELS[side], "epoch": epoch, "accuracy": accuracy, "loss": loss} | more


def race(seeds=(), means=(), steps=(), end=10):
    return Race("Optimizer", LABELS, end, seeds, means, steps)


STEPS = ({"side": LABELS[0], "epoch": 0.5, "loss": 2.2},)
MOMENTS = [
    race(),
    race(steps=STEPS),
    race(steps=STEPS, means=(row(0, 1), row(1, 1)), end=40),
    race([row(0, 1, seed=0), row(0, 1, seed=1)], [row(0, 1), row(1, 1, 0.1)], STEPS),
]


@pytest.mark.parametrize("draw", [accuracy_race, loss_race])
def test_only_the_data_change_while_a_duel_goes_on(draw):
    shapes = {json.dumps({key: value for key, value in draw(one).items() if key != "datasets"}) for one in MOMENTS}
    assert len(shapes) == 1


@pytest.mark.parametrize("draw", [accuracy_race, loss_race])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_schema_accepts_them_and_no_data_set_is_empty(draw, moment, exported):
    spec = draw(moment)
    if moment is MOMENTS[-1]:
        exported(spec)
    with schemapi.debug_mode(True):
        alt.Chart.from_dict(spec, validate=True)
    assert all(len(rows) for rows in spec["datasets"].values())
    assert [one["epoch"] for one in spec["datasets"]["span"]] == [0, moment.end]
    used = {layer["data"]["name"] for layer in spec["layer"]}
    assert used == set(spec["datasets"])
    assert spec["layer"][-1]["encoding"]["x"]["title"] == "epoch"
    assert spec["layer"][-1]["encoding"]["y"]["title"] in ("accuracy", "loss (nats)")


def test_the_sides_are_told_apart_by_more_than_colour():
    encoding = accuracy_race(race())["layer"][-2]["encoding"]
    for name in ("color", "strokeDash"):
        assert list(encoding[name]["scale"]["domain"]) == list(LABELS)
        assert len({str(one) for one in encoding[name]["scale"]["range"]}) == 2
    assert encoding["color"]["legend"]["title"] == "Optimizer"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_their_colours_are_easy_to_see(mode):
    background = theme.colour("backgroundColor", mode)
    assert all(theme.contrast(colour, background) >= 4.5 for colour in side_colours(mode))


def test_a_loss_that_explodes_has_a_logarithmic_axis():
    def scale(*losses):
        spec = loss_race(race(means=[row(0, number, loss=value) for number, value in enumerate(losses, start=1)]))
        return spec["layer"][-1]["encoding"]["y"]["scale"].get("type", "linear")

    assert scale(0.5, 2.0) == "linear"
    assert scale(0.5, 500.0) == "log"
    assert scale(0.0, 500.0) == "linear"


DIFFERENCES = {3: 0.01, 4: -0.002, 5: 0.004}
FOUND = paired_difference([0.0] * 3, list(DIFFERENCES.values()))


def test_the_differences_are_drawn_in_points_with_their_interval(exported):
    spec = difference_plot(DIFFERENCES, FOUND)
    exported(spec)
    with schemapi.debug_mode(True):
        alt.Chart.from_dict(spec, validate=True)
    data = spec["datasets"]
    assert {one["place"]: one["points"] for one in data["seeds"]} == pytest.approx(
        {"seed 3": 1.0, "seed 4": -0.2, "seed 5": 0.4}
    )
    assert data["mean"][0]["points"] == pytest.approx(0.4)
    (interval,) = data["interval"]
    assert (interval["points"], interval["high"]) == pytest.approx((100 * FOUND.low, 100 * FOUND.high))
    assert spec["title"]["text"]
    assert "points" in spec["layer"][0]["encoding"]["x"]["title"]


def test_the_differences_can_be_taken_away():
    header, rows = difference_table(DIFFERENCES, FOUND)
    assert header == ["seed", "b_minus_a_points", "low_95", "high_95"]
    assert [line[0] for line in rows] == ["3", "4", "5", "mean"]
    assert rows[-1][1:] == pytest.approx([0.4, 100 * FOUND.low, 100 * FOUND.high])
