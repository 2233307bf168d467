"""The wrongly classified images: in order, by the pair of classes, and by parts of the split."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.analysis.mistakes import Key, Kind, ordered
from explorer.ui import controls, state
from explorer.ui.charts import slices as drawing
from explorer.ui.evaluate import clickable, images, slice_words
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.scope import Scope
from explorer.ui.evaluate.slice_results import slices
from explorer.ui.formats import count
from explorer.ui.text import markdown

PAIRS = 4
PARTS = "slices"
VIEWS = {"pairs": "Pairs of classes", PARTS: "Slices"}
BY = {"confidence": "Confidence", "loss": "Loss", "margin": "Margin"}
KINDS = {"class": "Class", "predicted": "Predicted class", "brightness": "Brightness", "ink": "Ink"}
TRUE, CALLED, PART = "mistake-true", "mistake-called", "slice"

Rows = NDArray[np.int64]


@st.fragment
def show(scope: Scope) -> None:
    """Show which classes and which parts of the split go wrong, and their images."""
    state.follow()
    predictions, truths = scope.a.results.predictions, true_names(scope)
    left, right = controls.columns()
    with left:
        view = controls.segments("Find mistakes by", VIEWS, "mistakes", labelled=False)
    part = _slices(scope, left, right) if view == PARTS else None
    with left:
        true, called = _classes(truths, predictions.classes)
        by, backwards = _order()
    if view != PARTS:
        _pairs(scope, right, true, called)
    rows, what = _rows(scope, part, by, backwards)
    if true is not None:
        rows = rows[predictions.labels[rows] == true]
        what += f" of {markdown(truths[true])}"
    if called is not None:
        rows = rows[predictions.predicted[rows] == called]
        what += f" called {markdown(predictions.classes[called])}"
    images.show(
        scope,
        rows,
        key="mistakes",
        heading=slice_words.heading(len(rows), what, by, backwards),
        empty=slice_words.empty(predictions.n, bool(predictions.correct.all())),
    )


def _pairs(scope: Scope, right: DeltaGenerator, true: int | None, called: int | None) -> None:
    """Show the pairs of classes confused most; a bar filters the images by its true and predicted class."""
    predictions, truths = scope.a.results.predictions, true_names(scope)
    wrong = predictions.confidence[~predictions.correct]
    pairs = scope.a.results.matrix.confused_pairs(PAIRS)
    if not pairs:
        return
    both = drawing.directions(pairs)
    sure = int((wrong >= slice_words.SURE).sum())
    numbers = {(first, second): number for number, (first, second, _) in enumerate(both)}

    def choose(number: int | None) -> None:
        classes = (None, None) if number is None else both[number][:2]
        for key, value in zip((TRUE, CALLED), classes, strict=True):
            controls.put(key, value)

    with right:
        clickable.figure(
            drawing.pairs_chart(pairs, predictions.classes, (true, called), truths),
            name="confused-pairs",
            field="direction",
            values=range(len(both)),
            value=numbers.get((true, called)) if true is not None and called is not None else None,
            choose=choose,
            how_to_read=slice_words.pairs(pairs, predictions.classes, truths, len(wrong), sure),
            table=lambda: drawing.pairs_table(pairs, predictions.classes, truths),
        )


def _slices(scope: Scope, left: DeltaGenerator, right: DeltaGenerator) -> tuple[Rows, str] | None:
    """Show the error rate of the parts of the split; return rows and name of the chosen one."""
    with left:
        by = cast(Kind, controls.segments("Divide by", KINDS, PARTS, labelled=False))
        found = slices(scope, by)
        there = {number: drawing.slice_name(found, number) for number, part in enumerate(found.parts) if part.n}
        chosen = controls.select("Slice", there, PART, "Slice: none chosen")
    with right:
        clickable.figure(
            drawing.slices_chart(found, scope.a.results.predictions.misclassification_rate, chosen),
            name=f"error-by-{by}",
            field="part",
            values=list(there),
            value=chosen,
            choose=lambda part: controls.put(PART, part),
            how_to_read=slice_words.slices(found),
            table=lambda: drawing.slices_table(found),
        )
        if there:
            st.markdown(slice_words.worst(found))
    return None if chosen is None else (found.rows(chosen), slice_words.which(found, chosen))


def _classes(truths: Sequence[str], classes: Sequence[str]) -> tuple[int | None, int | None]:
    """Let the user filter by true and by predicted class."""
    true = controls.select("True class", dict(enumerate(truths)), TRUE, "True class: any")
    return true, controls.select("Predicted class", dict(enumerate(classes)), CALLED, "Predicted class: any")


def _order() -> tuple[Key, bool]:
    by = cast(Key, controls.segments("Order by", BY, "by", help=" ".join(slice_words.MEANINGS.values())))
    return by, controls.switch("The other way round", "backwards")


def _rows(scope: Scope, part: tuple[Rows, str] | None, by: Key, backwards: bool) -> tuple[Rows, str]:
    """Return the mistakes, or all images of a slice with its mistakes first, and what they are."""
    predictions = scope.a.results.predictions
    if part is None:
        rows = ordered(predictions, by, reverse=backwards)
        return rows, "mistake" if len(rows) == 1 else "mistakes"
    inside, name = part
    groups = (inside[~predictions.correct[inside]], inside[predictions.correct[inside]])
    rows = np.concatenate([ordered(predictions, by, group, backwards) for group in groups])
    return rows, f"{name} ({count(len(groups[0]))} wrong, shown first)"
