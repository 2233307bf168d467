"""The left column: which image is explained, which others stand beside it, and which score."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.splits import Split, load_split
from explorer.ui.kit import address, answers, cache, controls, image_picker, messages, numbers, reference, state
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.state import Selection
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


PREDICTED, TRUE, SECOND, ALONE = "predicted", "true", "second", ""
"""Classes that depend on the image, beside those by number; and no second class."""


@dataclass(frozen=True)
class Aim:
    """The score that is explained.

    Attributes
    ----------
    target : int
        Class.
    against : int or None
        The class over which the target's lead is explained; None for the score of the target alone.
    notice : str
        Why it is not what was asked for; empty where it is.
    """

    target: int
    against: int | None = None
    notice: str = field(default="", compare=False)

    def names(self, classes: Sequence[str]) -> tuple[str, str | None]:
        """Return the names of both classes."""
        return classes[self.target], None if self.against is None else classes[self.against]

    def title(self, classes: Sequence[str]) -> str:
        """Return it as a short title, not escaped."""
        target, against = self.names(classes)
        return target if against is None else f"{target} rather than {against}"


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """An image that is explained.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28): what the model sees.
    name : str
    probabilities : ndarray
        float64, shape (C,).
    true : int or None
        Its class, where that is known.
    row : int or None
        Its row in the split, where it is of one.
    aim : Aim
    """

    image: NDArray[np.uint8]
    name: str
    probabilities: NDArray[np.float64]
    true: int | None
    row: int | None
    aim: Aim

    @property
    def predicted(self) -> int:
        """The class with the highest probability; the first one of several equal ones."""
        return int(self.probabilities.argmax())

    @property
    def right(self) -> bool | None:
        """Whether the prediction is right, where that is known."""
        return None if self.true is None else self.predicted == self.true


@dataclass(frozen=True, eq=False)
class Question:
    """Images and scores.

    Attributes
    ----------
    selection : Selection
    chosen : Checkpoint
        That of the selection.
    subjects : tuple of Subject
        The image that all sections are about, then those kept beside it.
    """

    selection: Selection
    chosen: "Checkpoint"
    subjects: tuple[ExplainedImage, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's outputs."""
        return self.chosen.classes

    @property
    def main(self) -> ExplainedImage:
        """The image that all sections are about."""
        return self.subjects[0]


def resolve(wanted: str, rather: str, probabilities: NDArray[np.float64], true: int | None) -> Aim:
    """Say which classes are meant for one image.

    Parameters
    ----------
    wanted : str
        `PREDICTED`, `TRUE` or the number of a class: whose score is explained.
    rather : str
        The same, `SECOND` or `ALONE`: over which class its lead is explained.
    probabilities : ndarray
        float64, shape (C,).
    true : int or None
        The class of the image, where it is known.
    """
    order = np.argsort(-probabilities, kind="stable").tolist()
    known = {PREDICTED: order[0], TRUE: true}
    target, notice = known.get(wanted, int(wanted) if wanted.isdecimal() else None), ""
    if target is None:
        target, notice = order[0], "The true class of this image is not known; its predicted class is explained."
    if rather == ALONE:
        return Aim(target, None, notice)
    other = next(number for number in order if number != target)
    against = known.get(rather, other if rather == SECOND else int(rather) if rather.isdecimal() else None)
    if against is None:
        return Aim(target, other, "The true class of this image is not known; its lead over the next class is shown.")
    if against == target:
        return Aim(target, other, "Both are the same class here; its lead over the next most probable one is shown.")
    return Aim(target, against, notice)


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
                reference.show(chosen, selection.dataset, logits, main.image, source == UPLOAD)
            if main.aim.notice:
                st.caption(f":material/info: {main.aim.notice}")
            found = Question(selection, chosen, (main, *others))
    return found


def _named(row: int) -> str:
    return f"Image {numbers.count(row)}"


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
            f"{selection.split.capitalize()} image, 0 to {numbers.count(last)}",
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
    given = image_picker.upload(dataset) if source == UPLOAD else image_picker.drawn(dataset)
    return None if given is None else given.image


def _kept_beside(split: Split) -> list[str]:
    """Return the rows that stand beside the one that is chosen."""
    return address.adopt_several(BESIDE, lambda name: address.is_row(name, len(split)), most=MOST - 1)[0]


def _keep_beside(split: Split, row: int) -> None:
    names = _kept_beside(split)
    st.button(
        "Keep",
        key="keep-beside",
        disabled=len(names) >= MOST - 1 or str(row) in names,
        on_click=partial(address.put_several, BESIDE, [*names, str(row)]),
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
            key=address.widget(BESIDE),
            on_change=address.changed(BESIDE),
            label_visibility="collapsed",
        )
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
) -> ExplainedImage:
    probabilities = cache.probabilities(selection, image)
    true = None if row is None else int(split.labels[row])
    if true is not None and true >= len(probabilities):
        true = None
    return ExplainedImage(image, name, probabilities, true, row, resolve(*score, probabilities, true))


def _picture(main: ExplainedImage, classes: tuple[str, ...]) -> None:
    """Show the image, what it is and what the model says of it."""
    st.html(img_tag(main.image, SCALE, main.name))
    said = f"**{markdown(classes[main.predicted])}** {numbers.percent(float(main.probabilities[main.predicted]))}"
    sign = {True: "✓ ", False: "× ", None: ""}[main.right]
    true = "" if main.true is None else f"True: **{markdown(classes[main.true])}**  \n"
    st.markdown(f"{true}Predicted: {sign}{said}")
    source = {"number": main.row} if main.row is not None else {"input": st.session_state["input"]}
    state.link("evaluate", ":small[All probabilities]", section="Any image", **source)
