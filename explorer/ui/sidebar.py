"""The sidebar that all pages share: data set, checkpoint, epoch and split."""

import streamlit as st

from explorer.data import catalog
from explorer.data.splits import SPLITS
from explorer.ui import address, listing, state
from explorer.ui.listing import Entry, Listing
from explorer.ui.text import markdown, shorten

DEFAULT_SPLIT = "test"


def show() -> None:
    """Show the shared widgets and keep what they say for the page (`state.selection`)."""
    found = listing.load()
    with st.sidebar:
        dataset = _dataset(found)
        entries = found.of_dataset(dataset)
        entry = _checkpoint(entries)
        epoch = _epoch(entry) if entry else None
        split = _split()
    chosen = state.Selection(dataset, entry.reference if entry else None, epoch, split)
    fixed = next((one.reference for one in entries if one.kind == "shipped"), None)
    best = entry.best_epoch if entry else None
    state.publish(chosen, state.Selection(catalog.names()[0], fixed, best, DEFAULT_SPLIT))


def _dataset(found: Listing) -> str:
    names = catalog.names()
    linked = found.get(st.query_params.get("checkpoint", "")) if address.is_new("checkpoint") else None
    if linked and linked.dataset in names and "dataset" not in st.query_params:
        st.session_state["dataset"] = linked.dataset
    unknown = address.adopt("dataset", names, names[0])
    st.selectbox(
        "Data set",
        names,
        format_func=lambda name: catalog.get(name).title,
        key="dataset",
        on_change=address.touched,
        args=("dataset",),
    )
    _say_unknown(unknown, "data set")
    return str(st.session_state["dataset"])


def _checkpoint(entries: tuple[Entry, ...]) -> Entry | None:
    if not entries:
        st.selectbox("Checkpoint", ["none yet"], disabled=True)
        return None
    titles = {entry.reference: entry.title for entry in entries}
    unknown = address.adopt("checkpoint", list(titles), entries[0].reference)
    st.selectbox(
        "Checkpoint",
        list(titles),
        format_func=lambda reference: shorten(titles.get(str(reference), str(reference)), 60),
        key="checkpoint",
        on_change=address.touched,
        args=("checkpoint",),
    )
    _say_unknown(unknown, "checkpoint")
    return next(entry for entry in entries if entry.reference == st.session_state["checkpoint"])


def _epoch(entry: Entry) -> int | None:
    """Let the user choose among several kept epochs; a slider with one epoch would be an error."""
    if len(entry.epochs) < 2:
        return None
    best = entry.best_epoch if entry.best_epoch in entry.epochs else entry.epochs[-1]
    before = state.previous()
    if before and before.checkpoint != entry.reference and not address.is_new("epoch"):
        st.session_state["epoch"] = best
        address.touched("epoch")
    unknown = address.adopt("epoch", entry.epochs, best)
    st.select_slider(
        "Epoch",
        entry.epochs,
        key="epoch",
        help=f"The epochs whose weights are kept. Epoch {best} was the best on the validation images.",
        on_change=address.touched,
        args=("epoch",),
    )
    _say_unknown(unknown, "epoch")
    return int(st.session_state["epoch"])


def _split() -> str:
    unknown = address.adopt("split", SPLITS, DEFAULT_SPLIT)
    st.segmented_control(
        "Split",
        SPLITS,
        format_func=str.capitalize,
        key="split",
        required=True,
        width="stretch",
        help="Which images are judged: those it learnt from, those that chose its best epoch, or unseen ones (test).",
        on_change=address.touched,
        args=("split",),
    )
    _say_unknown(unknown, "split")
    return str(st.session_state["split"])


def _say_unknown(asked: str | None, kind: str) -> None:
    if asked is not None:
        st.warning(f"There is no {kind} “{markdown(shorten(asked))}” here; this one is shown instead.")
