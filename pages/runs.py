"""Runs: every training run, to be found, compared, described, forked, exported and thrown away."""

import streamlit as st

from explorer.store import summaries
from explorer.ui.kit import controls, messages, state
from explorer.ui.runs import actions, compare, detail, files, table

RUNS, BIN = "Runs", "Bin"
DETAILS, CURVES, FORK, EXPORT, SETTINGS = "Details", "Curves", "Fork", "Export", "Settings"
SIZES, BOARD = "Size and accuracy", "TensorBoard"

head = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
head.title("Runs", width="content")
actions.show_notice()
found = summaries.listing()


def show_runs() -> None:
    """Show the table, and below it the runs that are chosen."""
    filters = table.show(found)
    chosen = table.choose(found, filters)
    shown = [run for run in found if filters.matches(run)]
    if not chosen:
        compare.size_and_accuracy(shown, chosen)
        return
    with st.container(horizontal=True, gap="small"):
        if len(chosen) == 1:
            show_buttons(chosen[0])
        actions.for_all(chosen)
    with messages.shown():
        sections = [DETAILS, CURVES, FORK, EXPORT] if len(chosen) == 1 else [CURVES, SETTINGS]
        match controls.segments("What to show", [*sections, SIZES, BOARD], "runs-show", labelled=False):
            case "Details":
                detail.details(chosen[0])
            case "Curves":
                compare.curves(chosen)
            case "Fork":
                detail.fork(chosen[0])
            case "Export":
                files.export(chosen[0])
            case "Settings":
                compare.differences(chosen)
            case "TensorBoard":
                from explorer.ui.runs import tensorboard

                tensorboard.show([run.run for run in chosen])
            case _:
                compare.size_and_accuracy(shown, chosen)


def show_buttons(run: summaries.Summary) -> None:
    """Show what can be done with one run."""
    detail.links(run)
    if not run.problem:
        detail.edit(run, {tag for other in found for tag in other.tags})


with head:
    view = controls.segments("Which runs", [RUNS, BIN], "runs-view", labelled=False)
    files.import_run()
if view == BIN:
    files.show()
elif found:
    show_runs()
else:
    with st.container(border=True, horizontal_alignment="left"):
        st.markdown("**No run yet.** A run is one training of one model; all of them are listed here to be compared.")
        st.button(
            "Train a model",
            icon=":material/model_training:",
            type="primary",
            key="empty-train",
            on_click=state.go,
            args=("train",),
        )
