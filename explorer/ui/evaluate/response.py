"""The network's output for any image beside its target: the response."""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.analysis.drawings.verdicts import Output
from explorer.errors import CheckpointError
from explorer.ui.charts.probabilities import response_chart, response_table
from explorer.ui.evaluate.scope import Scope, true_names
from explorer.ui.kit import address, answers, cache, controls, image_picker, messages, reference, state
from explorer.ui.kit import figure as kit_figure
from explorer.ui.kit.image_picker import OwnImage
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.numbers import count, loss, percent
from explorer.ui.kit.text import html_text, markdown, plain

if TYPE_CHECKING:
    from explorer.ui.evaluate.scope import Judged


@dataclass(frozen=True, eq=False)
class Answer(Output):
    """What one of the judged models says of one image.

    Attributes
    ----------
    name : str
        A or B.
    classes : tuple of str
        The C names.
    """

    name: str
    classes: tuple[str, ...]


def of_row(judged: "Judged", name: str, row: int) -> Answer:
    """Return the output for an image of the judged split, from its predictions."""
    predictions = judged.results.predictions
    return Answer(predictions.logits[row].astype(np.float64), name, predictions.classes)


def of_image(judged: "Judged", name: str, image: NDArray[np.uint8]) -> Answer:
    """Compute the output for any image.

    Parameters
    ----------
    judged : Judged
    name : str
    image : ndarray
        uint8, shape (28, 28).

    Raises
    ------
    ExplorerError
        The weights are not kept or cannot be used, or answer with numbers that are not finite.
    """
    chosen = cache.checkpoint(judged.selection)
    return Answer(answers.logits(chosen, image[None])[0], name, tuple(chosen.classes))


NUMBER = "number"
SPLIT, UPLOAD, DRAWING = "split", "upload", "drawing"
SOURCES = {SPLIT: "Split", UPLOAD: "Upload", DRAWING: "Drawing"}
LOGITS = "logits"
BARS = {"probabilities": "Probabilities", LOGITS: "Logits"}
SCALE = 4


@st.fragment
def show(scope: Scope) -> None:
    """Show the output of the network, or of both, for an image of the split, an upload or the drawing."""
    state.follow()
    left, right = controls.columns()
    with left, messages.shown():
        source = controls.segments("Image", SOURCES, "input", labelled=False)
        given = _given(scope, source)
        if given is None:
            return
        classes = scope.a.results.predictions.classes
        target = _target(scope, given, classes)
        outputs = _outputs(scope, given)
        _picture(scope, given)
        _show(outputs, target, right)
        with right, suppress(CheckpointError):  # of an epoch whose weights are not kept nothing more can be found out
            chosen = cache.checkpoint(scope.a.selection)
            reference.show(chosen, scope.a.selection.dataset, outputs[0].logits, given.image, source == UPLOAD)


def _given(scope: Scope, source: str) -> OwnImage | None:
    dataset = scope.a.selection.dataset
    if source == UPLOAD:
        return image_picker.upload(dataset)
    if source == DRAWING:
        return image_picker.drawn(dataset)
    if not scope.a.results.predictions.n:
        st.info("This split holds no images. Upload a picture or draw one.")
        return None
    return _of_split(scope)


def _target(scope: Scope, given: OwnImage, classes: tuple[str, ...]) -> int | None:
    """Return the label of an image of the split; of another one, what the user says."""
    if given.row is not None:
        return int(scope.images.labels[given.row])
    return controls.select("It is meant to be", dict(enumerate(classes)), "meant-class", "Target: none")


def _outputs(scope: Scope, given: OwnImage) -> list[Answer]:
    pairs = list(zip("AB", scope.both, strict=False))
    if given.row is not None:
        return [of_row(judged, name, given.row) for name, judged in pairs]
    return [of_image(judged, name, given.image) for name, judged in pairs]


def _picture(scope: Scope, given: OwnImage) -> None:
    """Show what the user brought and what the model sees of it."""
    with st.container(horizontal=True, gap="small"):
        if given.original is not None:
            _labelled(img_tag(given.original, 1, "The picture as it was read"), "As it was read")
        _labelled(img_tag(given.image, SCALE, "What the model sees"), "What the model sees")
    if given.row is not None:
        index = int(scope.images.indices[given.row])
        st.caption(whereabouts(given.row, scope.a.selection.split, index))
        if scope.foreign:
            label = int(scope.images.labels[given.row])
            names = (true_names(scope)[label], scope.a.results.predictions.classes[label])
            st.caption(foreign(*map(markdown, names)))


def _labelled(picture: str, caption: str) -> None:
    st.html(f'{picture}<div style="font-size:.8rem;padding-top:.2rem">{html_text(caption)}</div>', width="content")


def _show(outputs: Sequence[Answer], target: int | None, place: DeltaGenerator) -> None:
    """Show the verdict, the errors, the bars and the table."""
    classes = outputs[0].classes
    with place:
        for output in outputs:
            st.markdown(verdict(output, target, len(outputs) > 1))
            if target is not None:
                _errors(output, target)
        logits = {output.name: output.logits.tolist() for output in outputs}
        shares = {output.name: output.probabilities.tolist() for output in outputs}
        bars_place, table_place = st.columns([1.1, 1], gap="small") if len(outputs) == 1 else (place, place)
        with table_place:
            bars = controls.segments("Bars", BARS, "bars", labelled=False)
        shown = logits if bars == LOGITS else shares
        with bars_place:
            kit_figure.figure(
                response_chart(classes, shown, target, bars == LOGITS),
                name="response",
                how_to_read=figure(outputs, target),
                table=lambda: response_table(classes, logits, shares, target),
            )
        with table_place:
            _table(outputs, target)


