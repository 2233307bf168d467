"""The network's output for any image beside its target: the response."""

import random
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.errors import CheckpointError
from explorer.ui import address, cache, controls, inputs, known, messages, state, widgets
from explorer.ui.charts.response import response_chart, response_table
from explorer.ui.evaluate import response_words
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.output import Answer, of_image, of_row
from explorer.ui.evaluate.scope import Scope
from explorer.ui.formats import count, percent
from explorer.ui.images import img_tag
from explorer.ui.inputs import Given
from explorer.ui.text import html_text, markdown, plain

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
            known.show(chosen, scope.a.selection.dataset, outputs[0].logits, given.image, source == UPLOAD)


def _given(scope: Scope, source: str) -> Given | None:
    dataset = scope.a.selection.dataset
    if source == UPLOAD:
        return inputs.upload(dataset)
    if source == DRAWING:
        return inputs.drawn(dataset)
    if not scope.a.results.predictions.n:
        st.info("This split holds no images. Upload a picture or draw one.")
        return None
    return _of_split(scope)


def _target(scope: Scope, given: Given, classes: tuple[str, ...]) -> int | None:
    """Return the label of an image of the split; of another one, what the user says."""
    if given.row is not None:
        return int(scope.images.labels[given.row])
    return controls.select("It is meant to be", dict(enumerate(classes)), "meant-class", "Target: none")


def _outputs(scope: Scope, given: Given) -> list[Answer]:
    pairs = list(zip("AB", scope.both, strict=False))
    if given.row is not None:
        return [of_row(judged, name, given.row) for name, judged in pairs]
    return [of_image(judged, name, given.image) for name, judged in pairs]


def _picture(scope: Scope, given: Given) -> None:
    """Show what the user brought and what the model sees of it."""
    with st.container(horizontal=True, gap="small"):
        if given.original is not None:
            _labelled(img_tag(given.original, 1, "The picture as it was read"), "As it was read")
        _labelled(img_tag(given.image, SCALE, "What the model sees"), "What the model sees")
    if given.row is not None:
        index = int(scope.images.indices[given.row])
        st.caption(response_words.whereabouts(given.row, scope.a.selection.split, index))
        if scope.foreign:
            label = int(scope.images.labels[given.row])
            names = (true_names(scope)[label], scope.a.results.predictions.classes[label])
            st.caption(response_words.foreign(*map(markdown, names)))


def _labelled(picture: str, caption: str) -> None:
    st.html(f'{picture}<div style="font-size:.8rem;padding-top:.2rem">{html_text(caption)}</div>', width="content")


def _show(outputs: Sequence[Answer], target: int | None, place: DeltaGenerator) -> None:
    """Show the verdict, the errors, the bars and the table."""
    classes = outputs[0].classes
    with place:
        for output in outputs:
            st.markdown(response_words.verdict(output, target, len(outputs) > 1))
            if target is not None:
                _errors(output, target)
        logits = {output.name: output.logits.tolist() for output in outputs}
        shares = {output.name: output.probabilities.tolist() for output in outputs}
        bars_place, table_place = st.columns([1.1, 1], gap="small") if len(outputs) == 1 else (place, place)
        with table_place:
            bars = controls.segments("Bars", BARS, "bars", labelled=False)
        shown = logits if bars == LOGITS else shares
        with bars_place:
            widgets.figure(
                response_chart(classes, shown, target, bars == LOGITS),
                name="response",
                how_to_read=response_words.figure(outputs, target),
                table=lambda: response_table(classes, logits, shares, target),
            )
        with table_place:
            _table(outputs, target)


def _errors(output: Answer, target: int) -> None:
    """Show the errors of an output in one line, each with its explanation."""
    with st.container(horizontal=True, gap="medium"):
        for name, value, explanation in response_words.errors(output, target):
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


def _of_split(scope: Scope) -> Given:
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
    return Given(split.images[row], row=int(row))


def _choose(rows: "range | NDArray[np.int64]") -> None:
    st.session_state[NUMBER] = int(random.choice(rows))
    address.touched(NUMBER)
