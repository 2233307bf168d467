"""The wrongly classified images: in order, by the pair of classes, and by parts of the split."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.analysis.evaluation.mistakes import Key, Kind, ordered
from explorer.data import catalog
from explorer.ui.charts import mistakes as drawing
from explorer.ui.evaluate import images
from explorer.ui.evaluate.scope import Scope, true_names
from explorer.ui.kit import address, controls, numbers, state
from explorer.ui.kit.numbers import count
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.mistakes import Kind, Slices
from explorer.analysis.evaluation.confusion import ConfusedPair
from explorer.analysis.evaluation.intervals import Interval, wilson
from explorer.analysis.evaluation.mistakes import Kind, Slices
from explorer.ui.charts.mistakes import directions, slice_name
from explorer.ui.kit.numbers import many, percent

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
        heading=heading(len(rows), what, by, backwards),
        empty=empty(predictions.n, bool(predictions.correct.all())),
    )


def _pairs(scope: Scope, right: DeltaGenerator, true: int | None, called: int | None) -> None:
    """Show the pairs of classes confused most; a bar filters the images by its true and predicted class."""
    predictions, truths = scope.a.results.predictions, true_names(scope)
    wrong = predictions.confidence[~predictions.correct]
    pairs = scope.a.results.matrix.confused_pairs(PAIRS)
    if not pairs:
        return
    both = drawing.directions(pairs)
    sure = int((wrong >= SURE).sum())
    numbers = {(first, second): number for number, (first, second, _) in enumerate(both)}

    def choose(number: int | None) -> None:
        classes = (None, None) if number is None else both[number][:2]
        for key, value in zip((TRUE, CALLED), classes, strict=True):
            address.put(key, value)

    with right:
        images.figure(
            drawing.pairs_chart(pairs, predictions.classes, (true, called), truths),
            name="confused-pairs",
            field="direction",
            values=range(len(both)),
            value=numbers.get((true, called)) if true is not None and called is not None else None,
            choose=choose,
            how_to_read=pairs_text(pairs, predictions.classes, truths, len(wrong), sure),
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
        images.figure(
            drawing.slices_chart(found, scope.a.results.predictions.misclassification_rate, chosen),
            name=f"error-by-{by}",
            field="part",
            values=list(there),
            value=chosen,
            choose=lambda part: address.put(PART, part),
            how_to_read=slices_text(found),
            table=lambda: drawing.slices_table(found),
        )
        if there:
            st.markdown(worst(found))
    return None if chosen is None else (found.rows(chosen), which(found, chosen))


def _classes(truths: Sequence[str], classes: Sequence[str]) -> tuple[int | None, int | None]:
    """Let the user filter by true and by predicted class."""
    true = controls.select("True class", dict(enumerate(truths)), TRUE, "True class: any")
    return true, controls.select("Predicted class", dict(enumerate(classes)), CALLED, "Predicted class: any")


def _order() -> tuple[Key, bool]:
    by = cast(Key, controls.segments("Order by", BY, "by", help=" ".join(MEANINGS.values())))
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


def slices(scope: Scope, by: "Kind") -> "Slices":
    """Divide the judged images and count the errors of A."""
    found = scope.a.results.predictions
    rounded = found.exact_predicted is not None
    return _computed_slices(found.checkpoint, catalog.get(found.dataset).checksum, found.split, rounded, by, scope)


@st.cache_resource(max_entries=48, show_spinner=False)
def _computed_slices(digest: str, checksum: str, split: str, rounded: bool, by: "Kind", _scope: Scope) -> "Slices":
    from explorer.analysis.evaluation.mistakes import Slices

    found = Slices.from_predictions(_scope.a.results.predictions, by, _scope.images.images)
    if by != "class":
        return found
    named = [replace(part, name=name) for part, name in zip(found.parts, true_names(_scope), strict=True)]
    return replace(found, parts=tuple(named))


WHICH: dict[Kind, str] = {
    "class": "images of {}",
    "predicted": "images called {}",
    "brightness": "images with a mean pixel of {}",
    "ink": "images with {} of their pixels not black",
}
SURE = 0.9
"""From this confidence on, a mistake counts as a confident one."""

ORDERS: dict[Key, tuple[str, str]] = {
    "confidence": ("most confident first", "least confident first"),
    "loss": ("highest loss first", "lowest loss first"),
    "margin": ("closest calls first", "widest margins first"),
}
MEANINGS: dict[Key, str] = {
    "confidence": "Confidence: the probability of the predicted class.",
    "loss": "Loss: minus the logarithm of the probability of the true class; high where the model saw no chance of it.",
    "margin": "Margin: the highest probability less the second; small where the model hesitated between two.",
}


def which(found: Slices, number: int) -> str:
    """Name the images of a part."""
    return WHICH[found.by].format(markdown(slice_name(found, number)))


def worst(found: Slices) -> str:
    """Name the part with the highest error rate, and say whether it is distinguishable from the rest."""
    there = [number for number, part in enumerate(found.parts) if part.n]
    errors, n = (sum(getattr(part, name) for part in found.parts) for name in ("errors", "n"))
    if not errors:
        return "No image is classified wrongly, so no slice is worse than another."
    number = max(there, key=lambda one: found.parts[one].rate)
    part, others, wrong = found.parts[number], n - found.parts[number].n, errors - found.parts[number].errors
    text = (
        f"**Worst slice: {which(found, number)}.** {count(part.errors)} of {count(part.n)} are wrong, "
        f"{_rate(part.rate, part.interval)}"
    )
    if not others:
        return f"{text}. There are no other images to compare with."
    rest = wilson(wrong, others)
    text += f"; of the other {count(others)}, {_rate(wrong / others, rest)}."
    if part.interval.low > rest.high:
        return f"{text} The intervals do not overlap, so the slice is distinguishable from the rest."
    return f"{text} The intervals overlap, so the slice is not distinguishable from the rest: it may be chance."


def slices_text(found: Slices) -> str:
    """Explain the chart by its best part."""
    there = [number for number, part in enumerate(found.parts) if part.n]
    text = (
        "Each bar is the share of wrong predictions in one part of the split; the whisker is its 95% interval, long "
        "where images are few. The dashed line is the error rate of all images. "
    )
    if not there:
        return f"{text}This split holds no images."
    best = min(there, key=lambda one: found.parts[one].rate)
    part = found.parts[best]
    few = f"{count(part.errors)} of {count(part.n)} {which(found, best)}"
    return f"{text}Fewest errors: {few}. Click a bar to see its images."


def pairs_text(
    found: Sequence[ConfusedPair], classes: Sequence[str], true_classes: Sequence[str], mistakes: int, sure: int
) -> str:
    """Explain the chart by its first pair; `sure` mistakes were made with a confidence of at least `SURE`."""
    first = found[0]
    (true, called, there), (_, _, back) = directions([first])
    share = sum(pair.total for pair in found) / mistakes
    return (
        "Each pair of bars is two classes that were taken for each other, in the colour of the true class. "
        f"{many(there, 'image')} of {markdown(true_classes[true])} {'was' if there == 1 else 'were'} called "
        f"{markdown(classes[called])}, and {count(back)} the other way round. These pairs make up {percent(share)} "
        f"of all {many(mistakes, 'mistake')}; in {count(sure)} of all the model was at least "
        f"{percent(SURE, 0)} sure. Click a bar to see its images."
    )


def heading(number: int, what: str, by: Key, backwards: bool) -> str:
    """Write the heading of the gallery; `what` is escaped."""
    return f"{count(number)} {what}, {ORDERS[by][backwards]}"


def empty(n: int, perfect: bool) -> str:
    """Say why there is no image to show."""
    if not n:
        return "This split holds no images."
    if perfect:
        return "The model makes no mistake on this split."
    return "No image fits all the choices on the left. Take one of them back."


def _rate(rate: float, interval: Interval) -> str:
    return f"{percent(rate)} (95% interval {numbers.interval(*interval) or '–'})"
