"""Whether the model is as sure as it is right, and what rejecting the least certain images gains."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import ExplorerError
from explorer.ui import cache, controls, formats, messages, state
from explorer.ui.charts.reliability import bin_name, reliability_diagram, reliability_table
from explorer.ui.evaluate import calibration_words, clickable, images, rejection
from explorer.ui.evaluate.calibration_results import Tempered, tempered
from explorer.ui.evaluate.results import Results
from explorer.ui.evaluate.scope import Scope
from explorer.ui.text import markdown

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
        st.info(calibration_words.EMPTY)
        return
    if scope.a.selection.split == "train" and scope.own:
        said = calibration_words.training(scope.a.results.predictions, _trained_on(scope))
        st.caption(f":material/school: {said}")
    left, right = controls.columns()
    with left:
        view = controls.segments("Calibration", VIEWS, "calibration", labelled=False)
    if view == REJECTION:
        rejection.show(scope, left, right)
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
            number: f"{bin_name(first, number)} ({formats.count(there)})"
            for number, there in enumerate(first.counts.tolist())
            if there
        }
        chosen = controls.select("Bin of confidence", bins, BIN, "Images: choose a bin")
        _words(scope, shown[0], found)
    with right:
        clickable.figure(
            reliability_diagram(
                first, chosen, shown[1].reliability if len(shown) > 1 else None, _title(after, found, scope.a.name)
            ),
            name="reliability-diagram",
            field=BIN,
            values=list(bins),
            value=chosen,
            choose=partial(controls.put, BIN),
            how_to_read=calibration_words.diagram(first),
            table=lambda: reliability_table(first),
        )
    _images_of_bin(scope, shown[0], chosen, after)


def _words(scope: Scope, shown: Results, found: Mapping[str, Tempered]) -> None:
    """Explain the calibration error and what the temperature does to it."""
    paragraphs = [calibration_words.error(shown.reliability, shown.predictions)]
    paragraphs += [calibration_words.temperature(one, name if len(found) > 1 else "") for name, one in found.items()]
    if scope.foreign:
        paragraphs.append(calibration_words.foreign(markdown(scope.foreign)))
    if scope.a.selection.split == "validation":
        paragraphs.append(calibration_words.VALIDATION)
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
        heading = f"{formats.many(len(rows), 'image')} with a confidence of {bin_name(found, chosen)}, mistakes first"
        heading += " (the confidences below are those before scaling)" if after else ""
    empty = "Click a bin of the diagram, or choose one on the left, to see its images."
    images.show(scope, rows, key="bin", heading=heading, empty=empty)
