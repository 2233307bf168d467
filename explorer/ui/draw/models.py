"""The models that look at the drawing: the sidebar's, and up to three others beside it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data import catalog
from explorer.errors import ExplorerError
from explorer.ui import cache, listing
from explorer.ui.canvas.bars import MOST
from explorer.ui.draw import listed
from explorer.ui.listing import Entry
from explorer.ui.state import Selection
from explorer.ui.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint

BESIDE = "models"
"""URL parameter: references of the others."""
_WIDGET = "draw-models"


@dataclass(frozen=True, eq=False)
class Model:
    """One model that looks at the drawing.

    Attributes
    ----------
    reference : str
        As on the command line.
    name : str
        For people; may hold a user's own words, so it is escaped wherever it is shown.
    checkpoint : Checkpoint
    """

    reference: str
    name: str
    checkpoint: "Checkpoint"


def choose(selection: Selection) -> tuple[Model, ...]:
    """Let the user choose others to see the same drawing; the sidebar's model comes first.

    Raises
    ------
    ExplorerError
        The sidebar's checkpoint cannot be used.
    """
    first = cache.checkpoint(selection)
    found = listing.load().entries
    offered = {one.reference: one for one in found if _fits(one, selection, first)}
    chosen, unknown = listed.adopt(BESIDE, list(offered), MOST - 1)
    st.session_state[_WIDGET] = list(chosen)
    st.multiselect(
        "Compare with",
        list(offered),
        format_func=lambda reference: shorten(offered[reference].title, 40) if reference in offered else reference,
        key=_WIDGET,
        max_selections=MOST - 1,
        placeholder="Other models" if offered else "No other model yet",
        disabled=not offered,
        help="Up to three other models of the same classes, on the same drawing.",
        on_change=_take_over,
    )
    if unknown:
        st.warning(f"There is no model “{markdown(unknown)}” for this data set here; it is left out.")
    title = next((one.title for one in found if one.reference == selection.checkpoint), str(selection.checkpoint))
    name = title if selection.epoch is None else f"{title}, epoch {selection.epoch}"
    others = [Model(reference, offered[reference].title, offered[reference].checkpoint) for reference in chosen]
    return (Model(str(selection.reference), name, first), *others)


def short(model: Model, selection_dataset: str) -> str:
    """Return a name for narrow places: of a shipped model without its data set."""
    return shorten(model.name.removeprefix(f"{catalog.base(selection_dataset)}-"), 22)


def _take_over() -> None:
    listed.put(BESIDE, st.session_state[_WIDGET])


def _fits(entry: Entry, selection: Selection, first: "Checkpoint") -> bool:
    """Whether a checkpoint tells the same classes apart; those tuned on a user's drawings of them included."""
    if entry.reference == selection.checkpoint or catalog.base(entry.dataset or "") not in ("", selection.dataset):
        return False
    try:
        return bool(entry.checkpoint.classes == first.classes)
    except ExplorerError:
        return False
