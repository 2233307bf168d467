"""The sidebar that all pages share: data set, checkpoint, epoch and split."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.data import catalog
from explorer.data.splits import SPLITS
from explorer.ui.kit import address, checkpoints, state
from explorer.ui.kit.checkpoints import Entry, Listing
from explorer.ui.kit.text import markdown, shorten

DEFAULT_SPLIT = "test"
KEPT = "●"
USED: dict[str, tuple[str, ...]] = {
    "": ("dataset", "checkpoint"),
    "train": ("dataset",),
    "runs": (),
    "duel": ("dataset",),
}
"""What of the sidebar does something on a page, by its path; on all others everything does."""


def show(page: str) -> None:
    """Show the shared widgets that do something on a page, and keep what all of them say (`state.selection`).

    What is not shown keeps its value. A page that needs weights is offered only the epochs of a run that have them;
    for others its stored predictions are enough.
    """
    found, used = checkpoints.load(), USED.get(page, state.SHARED)
    with st.sidebar:
        dataset = _dataset(found, "dataset" in used)
        entries = found.of_dataset(dataset)
        entry = _checkpoint(entries, "checkpoint" in used)
        epoch = _epoch(entry, page in state.NEED_WEIGHTS, "epoch" in used) if entry else None
        split = _split("split" in used)
    chosen = state.Selection(dataset, entry.reference if entry else None, epoch, split)
    fixed = _default(entries).reference if any(one.kind == "shipped" for one in entries) else None
    best = entry.best_epoch if entry else None
    state.publish(chosen, state.Selection(catalog.names()[0], fixed, best, DEFAULT_SPLIT))


def _dataset(found: Listing, shown: bool) -> str:
    names = catalog.names()
    linked = found.get(st.query_params.get("checkpoint", "")) if address.is_new("checkpoint") else None
    own = catalog.base(linked.dataset) if linked and linked.dataset else None
    if own in names and "dataset" not in st.query_params:
        st.session_state["dataset"] = own
    unknown = address.adopt("dataset", names, names[0])
    if shown:
        st.selectbox(
            "Data set",
            names,
            format_func=lambda name: catalog.get(name).title,
            key="dataset",
            on_change=_touched,
            args=("dataset",),
        )
        _say_unknown(unknown, "data set")
    return str(st.session_state["dataset"])


def _checkpoint(entries: tuple[Entry, ...], shown: bool) -> Entry | None:
    if not entries:
        if shown:
            st.caption("There is no checkpoint of this data set yet.")
        return None
    titles = {entry.reference: entry.title for entry in entries}
    unknown = address.adopt("checkpoint", list(titles), _default(entries).reference)
    if shown:
        st.selectbox(
            "Checkpoint",
            list(titles),
            format_func=lambda reference: shorten(titles.get(str(reference), str(reference)), 60),
            key="checkpoint",
            on_change=_touched,
            args=("checkpoint",),
        )
        _say_unknown(unknown, "checkpoint")
    return next(entry for entry in entries if entry.reference == st.session_state["checkpoint"])


def _default(entries: tuple[Entry, ...]) -> Entry:
    """Return the shipped checkpoint with the highest validation accuracy, else the first one."""
    shipped = [one for one in entries if one.kind == "shipped"] or entries[:1]

    def accuracy(entry: Entry) -> float:
        found = entry.checkpoint.metrics.get("validation_accuracy")
        return found if isinstance(found, float) else 0.0

    return max(shipped, key=accuracy) if len(shipped) > 1 else shipped[0]


def _epoch(entry: Entry, needs_weights: bool, shown: bool) -> int | None:
    """Let the user choose among several kept epochs; a slider with one epoch would be an error."""
    weights, every = entry.weights, entry.epochs
    epochs = weights if needs_weights else every
    if len(epochs) < 2:
        return None
    best = entry.best_epoch if entry.best_epoch in epochs else epochs[-1]
    before = state.previous()
    if before and before.checkpoint != entry.reference and not address.is_new("epoch"):
        address.put("epoch", best)
    before, unknown = st.session_state.get("epoch"), address.adopt("epoch", epochs, best)
    without = {str(epoch) for epoch in every if epoch not in epochs} & {str(before), unknown}
    wanted = int(without.pop()) if without else None
    if wanted is not None:
        st.session_state["epoch"] = min(epochs, key=lambda epoch: abs(epoch - wanted))
    if not shown:
        return int(st.session_state["epoch"])
    if wanted is not None:
        st.caption(f"The weights of epoch {wanted} are not kept, so the nearest epoch is shown.")
    elif unknown:
        _say_unknown(unknown, "epoch")
    st.select_slider(
        "Epoch",
        epochs,
        format_func=lambda epoch: f"{epoch} {KEPT}" if epoch in weights else str(epoch),
        key="epoch",
        help=f"Moves every page to the state after this epoch. Epoch {best} was the best on the validation images. "
        f"{KEPT} marks epochs whose weights are kept; of the others there are predictions, which Evaluate shows.",
        on_change=_touched,
        args=("epoch",),
    )
    return int(st.session_state["epoch"])


def _split(shown: bool) -> str:
    unknown = address.adopt("split", SPLITS, DEFAULT_SPLIT)
    if not shown:
        return str(st.session_state["split"])
    st.segmented_control(
        "Split",
        SPLITS,
        format_func=str.capitalize,
        key="split",
        required=True,
        width="stretch",
        help="Which images are judged: those it learnt from, those that chose its best epoch, or unseen ones (test).",
        on_change=_touched,
        args=("split",),
    )
    _say_unknown(unknown, "split")
    return str(st.session_state["split"])


def _touched(key: str) -> None:
    """Note a change by the user. A fragment that polls may send an old value along; that is not one."""
    context = get_script_run_ctx()
    if context is None or not context.fragment_ids_this_run:
        address.touched(key)


def _say_unknown(asked: str | None, kind: str) -> None:
    if asked is not None:
        st.warning(f"There is no {kind} “{markdown(shorten(asked))}” here; this one is shown instead.")