def _errors(output: Answer, target: int) -> None:
    """Show the errors of an output in one line, each with its explanation."""
    with st.container(horizontal=True, gap="medium"):
        for name, value, explanation in errors(output, target):
            st.markdown(f":small[{name}] **{value}**", help=explanation, width="content")


def _table(outputs: Sequence[Answer], target: int | None) -> None:
    """Show logits and probabilities of every class as numbers, the target as 1 and 0."""
    classes = outputs[0].classes
    rows: list[dict[str, str]] = []
    for number, name in enumerate(classes):
        row = {"Class": plain(name), "Target": "–" if target is None else f"{int(number == target)}"}
        for output in outputs:
            of = f" of {output.name}" if len(outputs) > 1 else ""
            row[f"Logit{of}"] = f"{output.logits[number]:+.2f}"
            row[f"Probability{of}"] = percent(float(output.probabilities[number]), 2)
        rows.append(row)
    right = st.column_config.TextColumn(alignment="right")
    columns = {name: right for name in rows[0] if name != "Class"}
    st.dataframe(rows, hide_index=True, column_config=columns, height="content", row_height=24, key="response-table")


def _of_split(scope: Scope) -> OwnImage:
    """Let the user choose an image of the judged split, by number, at random, or one that the model gets wrong."""
    split = scope.images
    last = len(split) - 1
    address.adopt(NUMBER, range(last + 1), 0)
    wrong = np.flatnonzero(~scope.a.results.predictions.correct)
    with st.container(horizontal=True, gap="small"):
        st.button("Random", key="response-random", on_click=_choose, args=(range(last + 1),))
        st.button("A mistake", key="response-wrong", on_click=_choose, args=(wrong,), disabled=not len(wrong))
    row = st.number_input(f"Number, 0 to {count(last)}", 0, last, key=NUMBER, on_change=address.touched, args=(NUMBER,))
    address.keep({NUMBER: row}, {NUMBER: 0})
    return OwnImage(split.images[row], row=int(row))


def _choose(rows: "range | NDArray[np.int64]") -> None:
    address.put(NUMBER, int(random.choice(rows)))


def verdict(output: Answer, target: int | None, several: bool) -> str:
    """Say what the model answers, and how far that is from the target."""
    name = markdown(output.classes[output.predicted])
    top = float(output.probabilities[output.predicted])
    who = f"**{output.name}**" if several else "The model"
    text = f"{who} says **{name}** with {percent(top)}"
    if output.tied > 1:
        text += f", the first of {output.tied} classes that share the highest output"
    if target is None:
        return f"{text}."
    if target == output.predicted:
        return f"{text}. ✓ That is the target."
    wanted, place = markdown(output.classes[target]), output.rank(target)
    return (
        f"{text}. × The target is **{wanted}**: it gets {percent(float(output.probabilities[target]))}, "
        f"rank {place} of {len(output.classes)}."
    )


def errors(output: Answer, target: int) -> list[tuple[str, str, str]]:
    """Return name, value and explanation of the errors of this output."""
    classes = len(output.classes)
    guess = 1 - 1 / classes
    return [
        (
            "Squared error",
            loss(output.squared_error(target)),
            "The squared differences between the probabilities and the target, summed over the classes: 0 is perfect, "
            f"{guess:.1f} is equal probabilities for all {classes}, 2 is being sure of a wrong class.",
        ),
        (
            "Cross-entropy",
            f"{loss(output.cross_entropy(target))} nats",
            "Minus the natural logarithm of the probability of the target: 0 is perfect, and it has no upper limit.",
        ),
        (
            "Rank of the target",
            f"{output.rank(target)} of {classes}",
            "The place of the target's class when the classes are put in order of their outputs, the highest first.",
        ),
    ]


def figure(outputs: Sequence[Answer], target: int | None) -> str:
    """Explain the bars."""
    output = outputs[0]
    name = markdown(output.classes[output.predicted])
    logit = float(output.logits[output.predicted])
    text = (
        f"The network answers with one logit for each class, the highest being {logit:+.2f} for {name}; the softmax "
        "makes probabilities of them, which add up to 100%. "
    )
    if target is None:
        return f"{text}There is no target: choose one on the left to compare."
    wanted = markdown(output.classes[target])
    missing = 1 - float(output.probabilities[target])
    return (
        f"{text}The dashed frame, at ▸, is the target: 1 for {wanted} and 0 for all others. "
        f"The bar in the frame{f' of {output.name}' if len(outputs) > 1 else ''} is {percent(missing)} too short, and "
        "that much is spread over the other classes."
    )


def whereabouts(row: int, split: str, index: int) -> str:
    """Say which image it is."""
    return f"Image {count(row)} of the {split} split, number {count(index)} in the file of the data set."


def foreign(label: str, read_as: str) -> str:
    """Say how a label of another data set is read; both names are escaped."""
    return f"Its label is {label}. The model does not know it; the class with the same number is {read_as}."
