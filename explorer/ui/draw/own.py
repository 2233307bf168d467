"""The user's own sets of drawings as the page needs them: which is chosen, its content, what has been done to it."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.own import sets
from explorer.data.own.sets import MAX_NAME, OwnSet, SetChange
from explorer.data.preparation.steps import Grey
from explorer.errors import DataError, ExplorerError
from explorer.ui.draw import predictions as draw_predictions
from explorer.ui.draw.predictions import Model
from explorer.ui.kit import address, answers
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import Predictions

SET = "set"
"""Widget and URL parameter: the id of the set."""
FIRST = "My drawings"
MOST_CHANGES = 50
PART = 100
"""Drawings that are predicted at a time, while others may have to wait."""
_NAME = "collect-name"
_CHANGES = "collect:changes"
_SAID = "collect:said"


class Kept(NamedTuple):
    """The drawings of a set, oldest first: images (N, 28, 28), their classes (N,), and the number of each (N,)."""

    images: Grey
    labels: NDArray[np.int64]
    ids: NDArray[np.int64]


def choose(dataset: str) -> OwnSet | None:
    """Let the user choose a set or begin one; None while there is none, the first drawing that is kept begins it."""
    found = {one.id: one for one in sets.list_sets(dataset)}
    unknown = address.adopt(SET, ["", *found], next(iter(found), ""))
    if found:
        if st.session_state[SET] not in found:
            st.session_state[SET] = next(iter(found))
        st.selectbox(
            "Your set",
            list(found),
            format_func=lambda number: shorten(found[number].name, 40) if number in found else str(number),
            key=SET,
            on_change=_turn,
        )
    else:
        st.text_input("Your set", FIRST, disabled=True, help="It begins with the first drawing that you keep.")
    address.keep({SET: st.session_state[SET]}, {SET: next(iter(found), "")})
    if unknown:
        st.warning("The set in the link is not here; another one is shown.")
    return found.get(st.session_state[SET])


def _turn() -> None:
    address.touched(SET)
    draw_predictions.ask()


def begin_another(dataset: str) -> None:
    """Offer to begin another set."""
    with st.popover("New set", icon=":material/add:", width="stretch"):
        st.text_input("Name of the new set", key=_NAME, max_chars=MAX_NAME)
        st.button("Begin it", key="collect-create", on_click=_create, args=(dataset,))


def _create(dataset: str) -> None:
    try:
        made = sets.create(st.session_state.get(_NAME, ""), dataset)
    except ExplorerError as error:
        say(str(error), problem=True)
        return
    st.session_state[_NAME] = ""
    address.put(SET, made.id)
    say(f"The set {made.name} is empty so far: the next drawing that you keep goes into it.")


def say(text: str, problem: bool = False) -> None:
    """Leave a message for the next run, in a callback; it is escaped when it is shown."""
    st.session_state[_SAID] = (text, problem)
    draw_predictions.ask()


def show_said() -> None:
    """Show the message once, and offer to undo what was done last."""
    text, problem = st.session_state.pop(_SAID, ("", False))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if changes():
            st.button("Undo", icon=":material/undo:", key="collect-undo", on_click=_undo)
        if text:
            (st.error if problem else st.success)(markdown(text))


def changes() -> list[tuple[str, SetChange, str]]:
    """Return what this session has done: set, change and what it was, oldest first."""
    found: list[tuple[str, SetChange, str]] = st.session_state.setdefault(_CHANGES, [])
    return found


def note(own: OwnSet, change: SetChange, what: str) -> None:
    """Keep a change for Undo."""
    changes().append((own.id, change, what))
    del changes()[:-MOST_CHANGES]


def _undo() -> None:
    number, change, what = changes().pop()
    try:
        sets.get(number).undo(change)
        say(f"Undone: {what}.")
    except ExplorerError as error:
        say(str(error), problem=True)


def read(own: OwnSet) -> Kept:
    """Return the drawings of a set, read again only when they have changed.

    Raises
    ------
    DataError
        The file is damaged.
    """
    return _read(own.id, version(own), own)


def version(own: OwnSet) -> int:
    """Return a number that is another one whenever the drawings have changed."""
    try:
        return max(path.stat().st_mtime_ns for path in own.path.glob("*.npz"))
    except (OSError, ValueError):
        return 0


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(number: str, modified: int, _own: OwnSet) -> Kept:
    found = _own.read()
    return Kept(found.images, found.labels, found.ids)


def predictions(model: Model, own: OwnSet) -> "Predictions":
    """Return what a model says of all drawings of a set.

    Raises
    ------
    ExplorerError
        The set or the model cannot be used.
    """
    return _predictions(model.checkpoint.digest, own.id, version(own), model, own)


@st.cache_resource(max_entries=16, show_spinner="Predicting your drawings …")
def _predictions(digest: str, number: str, modified: int, _model: Model, _own: OwnSet) -> "Predictions":
    from explorer.analysis.evaluation.predictions import Predictions

    split = _own.split()
    classes = _model.checkpoint.classes
    if len(_own.classes) != len(classes):
        raise DataError("This set of drawings has other classes than the model. Choose another set.")
    starts = range(0, len(split), PART)
    parts = [answers.logits(_model.checkpoint, split.images[start : start + PART]) for start in starts]
    found = np.concatenate(parts) if parts else np.empty((0, len(classes)))
    return Predictions(found.astype(np.float32), split.labels, split.indices, classes, digest, split.dataset, "own")
