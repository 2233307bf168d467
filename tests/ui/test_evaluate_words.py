"""What is said of calibration, rejection, slices and single outputs, against numbers computed otherwise."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from explorer.analysis.drawings.verdicts import one_hot
from explorer.analysis.evaluation.calibration import Reliability, TemperatureScaling, tempered
from explorer.analysis.evaluation.confusion import ConfusionMatrix
from explorer.analysis.evaluation.mistakes import Slices
from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.rejection import kept
from explorer.ui.evaluate import calibration, headline, mistakes, response
from explorer.ui.evaluate.calibration import Tempered
from explorer.ui.evaluate.response import Answer
from explorer.ui.evaluate.scope import Results

NAMES = ("a*b", "c", "d")


def made(n=300, strength=2.0, scale=1.0, classes=NAMES):
    random = np.random.default_rng(3)
    labels = random.integers(0, len(classes), n)
    logits = random.normal(size=(n, len(classes)))
    logits[np.arange(n), labels] += strength
    return Predictions((logits * scale).astype(np.float32), labels, np.arange(n), classes, "x", "mnist", "test")


def fitted(fitted_on, judged):
    scaling = TemperatureScaling.from_predictions(fitted_on, judged)
    after = tempered(judged, scaling.temperature) if fitted_on.n else judged
    return Tempered(scaling, fitted_on.n, Results(after))


def test_the_rows_of_all_bins_are_all_rows_mistakes_first():
    predictions = made()
    found = Reliability.from_predictions(predictions)
    rows = [found.rows(predictions, number) for number in range(15)]
    assert [len(one) for one in rows] == found.counts.tolist()
    assert sorted(np.concatenate(rows).tolist()) == list(range(300))
    for one in rows:
        assert (np.diff(predictions.correct[one].astype(int)) >= 0).all()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.333, 0.9, 1.0])
def test_the_most_certain_are_kept(share):
    predictions = made()
    inside, threshold = kept(predictions, share)
    assert inside.sum() == np.ceil(round(share * 300, 9))
    assert predictions.confidence[inside].min() == threshold
    assert (predictions.confidence[~inside] < threshold).all()
    curve = Results(predictions).coverage
    assert predictions.correct[inside].mean() == pytest.approx(curve.accuracy_at(share))


def test_equal_confidences_are_kept_together():
    predictions = Predictions(np.zeros((8, 3), np.float32), np.zeros(8, int), np.arange(8), NAMES, "x", "mnist", "test")
    inside, threshold = kept(predictions, 0.1)
    assert inside.all()
    assert threshold == pytest.approx(1 / 3)
    assert "8 of 8 images kept" in calibration.keeping(predictions, inside, threshold)
    assert "Nothing is rejected" in calibration.keeping(predictions, inside, threshold)


def test_the_words_hold_the_numbers_of_the_calibration():
    predictions = made(scale=4)
    found = Results(predictions)
    text = calibration.error(found.reliability, predictions)
    assert f"{found.reliability.expected_calibration_error:.1%}" in text
    assert f"{predictions.probabilities.max(1).mean():.1%} sure" in text
    assert f"{predictions.accuracy:.1%} right" in text
    assert "overconfident" in text
    even = made(strength=1000.0)
    assert "well matched" in calibration.error(Results(even).reliability, even)
    assert "underconfident" in calibration.error(Results(made(scale=0.2)).reliability, made(scale=0.2))


def test_the_temperature_is_told_with_its_effect():
    judged, validation = made(scale=4), made(200, scale=4)
    one = fitted(validation, judged)
    text = calibration.temperature(one, "")
    before = functional.cross_entropy(torch.tensor(judged.logits).double(), torch.tensor(judged.labels)).item()
    logits = torch.tensor(judged.logits).double() / one.scaling.temperature
    after = functional.cross_entropy(logits, torch.tensor(judged.labels)).item()
    assert f"log loss {before:.3f} → {after:.3f}" in text
    assert "200 validation images" in text
    assert f"accuracy {judged.accuracy:.1%} before and after" in text
    assert "less confident" in text
    assert "Temperature of B" in calibration.temperature(one, "B")


@pytest.mark.parametrize(("strength", "which"), [(50.0, "every validation image"), (-50.0, "no better than chance")])
def test_a_temperature_at_the_limit_says_so(strength, which):
    one = fitted(made(strength=strength), made())
    assert one.scaling.at_limit
    assert which in calibration.temperature(one, "")


def test_without_validation_images_there_is_no_temperature():
    text = calibration.temperature(fitted(made(0), made()), "")
    assert "no validation images" in text


def test_no_word_is_a_raw_nan():
    empty = made(0)
    for kind in ("class", "predicted"):
        found = Slices.from_predictions(empty, kind)
        assert "nan" not in mistakes.worst(found) + mistakes.slices_text(found)
    assert "nan" not in calibration.coverage({"A": float("nan")}, 90)


def sliced(errors, sizes):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    predicted = labels.copy()
    for number, wrong in enumerate(errors):
        predicted[np.flatnonzero(labels == number)[:wrong]] = (number + 1) % len(sizes)
    logits = np.eye(len(sizes), dtype=np.float32)[predicted]
    names = NAMES[: len(sizes)]
    return Slices.from_predictions(
        Predictions(logits, labels, np.arange(len(labels)), names, "x", "mnist", "test"), "class"
    )


def test_the_worst_slice_is_named_and_told_from_chance():
    text = mistakes.worst(sliced((40, 5, 5), (100, 100, 100)))
    assert "images of a\\*b" in text
    assert "40 of 100 are wrong, 40.0%" in text
    assert "of the other 200, 5.0%" in text
    assert "do not overlap" in text
    text = mistakes.worst(sliced((3, 2, 2), (20, 20, 20)))
    assert "not distinguishable" in text
    assert "No image is classified wrongly" in mistakes.worst(sliced((0, 0, 0), (5, 5, 5)))
    assert "no other images" in mistakes.worst(sliced((3, 0), (5, 0)))


def test_the_pairs_are_counted_in_both_directions():
    found = sliced((9, 0, 2), (20, 20, 20))
    matrix = ConfusionMatrix(np.array([[11, 9, 0], [0, 20, 0], [2, 0, 18]]), NAMES)
    assert found.parts[0].errors == 9
    text = mistakes.pairs_text(matrix.confused_pairs(1), NAMES, NAMES, 11, 4)
    assert "9 images of a\\*b were called c, and 0 the other way round" in text
    assert f"{9 / 11:.1%} of all 11 mistakes" in text


def test_an_output_is_compared_with_its_target():
    logits = np.array([1.0, -2.0, 0.5])
    output = Answer(logits, "A", NAMES)
    tensor = torch.tensor(logits)
    assert output.probabilities == pytest.approx(tensor.softmax(0).numpy())
    target = 2
    assert output.cross_entropy(target) == pytest.approx(functional.cross_entropy(tensor, torch.tensor(target)).item())
    wanted = functional.one_hot(torch.tensor(target), 3)
    assert one_hot(target, 3).tolist() == wanted.tolist()
    assert output.squared_error(target) == pytest.approx(((tensor.softmax(0) - wanted) ** 2).sum().item())
    assert [output.rank(number) for number in range(3)] == [1, 3, 2]
    text = response.verdict(output, target, False)
    assert "says **a\\*b**" in text
    assert "rank 2 of 3" in text
    assert "✓" in response.verdict(output, 0, False)
    assert "target" not in response.verdict(output, None, False)


def test_extreme_logits_keep_finite_errors():
    output = Answer(np.array([1e4, -1e4, 0.0]), "A", NAMES)
    assert output.cross_entropy(1) == pytest.approx(2e4)
    assert output.squared_error(1) == pytest.approx(2)
    assert output.squared_error(0) == 0


def test_equal_probabilities_are_said_to_be_equal():
    output = Answer(np.zeros(3), "A", NAMES)
    assert output.tied == 3
    assert output.rank(2) == 1
    assert "3 classes that share the highest output" in response.verdict(output, 2, False)
    assert output.cross_entropy(1) == pytest.approx(np.log(3))
    assert output.squared_error(1) == pytest.approx(2 / 3)


def test_macro_averages_say_over_how_many_classes_they_are():
    """Of three classes one never occurs and another is never called."""
    logits = np.array([[2.0, 0, 0], [2.0, 0, 0], [0, 0, 2.0], [0, 0, 2.0]], np.float32)
    found = Predictions(logits, np.array([0, 0, 1, 1]), np.arange(4), NAMES, "x", "mnist", "test")
    said = {figure.label: figure.definition for figure in headline.figures_text(Results(found))}
    for label in ("Macro precision", "Macro recall", "Macro AUC"):
        assert "the mean over the 2 of 3 classes for which it is defined" in said[label], label
    assert "the mean over the 3 classes" in said["Macro F1"]
