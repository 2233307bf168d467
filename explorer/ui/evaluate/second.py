"""The second checkpoint, to be compared with that of the sidebar."""

import streamlit as st

from explorer.errors import RunError
from explorer.ui import address
from explorer.ui.listing import Entry, Listing
from explorer.ui.state import Selection
from explorer.ui.text import markdown, shorten

WITH, EPOCH = "with", "with-epoch"
"""Widgets and URL parameters: reference of the second checkpoint, and its epoch where it is of a run."""
NOBODY = ""
NOT_COMPARED = "Nothing: judge one alone"
_HERE = "with-here"
_BEFORE = "second:before"


def choose(found: Listing, chosen: Selection) -> tuple[Entry, int | None] | None:
    """Let the user choose a second checkpoint of the same data set, and an epoch of it.

    Parameters
    ----------
    found : Listing
        All checkpoints.
    chosen : Selection
        The first one.

    Returns
    -------
    tuple of Entry and int or None, or None
        None where nothing is compared.
    """
    offered = offers(found, chosen)
    titles = {entry.reference: entry.title for entry in offered}
    unknown = address.adopt(WITH, [NOBODY, *titles], NOBODY)
    entry = next((one for one in offered if one.reference == st.session_state[WITH]), None)
    label = f"B: {markdown(shorten(entry.title, 28))}" if entry else "Compare with …"
    with st.popover(label, icon=":material/compare_arrows:", key="compare-with"):
        st.selectbox(
            "Second model (B)",
            [NOBODY, *titles],
            format_func=lambda reference: shorten(titles.get(str(reference), NOT_COMPARED), 60),
            key=WITH,
            on_change=address.touched,
            args=(WITH,),
        )
        epoch = _epoch(entry, chosen) if entry else None
        st.caption("Both judge the same images, and every section shows them side by side where that helps.")
    if entry is None:
        st.session_state[_BEFORE] = None
    best = entry.best_epoch if entry else None
    address.keep({WITH: st.session_state[WITH], EPOCH: epoch}, {WITH: NOBODY, EPOCH: best})
    if unknown is not None:
        st.warning(
            f"There is no second model “{markdown(shorten(unknown))}” of this data set here; one is judged alone."
        )
    return (entry, epoch) if entry else None


def offers(found: Listing, chosen: Selection) -> tuple[Entry, ...]:
    """Return what can be compared with the first: all others of the data set, and other epochs of the same run."""
    entries = found.of_dataset(chosen.dataset)
    return tuple(entry for entry in entries if entry.reference != chosen.checkpoint or len(_epochs(entry)) > 1)


def choose_here(offered: tuple[Entry, ...]) -> None:
    """Offer the same choice inside a section, which the whole page then follows."""
    titles = {entry.reference: entry.title for entry in offered}
    picked = st.selectbox(
        "Second model (B)",
        list(titles),
        index=None,
        format_func=lambda reference: shorten(titles.get(str(reference), str(reference)), 60),
        placeholder="Choose a checkpoint",
        key=_HERE,
        on_change=_take_over,
    )
    if picked:
        st.rerun()


def _take_over() -> None:
    st.session_state[WITH] = st.session_state[_HERE]
    address.touched(WITH)


def _epoch(entry: Entry, chosen: Selection) -> int | None:
    """Let the user choose among several epochs; a new choice of the run begins at its best one."""
    epochs = _epochs(entry)
    if len(epochs) < 2:
        st.session_state[_BEFORE] = None
        return None
    best = entry.best_epoch if entry.best_epoch in epochs else epochs[-1]
    if st.session_state.get(_BEFORE) != entry.reference and not address.is_new(EPOCH):
        same = chosen.checkpoint == entry.reference and chosen.epoch == best
        st.session_state[EPOCH] = epochs[0] if same and best != epochs[0] else epochs[-1] if same else best
        address.touched(EPOCH)
    st.session_state[_BEFORE] = entry.reference
    unknown = address.adopt(EPOCH, epochs, best)
    st.select_slider("Epoch of B", epochs, key=EPOCH, on_change=address.touched, args=(EPOCH,))
    if unknown is not None:
        st.warning(f"There is no epoch “{markdown(shorten(unknown))}” of it here; this one is shown instead.")
    return int(st.session_state[EPOCH])


def _epochs(entry: Entry) -> tuple[int, ...]:
    try:
        return entry.epochs
    except RunError:
        return ()  # deleted since it was listed
