"""What calibration and rejection mean, in plain words and with the user's own numbers. Markdown."""

import math
from collections.abc import Mapping

import numpy as np

from explorer.analysis.calibration import COLDEST, HOTTEST, Reliability, TemperatureScaling
from explorer.analysis.predictions import Predictions
from explorer.ui.charts.reliability import bin_name
from explorer.ui.evaluate.calibration_results import Tempered
from explorer.ui.formats import count, loss, many, percent, points

EMPTY = "This split holds no images, so there is nothing to compare the confidence with."
VALIDATION = (
    "These are the very images on which the temperature is fitted, so its effect here flatters it. "
    "Choose the test split to judge it."
)


def training(predictions: Predictions, trained: int | None) -> str:
    """Say what figures of the training split are worth; `trained` is on how many of its images, None if unknown."""
    if trained is None:
        which = "These are probably the images that the model was trained on"
    elif trained < predictions.n:
        which = f"Among these are the {many(trained, 'image')} that the model was trained on"
    else:
        which = "These are the images that the model was trained on"
    return (
        f"{which}; it is right on {percent(predictions.accuracy)} of all. What it has learnt from flatters it: choose "
        "the test split for what to expect of new images."
    )


def error(found: Reliability, predictions: Predictions) -> str:
    """Explain the expected calibration error."""
    confidence, accuracy = float(predictions.confidence.mean()), predictions.accuracy
    apart = points(accuracy, confidence)
    verdict = f"{'over' if apart > 0 else 'under'}confident by {abs(apart):.1f} points"
    verdict = "on average well matched" if not apart else verdict
    return (
        f"**Expected calibration error (ECE) {percent(found.expected_calibration_error)}**: the distance between "
        f"confidence and accuracy in a bin, averaged over the images. In all, the model is {percent(confidence)} sure "
        f"and {percent(accuracy)} right: {verdict}."
    )


def diagram(found: Reliability) -> str:
    """Explain the diagram by the bin that adds most to the calibration error."""
    gaps = np.nan_to_num(np.abs(found.accuracy - found.confidence)) * found.counts
    worst = int(gaps.argmax())
    sure, right = float(found.confidence[worst]), float(found.accuracy[worst])
    which = (
        f"{'over' if sure > right else 'under'}confident"
        if percent(sure) != percent(right)
        else "as sure as it is right"
    )
    return (
        "A bar holds the images of one range of confidence: its height is the share that is right, the level line "
        "their mean confidence, the coloured part the gap; on the dashed diagonal both agree. "
        f"The gap that counts most: {many(int(found.counts[worst]), 'image')} with a confidence of "
        f"{bin_name(found, worst)}, on average {percent(sure)}, of which {percent(right)} are right, so the model is "
        f"{which} there. The grey bars below count the images. Click a bin to see its images."
    )


def temperature(found: Tempered, name: str) -> str:
    """Explain the temperature that was fitted; `name` is empty where there is only one model."""
    scaling = found.scaling
    if math.isnan(scaling.temperature):
        return "There are no validation images to fit a temperature on."
    value, (loss_before, loss_after) = scaling.temperature, scaling.log_loss
    error_before, error_after = scaling.expected_calibration_error
    shown = round(value, 2)
    effect = "less" if shown > 1 else "more" if shown < 1 else "neither more nor less"
    accuracy = percent(found.results.predictions.accuracy)
    text = (
        f"**Temperature{f' of {name}' if name else ''} {value:.2f}**, fitted on {count(found.fitted_on)} validation "
        f"images: log loss {loss(loss_before)} → {loss(loss_after)}, ECE {percent(error_before)} → "
        f"{percent(error_after)}, accuracy {accuracy} before and after. Dividing all logits by it makes the model "
        f"{effect} confident and leaves their order as it is."
    )
    return f"{text} {limit(scaling)}" if scaling.at_limit else text


def limit(scaling: TemperatureScaling) -> str:
    """Say that the search has ended at its limit, and what that means."""
    if scaling.temperature == COLDEST:
        why = "every validation image is classified correctly, so more confidence is always better"
    else:
        why = "the probabilities are no better than chance, so none at all would be better"
    end = COLDEST if scaling.temperature == COLDEST else HOTTEST
    return f"This is the end of the range searched ({end:g}): {why}. Do not rely on it."


def foreign(title: str) -> str:
    """Say on what the temperature is fitted where the model was trained on another set; `title` is escaped."""
    return f"The model was trained on {title}; the temperature is fitted on the validation images of this data set."


def keeping(predictions: Predictions, keep: np.ndarray, threshold: float) -> str:
    """Say what is gained by rejecting the others."""
    n, number = predictions.n, int(keep.sum())
    accuracy = float(predictions.correct[keep].mean())
    text = (
        f"**{count(number)} of {many(n, 'image')} kept**, those with a confidence of at least {percent(threshold)}: "
        f"{percent(accuracy)} of them are right"
    )
    if number == n:
        return f"{text}. Nothing is rejected."
    return (
        f"{text}, instead of {percent(predictions.accuracy)} of all. Rejected: {count(n - number)}, of which "
        f"{percent(float(predictions.correct[~keep].mean()))} would have been right."
    )


def coverage(aurc: Mapping[str, float], percentage: int) -> str:
    """Explain the curve."""
    areas = " and ".join(
        f"{percent(area)}" if len(aurc) == 1 else f"{percent(area)} for {name}" for name, area in aurc.items()
    )
    return (
        "From right to left the least certain images are left to a person, and the accuracy on the rest is drawn. "
        f"A model that knows when it does not know rises steeply. The mark stands at {percentage}%; click elsewhere to "
        f"move it. Averaged over all coverages, {areas} of the kept images are wrong (area under the risk-coverage "
        "curve)."
    )
