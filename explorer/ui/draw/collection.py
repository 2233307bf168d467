"""What has been collected: the drawings, what the model says of them, and what can be done with them."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from explorer.data import own_set_export, own_sets
from explorer.data.own_set import OwnSet
from explorer.data.own_set_export import FEWEST, TEST, Download
from explorer.errors import ExplorerError
from explorer.ui import charts, explanations, formats, messages, state, widgets
from explorer.ui.draw import own, tuning
from explorer.ui.draw.models import short
from explorer.ui.draw.sight import Scene
from explorer.ui.text import markdown
from explorer.ui.tiles import Note, Tile, tiles

PAGE = 24
_PICKED = "collect:picked"
_MATRIX = "collect-matrix"
_WHICH = "collect-page"


def show(scene: Scene) -> None:
    """Show the chosen set, in a part of the page that a stroke does not renew."""
    with messages.shown():
        own.show_said()
        number = st.session_state.get(own.SET, "")
        if not number:
            st.info(
                "Nothing is kept yet. Draw something, say what it is and press Keep it: your drawings will stand "
                "here, to be exported, judged and trained on."
            )
            return
        chosen = own_sets.get(number)
        if not len(own.read(chosen).labels):
            st.info(f"{markdown(chosen.name)} is empty. Draw something, say what it is and press Keep it.")
            return
        _judge(scene, chosen)
        _gallery(scene, chosen)
        tuning.show(scene, chosen)


def _judge(scene: Scene, chosen: OwnSet) -> None:
    """Say how good the model is on the drawings, and offer the files."""
    from explorer.analysis.confusion import ConfusionMatrix

    matrix = ConfusionMatrix.from_predictions(own.predictions(scene.models[0], chosen))
    right = int(matrix.counts.trace())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.metric("Drawings", formats.count(matrix.n), width="content")
        st.metric(
            f"Accuracy of {short(scene.models[0], scene.dataset)}",
            formats.percent(right / matrix.n),
            help=f"{explanations.accuracy(matrix)} With so few images the true share lies, with 95% confidence, "
            "anywhere in the interval beside it (Wilson).",
            width="content",
        )
        st.metric("95% interval", explanations.interval(matrix), width="content")
        st.toggle("Confusion matrix", key=_MATRIX)
        _exports(chosen)
        st.button(
            "Judge on Evaluate",
            icon=":material/query_stats:",
            key="collect-evaluate",
            disabled=matrix.n < FEWEST,
            help=f"Freezes the drawings as a data set, with {TEST:.0%} held out for testing; {FEWEST} are needed. "
            "All that Evaluate shows of a data set, it then shows of your drawings.",
            on_click=_evaluate,
            args=(chosen,),
        )
    if st.session_state[_MATRIX]:
        widgets.figure(
            charts.confusion_matrix(matrix),
            name="own-confusion-matrix",
            how_to_read=explanations.confusion(matrix, "Counts"),
            table=lambda: charts.confusion_table(matrix, "Counts"),
            width=620,
        )


def _evaluate(chosen: OwnSet) -> None:
    try:
        state.go("evaluate", on=own_set_export.publish(chosen))
    except ExplorerError as error:
        own.say(str(error), problem=True)


def _exports(chosen: OwnSet) -> None:
    with st.popover("Export", icon=":material/download:", key="collect-export"), st.container(gap="xxsmall"):
        _download("PNG pictures (zip)", own_set_export.to_png, chosen, "-png.zip")
        _download("IDX, as MNIST (zip)", own_set_export.to_idx, chosen, "-idx.zip")
        _download("NumPy arrays (npz)", own_set_export.to_npz, chosen, ".npz")


def _download(label: str, make: Callable[[OwnSet], Download], chosen: OwnSet, ending: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in chosen.name.lower())[:40]
    st.download_button(
        label,
        lambda: make(chosen).content,
        f"{stem.strip('-') or 'drawings'}{ending}",
        key=f"collect-export-{ending}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


@st.fragment
def _gallery(scene: Scene, chosen: OwnSet) -> None:
    """Show the drawings, the newest first; a click chooses one, to be deleted."""
    drawings, found = own.read(chosen), own.predictions(scene.models[0], chosen)
    order = np.arange(len(drawings.labels))[::-1]
    pages = -(-len(order) // PAGE)
    page = int(st.number_input(f"Page of {pages}", 1, pages, key=_WHICH, width=140)) if pages > 1 else 1
    items = []
    for row in order[(page - 1) * PAGE : page * PAGE].tolist():
        said = f"{found.classes[found.predicted[row]]} {formats.percent(float(found.confidence[row]))}"
        title = scene.classes[drawings.labels[row]]
        items.append(Tile(int(drawings.ids[row]), drawings.images[row], title, (Note(said, bool(found.correct[row])),)))
    picked = st.session_state.get(_PICKED)
    tiles("collected", items, selected=picked, on_pick=_pick)
    place = np.flatnonzero(drawings.ids == picked) if picked is not None else np.empty(0)
    if not len(place):
        st.caption("Below each drawing what you called it, and what the model says. Click one to delete it.")
        return
    name = scene.classes[drawings.labels[int(place[0])]]
    label = f"Delete this {markdown(name)}"
    if st.button(label, icon=":material/delete:", key="collect-delete", on_click=_delete, args=(chosen, picked, name)):
        st.rerun()


def _pick(number: int) -> None:
    st.session_state[_PICKED] = number


def _delete(chosen: OwnSet, number: int, name: str) -> None:
    try:
        own.note(chosen, chosen.delete(number), f"a drawing of {name} was deleted")
        own.say(f"Deleted one {name}. Undo brings it back.")
    except ExplorerError as error:
        own.say(str(error), problem=True)
    st.session_state.pop(_PICKED, None)
