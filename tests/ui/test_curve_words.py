import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.thresholds import elements_at
from explorer.ui.evaluate import curve_kinds, curves, threshold
from explorer.ui.evaluate.curve_kinds import DrawnCurve, PrecisionRecall, Roc, base_rate
from explorer.ui.evaluate.scope import Results

CLASSES = ("cat", "dog", "T-shirt*")


def made(labels, spread=1.0):
    labels = np.asarray(labels, dtype=np.int64)
    logits = np.random.default_rng(0).normal(size=(len(labels), 3)).astype(np.float32)
    logits[np.arange(len(labels)), labels] += spread
    return Results(Predictions(logits, labels, np.arange(len(labels)), CLASSES, "x", "d", "test"))


@pytest.fixture(scope="module")
def results():
    return made(np.random.default_rng(0).integers(0, 3, 200))


def sentences(text):
    return len(re.findall(r"[.!?](?= |$)", text))


def test_the_roc_curve_is_explained_with_a_point_on_it(results):
    curve = results.roc.per_class[2]
    text = curves.read_roc(curve, curve.name)
    found = re.search(r"For T\\-shirt\\\*, ([\d.]+)% are found with ([\d.]+)% false alarms", text)
    tpr, fpr = (float(value) / 100 for value in found.groups())
    assert (np.isclose(curve.fpr, fpr, atol=6e-4) & np.isclose(curve.tpr, tpr, atol=6e-4)).any()
    assert fpr <= 0.05
    assert sentences(text) <= 4
    macro = curves.read_roc(results.roc.macro, "the macro average")
    assert "mean of the heights" in macro
    assert sentences(macro) <= 4


def test_the_precision_recall_curve_is_explained_with_a_point_on_it(results):
    curve, p = results.precision_recall.per_class[1], results.predictions
    text = curves.read_precision_recall(curve, curve.name, base_rate(results, 1))
    found = re.search(r"([\d.]+)% of what is called so is right when ([\d.]+)% are found", text)
    precision, recall = (float(value) / 100 for value in found.groups())
    positive = p.labels == 1
    reached = [
        (precision_score(positive, p.probabilities[:, 1] >= t), recall_score(positive, p.probabilities[:, 1] >= t))
        for t in np.unique(p.probabilities[:, 1])
    ]
    assert np.isclose(reached, (precision, recall), atol=6e-4).all(axis=1).any()
    assert f"{np.mean(positive):.1%} of the images" in text
    assert sentences(text) <= 4


def test_the_area_is_explained_as_the_share_of_pairs(results):
    p = results.predictions
    auc = roc_auc_score(p.labels == 0, p.probabilities[:, 0])
    text = curves.area(results.roc.per_class[0], "cat", results.areas.per_class[0])
    low, high = results.areas.per_class[0]
    assert f"AUC of cat: {auc:.4f} (95% interval {low:.4f} to {high:.4f})" in text
    assert f"{round(auc * 10_000):,} of 10,000 such pairs" in text


def test_an_area_of_one_does_not_look_certain():
    perfect = made([0, 1, 2] * 5, spread=60.0)
    assert "no width" in curves.area(perfect.roc.per_class[0], "cat", perfect.areas.per_class[0])


def test_the_averages_are_explained(results):
    text = curves.many_curves(results.roc, results.areas.macro, results.areas.micro)
    hot = np.eye(3)[results.predictions.labels]
    macro = roc_auc_score(hot, results.predictions.probabilities, average="macro")
    micro = roc_auc_score(hot, results.predictions.probabilities, average="micro")
    assert "Why 3 curves" in text
    assert f"Macro, {macro:.4f} (95% interval {results.areas.macro.low:.4f}" in text
    assert f"micro, {micro:.4f} (95% interval {results.areas.micro.low:.4f}" in text


def test_a_threshold_is_said_in_numbers(results):
    element = elements_at(results.predictions, 2, 0.3)
    positives, negatives = (results.predictions.labels == 2).sum(), (results.predictions.labels != 2).sum()
    text = curves.at_threshold(element, 0.3)
    assert text.startswith(f"From 0.30 on, {element.true_positives} of {positives} images of T\\-shirt\\* are found")
    assert f"{element.false_positives} false alarms among {negatives} others" in text
    why = curves.roc_against_precision(element, 0.3)
    assert f"Only {positives / 200:.1%} of the images" in why
    assert f"of {negatives} other images that is {element.false_positives}" in why
    assert "precision is undefined" in curves.roc_against_precision(elements_at(results.predictions, 2, 1.0), 1.0)


def test_the_table_holds_the_counts_and_escapes_the_name(results):
    element = elements_at(results.predictions, 2, 0.3)
    text = threshold.html(element)
    for term, value in (
        ("TP", element.true_positives),
        ("FN", element.false_negatives),
        ("FP", element.false_positives),
        ("TN", element.true_negatives),
    ):
        assert f"<small>{term}</small> {value}<" in text
    assert f"{element.f1:.1%}" in text
    nasty = Predictions(np.zeros((1, 1), np.float32), np.zeros(1, int), np.zeros(1, int), ("<b>x",), "", "d", "test")
    assert "<b>" not in threshold.html(elements_at(nasty, 0, 0.5))


@pytest.mark.parametrize(("labels", "missing"), [([], "holds no images"), ([0, 0, 0], "no image of dog"), ([0], "dog")])
def test_what_is_undefined_is_said(labels, missing):
    of = made(labels)
    ranking = of.rankings.per_class[1]
    assert missing in curves.undefined("dog", ranking.positives, ranking.negatives)
    assert "There is no curve for dog" in curves.read_roc(of.roc.per_class[1], "dog")
    assert "There is no curve for dog" in curves.read_precision_recall(of.precision_recall.per_class[1], "dog", 0)
    assert curves.area(of.roc.per_class[1], "dog", of.areas.per_class[1]) == ""
    assert curves.roc_against_precision(elements_at(of.predictions, 1, 0.5), 0.5) == ""
    series = DrawnCurve("own", "dog", of, 1, "#000000")
    assert Roc.area(series) == "undefined"
    assert PrecisionRecall.area(series) == "undefined"


def test_only_images_of_one_class_leave_no_false_positive_rate():
    of = made([1, 1])
    ranking = of.rankings.per_class[1]
    text = curves.undefined("dog", ranking.positives, ranking.negatives)
    assert "only images of dog" in text
    assert "false positive rate is undefined" in text


def test_the_base_rate_is_the_precision_of_guessing(results):
    labels = results.predictions.labels
    for which in range(3):
        constant = average_precision_score(labels == which, np.zeros(200))
        assert base_rate(results, which) == pytest.approx(constant)
    assert base_rate(results, 3) == base_rate(results, 4) == pytest.approx(1 / 3)
    assert np.isnan([base_rate(made([]), which) for which in range(5)]).all()


def test_images_that_cross_are_counted_in_words():
    assert curves.crossed("dog", 0.5, 0.3, 1) == "1 image between 0.50 and 0.30: now called dog"
    assert curves.crossed("dog", 0.3, 0.5, 1200) == "1,200 images between 0.30 and 0.50: no longer called dog"
    assert "Move the threshold" in curves.nothing_crossed("dog", 0.5, 0.5)
    assert "between 0.50 and 0.51" in curves.nothing_crossed("dog", 0.5, 0.51)


def test_both_kinds_have_a_title():
    assert set(curve_kinds.TITLES) == set(curve_kinds.KINDS)
