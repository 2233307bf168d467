"""Charts and words of the lie detector, of attacks and of all gradients, against results that are known."""

import re
from types import SimpleNamespace

import altair as alt
import numpy as np
import pytest
import torch
from altair.utils import schemapi

from explorer.analysis.adversarial.images import Adversarial
from explorer.analysis.adversarial.robustness import RobustPoint, SmallestEpsilon
from explorer.analysis.attribution import METHODS
from explorer.analysis.faithfulness.deletion import PerturbationCurves
from explorer.analysis.faithfulness.randomisation import Randomised
from explorer.analysis.faithfulness.verdict import Examination, FaithfulnessVerdict
from explorer.analysis.gradients.statistics import GradientStatistics, GradientTrials
from explorer.ui.charts.adversarial import accuracy_chart, accuracy_table, epsilon_chart, epsilon_table, grey
from explorer.ui.charts.attribution import (
    attribution_map,
    deviation_map,
    deviation_table,
    map_grid,
    perturbation_chart,
    perturbation_table,
    randomisation_chart,
    randomisation_table,
)
from explorer.ui.explain import adversarial as explain_adversarial
from explorer.ui.explain import faithfulness, gradients
from explorer.ui.explain import grid as explain_grid
from explorer.ui.explain.choice import Aim
from explorer.ui.kit import explanations

CLASSES = ("cat", "dog*", "<b>")
SHARES = np.array([0.0, 0.5, 1.0])
AREAS = np.linspace(0.3, 0.7, 81)[:80]


def curves(deletion, insertion):
    """Curves with the given areas, among random ones with areas from 0.3 to 0.7."""
    flat = np.ones(3)
    return PerturbationCurves(SHARES, deletion * flat, insertion * flat, AREAS[:, None] * flat)


def examination(deletion=0.1, insertion=0.5, alike=0.1):
    stages = tuple(
        Randomised(f"network.{number}", "Linear", np.array([alike]), np.array([alike]), torch.zeros(1, 1, 4, 4))
        for number in (2, 0)
    )
    return Examination(torch.ones(1, 1, 4, 4), curves(deletion, insertion), ("network.2", "network.0"), stages)


def adversarial(after=((0.0, 1.0, 0.0), (2.0, 1.0, 0.0))):
    """One image under two epsilons, and what is said of it then."""
    count = len(after)
    originals = np.full((count, 1, 2, 2), 0.5, np.float32)
    changed = originals + np.linspace(0, 0.1, count, dtype=np.float32)[:, None, None, None]
    before = np.tile(np.array([0.0, 1.0, 0.0], np.float32), (count, 1))
    return Adversarial(
        "fgsm",
        np.linspace(0, 0.1, count),
        np.ones(count, np.int64),
        False,
        originals,
        changed,
        before,
        np.array(after, np.float32),
    )


def points():
    return [RobustPoint("fgsm", 0.0, 90, 100, 100), RobustPoint("pgd", 0.0, 90, 100, 100)] + [
        RobustPoint(method, 0.05, correct, 100, 100) for method, correct in (("fgsm", 40), ("pgd", 20))
    ]


def trials():
    random = np.random.default_rng(0)
    return GradientTrials.of(
        [
            GradientStatistics(name, "loss", 12, random.normal(size=(4, 5)), random.uniform(size=(4, 5)))
            for name in ("one", "two")
        ]
    )


def every_chart():
    found = trials()
    single = attribution_map(np.arange(-4.0, 5).reshape(3, 3), "Map", "unit", absolute=True, limit=9)
    return {
        "deletion": perturbation_chart(examination().curves, "deletion", "cat"),
        "insertion": perturbation_chart(examination().curves, "insertion", "cat"),
        "randomisation": randomisation_chart(examination(), ["Linear 2", "Linear 0"]),
        "accuracy": accuracy_chart({"this model": points(), "other": points()}),
        "epsilon": epsilon_chart(adversarial(), CLASSES, 0.02, 0.1),
        "deviations": deviation_map(found.mean, found.top(), "Mean"),
        "absolute": single,
    }


