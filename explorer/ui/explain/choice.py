"""The left column: which image is explained, which others stand beside it, and which score."""

import random
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.splits import Split, load_split
from explorer.ui import address, answers, cache, controls, formats, inputs, known, messages, state
from explorer.ui.explain import several
from explorer.ui.explain.question import ALONE, PREDICTED, SECOND, TRUE, Question, Subject, resolve
from explorer.ui.images import img_tag
from explorer.ui.state import Selection
from explorer.ui.text import markdown

IMAGE, BESIDE, OF_CLASS, TARGET, AGAINST = "image", "beside", "of-class", "target", "against"
"""Widgets and URL parameters."""
SPLIT, UPLOAD, DRAWING = "split", "upload", "drawing"
SOURCES = {SPLIT: "Split", UPLOAD: "Upload", DRAWING: "Drawing"}
MOST = 6
"""Images at once."""
SCALE = 5


def show(selection: Selection, scored: bool = True) -> Question | None:
    """Let the user choose image and score; None, with what to do, where there is no image yet.

    Parameters
    ----------
    selection : Selection
    scored : bool
        Whether a score is explained, and of several images; otherwise only the one image is chosen.

    Raises
    ------
    ExplorerError
        The checkpoint cannot be used, or an uploaded picture or the drawing is none.
    """
    chosen = cache.checkpoint(selection)
    split = load_split(selection.dataset, selection.split)
    source = controls.segments("Image", SOURCES, "input", labelled=False)
    picture = st.container(gap="xsmall")
    row = _row(selection, split, scored) if source == SPLIT else None
    found = None
    with messages.shown():
        given = split.images[row] if row is not None else _brought(source, selection.dataset)
        if given is not None:
            beside = _beside(split, row) if scored else []
            score = _score(chosen.classes) if scored else (PREDICTED, ALONE)
            name = _named(row) if row is not None else f"Your {source}"
            main = _subject(selection, given, name, split, row, score)
            others = [_subject(selection, split.images[one], _named(one), split, one, score) for one in beside]
            with picture:
                _picture(main, chosen.classes)
            if row is None:
                logits = answers.logits(chosen, main.image[None])[0]
                known.show(chosen, selection.dataset, logits, main.image, source == UPLOAD)
            if main.aim.notice:
                st.caption(f":material/info: {main.aim.notice}")
            found = Question(selection, chosen, (main, *others))
    return found


def _named(row: int) -> str:
    return f"Image {formats.count(row)}"


def _row(selection: Selection, split: Split, several_at_once: bool) -> int:
    """Let the user choose an image of the split: by number, at random, of a class, or a mistake."""
    last = len(split) - 1
    kept = st.session_state.get(IMAGE)
    if isinstance(kept, int) and kept > last:
        st.session_state[IMAGE] = last
    unknown = address.adopt(IMAGE, range(last + 1), 0)
    place = st.container()
    buttons = st.container(horizontal=True, gap="xsmall")
    names = dict(enumerate(cache.checkpoint(selection).classes))
    of_class = controls.select("Class", names, OF_CLASS, "Random: of any class")
    among = np.arange(len(split)) if of_class is None else np.flatnonzero(split.labels == of_class)
    with buttons:
        if st.button("Random", key="random", help="A random image of the split, of the class chosen below."):
            _take(among, "There is no image of this class in the split.")
        if st.button("Mistake", key="mistake", help="A random one that the model gets wrong."):
            _take(np.intersect1d(among, cache.predictions(selection).mistakes()), "The model makes no mistake here.")
    with place:
        row = st.number_input(
            f"{selection.split.capitalize()} image, 0 to {formats.count(last)}",
            0,
            last,
            key=IMAGE,
            on_change=address.touched,
            args=(IMAGE,),
        )
    if several_at_once:
        with buttons:
            _keep_beside(split, int(row))
    address.keep({IMAGE: row}, {IMAGE: 0})
    if unknown is not None:
        st.caption(f"There is no image “{markdown(unknown[:20])}” in this split.")
    return int(row)


