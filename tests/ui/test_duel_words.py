import pytest

from explorer.experiments.duels import Difference, Duel, StartingPoint, paired_difference
from explorer.ui.charts.duel import Race
from explorer.ui.experiments import curves, progress

DUEL = Duel("duel-20260101-120000-abcdef", "optimizer", ("adam", "sgd"), {"a": (), "b": ()})


def said(differences, duel=DUEL):
    mean = sum(differences) / len(differences)
    return progress.verdict(duel, paired_difference([0.0] * len(differences), differences), (0.8, 0.8 + mean))


def test_a_clear_verdict_names_the_better_side_with_its_numbers():
    found = said([0.004, 0.005, 0.006])
    assert found.is_clear
    assert r"**B \(SGD\) is better by 0.50 points** (95% interval 0.25 to 0.75, 3 seeds)." in found.text
    assert "80.00% for A and 80.50% for B on average" in found.text


def test_the_better_side_may_be_a_and_its_gain_is_positive():
    found = said([-0.004, -0.005, -0.006])
    assert found.is_clear
    assert r"**A \(Adam\) is better by 0.50 points** (95% interval 0.25 to 0.75, 3 seeds)." in found.text


def test_what_chance_may_explain_is_not_called_better():
    found = said([0.004, -0.002])
    assert not found.is_clear
    assert "Not distinguishable over these 2 seeds" in found.text
    assert "B minus A, is +0.10 points, 95% interval −3.71 to 3.91" in found.text
    assert "better" not in found.text
    assert "repeat with five" in found.text
    assert "repeat" not in said([0.004, -0.002, 0.001, 0.0, 0.002]).text


def test_one_seed_says_nothing_about_chance():
    found = said([-0.0042])
    assert not found.is_clear
    assert "One seed says nothing about chance" in found.text
    assert r"A \(Adam\) is ahead by 0.42 points" in found.text
    assert "both sides are level" in said([0.0]).text
    assert "nothing to compare" in progress.verdict(DUEL, None).text


def test_values_from_files_are_escaped():
    duel = Duel(DUEL.id, "<b>field*", ("![x](y)", ["<img>"]), DUEL.runs)
    text = said([0.004, 0.005, 0.006], duel).text
    assert "<img>" not in text
    assert "![x](" not in text
    race = Race("x", progress.labels(duel), 3, (), [mean(duel, 0), mean(duel, 1)], ())
    for text in (curves.accuracy(race, 3), curves.loss(race)):
        assert "<img>" not in text.replace(r"\<img", "")
        assert "![x](" not in text


def mean(duel, side, epoch=2, accuracy=0.8):
    return {"side": progress.labels(duel)[side], "epoch": epoch, "accuracy": accuracy, "loss": 0.5}


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0042, "0.42"), (-0.003, "−0.30"), (-0.00001, "0.00"), (0.0, "0.00"), (0.12345, "12.35"), (-1.0, "−100.00")],
)
def test_points(share, text):
    assert progress.points(share) == f"{text} points"


@pytest.mark.parametrize(
    ("weights", "order", "field", "same_size", "words"),
    [
        (True, True, "optimizer", True, "same weights and see the images in the same order"),
        (True, False, "batch_size", True, "Both start from the same weights. Their batches are not the same, as they"),
        (True, False, "subset", True, "one side has fewer images"),
        (False, True, "options.hidden", False, "the networks have different shapes"),
        (False, True, "options.initialisation", True, "they are drawn in another way"),
        (False, False, "options.batch_norm", False, "nor are their batches, as batch norm cuts them in another way"),
    ],
)
def test_what_is_not_the_same_at_the_start_is_said_with_its_reason(weights, order, field, same_size, words):
    text = progress.beginning(StartingPoint(weights, order), field, same_size)
    assert words in text
    assert ("not the same" in text) == (not (weights and order))


def test_sizes():
    assert progress.size(79510, 79510) == "79,510 parameters on both sides"
    assert progress.size(79510, 159010) == "79,510 against 159,010 parameters"


def test_names_of_settings_and_values():
    assert progress.title(DUEL) == "Optimizer: Adam against SGD"
    assert progress.labels(DUEL) == ("A: Adam", "B: SGD")
    assert progress.value("options.hidden", []) == "none"
    assert progress.value("options.batch_norm", True) == "yes"
    assert progress.value("batch_size", 1024) == "1,024"
    assert progress.setting("options.batch_norm") == "Batch norm"
    assert len(progress.value("options.hidden", [128] * 32)) <= progress.VALUE_LENGTH


def test_the_curves_are_read_with_their_own_numbers():
    race = Race("Optimizer", progress.labels(DUEL), 3, (), [mean(DUEL, 0), mean(DUEL, 1, accuracy=0.75)], ())
    text = curves.accuracy(race, 1)
    assert "After epoch 2" in text
    assert "80.0%" in text
    assert "75.0%, 5.0 points apart" in text
    assert "single seeds" not in text
    assert "single seeds" in curves.accuracy(race, 5)
    ahead = Race("Optimizer", race.labels, 3, (), [mean(DUEL, 0, 3), mean(DUEL, 1)], ())
    assert "after epoch 2" in curves.accuracy(ahead, 1)
    assert "first complete epoch" in curves.accuracy(Race("x", race.labels, 3, (), (), ()), 1)
    assert "0.500" in curves.loss(race)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Difference(2, 0.005, 0.001, 0.001, 0.009), "it leaves out 0"),
        (Difference(2, 0.005, 0.001, -0.004, 0.014), "it holds 0"),
    ],
)
def test_the_differences_are_read_with_their_own_numbers(found, words):
    text = curves.differences({0: 0.01, 1: -0.001}, found)
    assert words in text
    assert "B is ahead in 1 of 2" in text