def test_the_schema_accepts_every_chart():
    for name, spec in every_chart().items():
        with schemapi.debug_mode(True):
            chart = alt.Chart.from_dict(spec, validate=True)
        assert chart.to_dict(validate=False)["title"], name


def test_the_words_of_every_chart_and_of_a_grid_of_maps_are_read_in_their_pictures(exported):
    single = every_chart()["absolute"]
    grid = map_grid([[single, single], [single]])
    assert len(grid["datasets"]) == 3
    for spec in (*every_chart().values(), grid):
        exported(spec)


def test_absolute_maps_colour_the_size_and_tell_the_value():
    spec = every_chart()["absolute"]
    first = spec["datasets"]["pixels"][0]
    assert (first["value"], first["shown"]) == (-4, 4)
    assert spec["encoding"]["color"]["scale"]["domain"] == [0, 9]


def test_insertion_is_compared_with_random_orders_read_backwards():
    random = np.array([[1.0, 0.5, 0.0]] * 80)
    found = PerturbationCurves(SHARES, np.ones(3), np.ones(3), random)
    rows = perturbation_chart(found, "insertion", "cat")["datasets"]["curves"]
    assert [row["random"] for row in rows] == [0, 0.5, 1]
    assert [row["low"] for row in rows] == [0, 0.5, 1]
    header, table = perturbation_table(found)
    assert header[:3] == ["share", "deletion", "insertion"]
    assert [row[3] for row in table] == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("found", "verdict", "reason"),
    [
        (examination(deletion=0.1), FaithfulnessVerdict.FOLLOWS, "Taking away its most important pixels lowers"),
        (
            examination(deletion=0.5, insertion=0.9),
            FaithfulnessVerdict.FOLLOWS,
            "Adding its most important pixels raises",
        ),
        (examination(deletion=0.5), FaithfulnessVerdict.CHANCE, "no faster than"),
        (examination(alike=0.8), FaithfulnessVerdict.INDEPENDENT, "shows the image, not what the network has learned"),
    ],
)
def test_the_verdict_is_explained_with_its_numbers(found, verdict, reason):
    assert found.verdict is verdict
    text = faithfulness.why(found, "dog*")
    assert reason in text
    assert f"rank correlation {found.similarity:.2f}" in text
    if verdict is not FaithfulnessVerdict.INDEPENDENT:
        assert f"deletion area {found.curves.deletion_area:.1%}" in text
        assert r"dog\*" in text
    assert verdict in faithfulness.BADGES


def test_curves_and_layers_are_explained_in_at_most_four_sentences():
    texts = [faithfulness.curve(examination().curves, what) for what in ("deletion", "insertion")]
    texts += [faithfulness.cascade(examination(alike=alike)) for alike in (0.1, 0.9)]
    assert "2 of 2 layers" in texts[-1]
    assert "10.0%" in texts[0]
    assert "50.0%" in texts[1]
    for text in texts:
        assert len(re.findall(r"[.!?](?= |$)", text)) <= 4
    assert randomisation_table(examination())[1][0] == ["network.2", "Linear", 0, 0.1, 0.1]


def test_the_smallest_change_is_said():
    found = SmallestEpsilon(adversarial())
    assert found.epsilon == pytest.approx(0.1)
    assert explain_adversarial.smallest(found, CLASSES, None) == (
        r"The smallest change found that makes dog\* into **cat**: epsilon **0.100 (25.5 of 255 grey levels)**."
    )
    never = SmallestEpsilon(adversarial(((0.0, 1.0, 0.0), (0.0, 1.0, 0.0))))
    assert "flips it: it stays" in explain_adversarial.smallest(never, CLASSES, None)
    assert r"leads to \<b\>" in explain_adversarial.smallest(never, CLASSES, 2)


def test_an_attack_is_explained_by_its_numbers():
    text = explain_adversarial.attacked(adversarial(((2.0, 1.0, 0.0),)), CLASSES)
    before, after = np.exp([0, 1, 0]), np.exp([2, 1, 0])
    assert f"went from {before[1] / before.sum():.1%} to {after[1] / after.sum():.1%}" in text
    assert f"says cat with {after[0] / after.sum():.1%}" in text