def _take(rows: NDArray[np.int64], empty: str) -> None:
    if len(rows):
        st.session_state[IMAGE] = int(random.choice(rows))
    else:
        st.info(empty)


def _brought(source: str, dataset: str) -> NDArray[np.uint8] | None:
    given = inputs.upload(dataset) if source == UPLOAD else inputs.drawn(dataset)
    return None if given is None else given.image


def _kept_beside(split: Split) -> list[str]:
    """Return the rows that stand beside the one that is chosen."""

    def valid(name: str) -> bool:
        return name.isascii() and name.isdecimal() and len(name) < 9 and int(name) < len(split)

    return several.adopt(BESIDE, valid)[: MOST - 1]


def _keep_beside(split: Split, row: int) -> None:
    names = _kept_beside(split)
    st.button(
        "Keep",
        key="keep-beside",
        disabled=len(names) >= MOST - 1 or str(row) in names,
        on_click=partial(several.put, BESIDE, [*names, str(row)]),
        help=f"Keeps this image in view beside the next ones that you choose; up to {MOST} at once.",
    )


def _beside(split: Split, row: int | None) -> list[int]:
    """Show the images that stand beside the one that is chosen; each can be taken away."""
    names = _kept_beside(split)
    if names:
        st.multiselect(
            "Kept beside it",
            names,
            format_func=lambda name: _named(int(name)),
            key=several.widget(BESIDE),
            on_change=several.changed(BESIDE),
            label_visibility="collapsed",
        )
    several.keep(BESIDE)
    return [int(name) for name in names if int(name) != row]


def _score(classes: tuple[str, ...]) -> tuple[str, str]:
    """Let the user choose the score: of a class, or its lead over another one."""
    titles = {str(number): name for number, name in enumerate(classes)}
    first = {PREDICTED: "predicted class", TRUE: "true class"}
    wanted = _one("Explain the score of", first | titles, TARGET, PREDICTED)
    others = {ALONE: "alone", TRUE: "true class", PREDICTED: "predicted class", SECOND: "next probable class"}
    help = "Why this and not that: explains by how much the first score exceeds the second one."
    return wanted, _one("rather than", others | titles, AGAINST, ALONE, help)


def _one(label: str, titles: dict[str, str], key: str, default: str, help: str | None = None) -> str:
    address.adopt(key, list(titles), default)
    chosen = st.selectbox(
        label,
        list(titles),
        format_func=lambda name: titles.get(str(name), str(name)),
        key=key,
        help=help or "The score is the output (logit) of a class, before the softmax makes probabilities of all.",
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: chosen}, {key: default})
    return str(chosen)


def _subject(
    selection: Selection,
    image: NDArray[np.uint8],
    name: str,
    split: Split,
    row: int | None,
    score: tuple[str, str],
) -> Subject:
    probabilities = cache.probabilities(selection, image)
    true = None if row is None else int(split.labels[row])
    if true is not None and true >= len(probabilities):
        true = None
    return Subject(image, name, probabilities, true, row, resolve(*score, probabilities, true))


def _picture(main: Subject, classes: tuple[str, ...]) -> None:
    """Show the image, what it is and what the model says of it."""
    st.html(img_tag(main.image, SCALE, main.name))
    said = f"**{markdown(classes[main.predicted])}** {formats.percent(float(main.probabilities[main.predicted]))}"
    sign = {True: "✓ ", False: "× ", None: ""}[main.right]
    true = "" if main.true is None else f"True: **{markdown(classes[main.true])}**  \n"
    st.markdown(f"{true}Predicted: {sign}{said}")
    source = {"number": main.row} if main.row is not None else {"input": st.session_state["input"]}
    state.link("evaluate", ":small[All probabilities]", section="Any image", **source)
