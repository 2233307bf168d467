"""Whether the model is as sure as it is right, and what rejecting the least certain images gains."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data import catalog
from explorer.errors import ExplorerError
from explorer.ui.charts.calibration import bin_name, reliability_diagram, reliability_table
from explorer.ui.evaluate import images
from explorer.ui.evaluate.scope import Judged, Results, Scope
from explorer.ui.kit import address, cache, controls, messages, numbers, state
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.calibration import TemperatureScaling
    from explorer.analysis.evaluation.predictions import Predictions
import math

from explorer.analysis.evaluation.calibration import COLDEST, HOTTEST, Reliability, TemperatureScaling
from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.evaluation.rejection import kept
from explorer.ui.charts.calibration import PERCENTS, coverage_chart, coverage_table
from explorer.ui.kit.numbers import count, loss, many, percent, points


@dataclass(frozen=True, eq=False)
class Tempered:
    """A temperature and what follows from it.

    Attributes
    ----------
    scaling : TemperatureScaling
    fitted_on : int
        Number of images on which it was fitted.
    results : Results
        Of the judged predictions with their logits divided by the temperature; the untouched ones where there is no
        image to fit it on.
    """

    scaling: "TemperatureScaling"
    fitted_on: int
    results: Results


def tempered(judged: Judged) -> Tempered:
    """Fit a temperature on the validation images of the judged data set and apply it to the judged split.

    Raises
    ------
    ExplorerError
        There are no predictions of the validation images, nor can they be computed.
    """
    fitted_on = cache.predictions(replace(judged.selection, split="validation"))
    found = judged.results.predictions
    rounded = (found.exact_predicted is not None, fitted_on.exact_predicted is not None)
    checksum = catalog.get(found.dataset).checksum
    return _tempered(found.checkpoint, checksum, found.split, rounded, found, fitted_on)


@st.cache_resource(max_entries=24, show_spinner=False)
def _tempered(
    digest: str,
    checksum: str,
    split: str,
    rounded: tuple[bool, bool],
    _judged: "Predictions",
    _fitted_on: "Predictions",
) -> Tempered:
    from explorer.analysis.evaluation import calibration

    scaling = calibration.TemperatureScaling.from_predictions(_fitted_on, _judged)
    after = calibration.tempered(_judged, scaling.temperature) if _fitted_on.n else _judged
    return Tempered(scaling, _fitted_on.n, Results(after))


REJECTION = "rejection"
VIEWS = {"reliability": "Reliability", REJECTION: "Rejection"}
BIN = "bin"
SCALING = (
    "One number divides all logits, chosen so that the log loss on the validation images is least "
    "(Guo et al., 2017). It mends a model that is too sure of itself, or not sure enough."
)


@st.fragment
def show(scope: Scope) -> None:
    """Show the reliability diagram with temperature scaling, or accuracy against coverage."""
    state.follow()
    if not scope.a.results.predictions.n:
        st.info(EMPTY)
        return
    if scope.a.selection.split == "train" and scope.own:
        said = training(scope.a.results.predictions, _trained_on(scope))
        st.caption(f":material/school: {said}")
    left, right = controls.columns()
    with left:
        view = controls.segments("Calibration", VIEWS, "calibration", labelled=False)
    if view == REJECTION:
        show_rejection(scope, left, right)
        return
    with messages.shown():
        _reliability(scope, left, right)


def _trained_on(scope: Scope) -> int | None:
    """Return on how many images of the training split A was trained; None where that is not known."""
    try:
        config = cache.checkpoint(scope.a.selection).metadata.config
    except ExplorerError:
        return None
    subset = config.get("subset")
    return min(subset, scope.a.results.predictions.n) if isinstance(subset, int) else None


def _reliability(scope: Scope, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Show accuracy against confidence; a bin leads to its images."""
    found = {name: tempered(one) for name, one in zip("AB", scope.both, strict=False)}
    with left:
        after = controls.switch("Scale by temperature", "tempered", help=SCALING)
        shown = [found[name].results if after else one.results for name, one in zip("AB", scope.both, strict=False)]
        first = shown[0].reliability
        bins = {
            number: f"{bin_name(first, number)} ({numbers.count(there)})"
            for number, there in enumerate(first.counts.tolist())
            if there
        }
        chosen = controls.select("Bin of confidence", bins, BIN, "Images: choose a bin")
        _words(scope, shown[0], found)
    with right:
        images.figure(
            reliability_diagram(
                first, chosen, shown[1].reliability if len(shown) > 1 else None, _title(after, found, scope.a.name)
            ),
            name="reliability-diagram",
            field=BIN,
            values=list(bins),
            value=chosen,
            choose=partial(address.put, BIN),
            how_to_read=diagram(first),
            table=lambda: reliability_table(first),
        )
    _images_of_bin(scope, shown[0], chosen, after)


