"""What is gained if the least certain images are left to a person."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.analysis.rejection import kept
from explorer.ui import controls
from explorer.ui.charts.coverage import PERCENTS, coverage_chart, coverage_table
from explorer.ui.evaluate import calibration_words, clickable, images
from explorer.ui.evaluate.scope import Scope
from explorer.ui.formats import many

KEEP, DEFAULT = "keep", 90
REJECTED, WRONG = "rejected", "wrong"
GROUPS = {REJECTED: "Rejected, right", WRONG: "Kept, wrong"}
HEADINGS = {REJECTED: "Rejected though right", WRONG: "Kept though wrong"}
NONE = {
    REJECTED: "Nothing that is right is rejected here. Keep fewer images.",
    WRONG: "Nothing that is wrong is kept here.",
}


def show(scope: Scope, left: DeltaGenerator, right: DeltaGenerator) -> None:
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
            said = calibration_words.keeping(predictions, *kept(predictions, keep / 100))
            st.markdown(f":small[{f'{name}: ' if scope.b else ''}{said}]")
        group = controls.segments("Images", GROUPS, "rejected", labelled=False)
    with right:
        clickable.figure(
            coverage_chart(curves, keep),
            name="accuracy-against-coverage",
            field="percent",
            values=PERCENTS,
            value=keep,
            choose=_keep,
            how_to_read=calibration_words.coverage({name: one.aurc for name, one in curves.items()}, keep),
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
        controls.put(KEEP, percent)