@pytest.mark.parametrize(("method", "why"), [("fgsm", "slope at the image alone"), ("pgd", "its 10 steps may end")])
def test_why_an_attack_may_fail_again_depends_on_it(method, why):
    text = explain_adversarial.against_epsilon(SimpleNamespace(epsilon=0.1), method)
    assert why in text
    assert ("slope at the image" in text) == (method == "fgsm")


def test_the_lines_against_epsilon_are_those_of_the_classes_that_lead():
    spec = epsilon_chart(adversarial(), CLASSES, 0.02, 0.1)
    assert {row["class"] for row in spec["datasets"]["lines"]} == {"dog*", "cat"}
    assert [mark["epsilon"] for mark in spec["datasets"]["marks"]] == [0.02, 0.1]
    header, rows = epsilon_table(adversarial(), CLASSES)
    assert header == ["epsilon", "predicted", *CLASSES]
    assert [row[1] for row in rows] == ["dog*", "cat"]
    assert sum(rows[0][2:]) == pytest.approx(1)


def test_accuracy_under_attack_has_its_interval():
    spec = accuracy_chart({"this model": points()})
    row = spec["datasets"]["points"][-1]
    assert (row["accuracy"], row["attack"]) == (0.2, "PGD")
    assert row["low"] == pytest.approx(0.1334, abs=1e-4)
    assert row["high"] == pytest.approx(0.2888, abs=1e-4)
    text = explain_adversarial.accuracy({"this model": points(), "o*ther": points()})
    assert "This model is right on 90.0% of 100 images as they are, and on 20.0% (13.3 to 28.9%)" in text
    assert r"O\*ther" in text or r"o\*ther" in text
    assert len(accuracy_table({"a": points(), "b": points()})[1]) == 8


def test_pixels_become_grey_levels():
    assert grey(np.array([[[0.0, 1.0], [0.5, 1.2]]])).tolist() == [[0, 255], [128, 255]]


def test_deviations_are_framed_ranked_and_tabled():
    found = trials()
    top = found.top()
    spec = deviation_map(found.mean, top, "Mean")
    framed = sorted((row for row in spec["datasets"]["inputs"] if row["rank"]), key=lambda row: row["rank"])
    assert [row["input"] for row in framed] == np.argsort(-found.mean, axis=None)[:10].tolist()
    rows = gradients.highest(top, several=True)
    assert [(int(row["Row"]), int(row["Col."])) for row in rows] == [(one.row, one.column) for one in top]
    header, table = deviation_table(found)
    assert header == ["input", "row", "column", "deviation_one", "deviation_two", "mean", "spread"]
    assert table[7][5] == pytest.approx((table[7][3] + table[7][4]) / 2)
    assert table[7][6] == pytest.approx(abs(table[7][3] - table[7][4]) / np.sqrt(2))
    text = gradients.figure(top, 12, 2)
    assert f"row {top[0].row}, column {top[0].column}" in text
    lines = gradients.table(found)
    assert [line["Trial"] for line in lines] == ["one", "two", "Mean", "Spread"]
    assert "inputs" in gradients.spread(found)


def test_units_are_those_of_the_methods():
    assert {name: method.unit for name, method in METHODS.items()} == explanations.UNITS


@pytest.mark.parametrize("sign", ["signed", "absolute"])
@pytest.mark.parametrize("method", METHODS)
def test_a_map_of_a_margin_names_both_classes_and_the_strongest_place(method, sign):
    values = np.zeros((5, 5))
    values[3, 1] = -2
    text = explain_grid.reading(method, Aim(0, 1), CLASSES, values, sign)
    assert "row 3, column 1" in text
    assert len(re.findall(r"[.!?](?= |$)", text)) <= 4
    assert r"lead of cat over dog\*" in text


def test_completeness_is_said_with_its_error():
    text = explain_grid.completeness(10.2, 10.0, 0.2)
    assert "sum to +10.20" in text
    assert "error is 0.20 (2.0% of it)" in text
