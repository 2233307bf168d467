"""The bin on the page Runs: what is in it, the way back, and the end."""

import streamlit as st

from explorer.store import bin as runs_bin
from explorer.store import summaries
from explorer.ui import runs_actions, runs_table

KEY = "runs-bin"


def show() -> None:
    """Show the runs in the bin with the buttons to restore them or to delete all for good."""
    found = [summaries.summarise(run) for run in runs_bin.binned()]
    if not found:
        st.info("The bin is empty. Runs that you put into it stay here until you empty it.")
        return
    ticked = runs_table.tick(found, KEY)
    with st.container(horizontal=True):
        st.button(
            "Restore",
            icon=":material/restore_from_trash:",
            type="primary",
            disabled=not ticked,
            key="runs-restore",
            on_click=runs_actions.restore,
            args=([run.id for run in ticked],),
            help="Tick the runs in the table first." if not ticked else None,
        )
        with st.popover("Empty the bin …", icon=":material/delete_forever:", key="runs-empty"):
            count = len(found)
            what = f"these {count:,} runs" if count > 1 else "this run"
            st.markdown(f"Delete {what} for good, with all weights and predictions? There is no way back.")
            st.button(f"Delete {what} for good", type="primary", key="runs-empty-yes", on_click=runs_actions.empty_bin)