def _words(scope: Scope, shown: Results, found: Mapping[str, Tempered]) -> None:
    """Explain the calibration error and what the temperature does to it."""
    paragraphs = [error(shown.reliability, shown.predictions)]
    paragraphs += [temperature(one, name if len(found) > 1 else "") for name, one in found.items()]
    if scope.foreign:
        paragraphs.append(foreign(markdown(scope.foreign)))
    if scope.a.selection.split == "validation":
        paragraphs.append(VALIDATION)
    for paragraph in paragraphs:
        st.markdown(f":small[{paragraph}]")


def _title(after: bool, found: Mapping[str, Tempered], name: str) -> str:
    of = f" of {name}" if len(found) > 1 else ""
    if not after:
        return f"Reliability diagram{of}"
    return f"Reliability diagram{of}, after temperature scaling"


def _images_of_bin(scope: Scope, shown: Results, chosen: int | None, after: bool) -> None:
    """Show the images of the chosen bin, the wrong ones first."""
    found = shown.reliability
    rows = np.empty(0, dtype=np.int64) if chosen is None else found.rows(shown.predictions, chosen)
    if chosen is None:
        heading = "Images of a bin"
    else:
        heading = f"{numbers.many(len(rows), 'image')} with a confidence of {bin_name(found, chosen)}, mistakes first"
        heading += " (the confidences below are those before scaling)" if after else ""
    empty = "Click a bin of the diagram, or choose one on the left, to see its images."
    images.show(scope, rows, key="bin", heading=heading, empty=empty)


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


KEEP, DEFAULT = "keep", 90
REJECTED, WRONG = "rejected", "wrong"
GROUPS = {REJECTED: "Rejected, right", WRONG: "Kept, wrong"}
HEADINGS = {REJECTED: "Rejected though right", WRONG: "Kept though wrong"}
NONE = {
    REJECTED: "Nothing that is right is rejected here. Keep fewer images.",
    WRONG: "Nothing that is wrong is kept here.",
}


def show_rejection(scope: Scope, left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Show accuracy against coverage, and the images on which the rejection is wrong.

    Parameters
    ----------
    scope : Scope
        With at least one image.
    left, right : DeltaGenerator
        The columns of controls and figure.
    """
    curves = {name: one.results.coverage for name, one in zip("AB", scope.both, strict=False)}
    with left:
        keep = controls.slide("Keep the most certain", PERCENTS, DEFAULT, KEEP, "%d%%")
        for name, one in zip("AB", scope.both, strict=False):
            predictions = one.results.predictions
            said = keeping(predictions, *kept(predictions, keep / 100))
            st.markdown(f":small[{f'{name}: ' if scope.b else ''}{said}]")
        group = controls.segments("Images", GROUPS, "rejected", labelled=False)
    with right:
        images.figure(
            coverage_chart(curves, keep),
            name="accuracy-against-coverage",
            field="percent",
            values=PERCENTS,
            value=keep,
            choose=_keep,
            how_to_read=coverage({name: one.aurc for name, one in curves.items()}, keep),
            table=lambda: coverage_table(curves),
        )
    predictions = scope.a.results.predictions
    inside, _ = kept(predictions, keep / 100)
    wanted = ~inside & predictions.correct if group == REJECTED else inside & ~predictions.correct
    rows = np.flatnonzero(wanted)
    rows = rows[np.argsort(-predictions.confidence[rows], kind="stable")]
    heading = f"{HEADINGS[group]}: {many(len(rows), 'image')}, most confident first"
    images.show(scope, rows, key="coverage", heading=heading, empty=NONE[group])


def _keep(percent: int | None) -> None:
    if percent is not None:
        address.put(KEEP, percent)
