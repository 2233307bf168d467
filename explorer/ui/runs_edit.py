"""Changing what people say of a run: its name, its note, its tags."""

from collections.abc import Iterable

import streamlit as st

from explorer.store import runs
from explorer.store.description import MAX_NAME, MAX_NOTE, MAX_TAG, MAX_TAGS
from explorer.store.summaries import Summary
from explorer.ui import formats, runs_actions


def edit(run: Summary, known_tags: Iterable[str]) -> None:
    """Show the form in a popover.

    Parameters
    ----------
    run : Summary
    known_tags : iterable of str
        Tags of other runs, which are offered.
    """
    key = f"runs-edit-{run.id}"
    with (
        st.popover("Edit", icon=":material/edit:", key=key, help="Name, note and tags."),
        st.form(f"{key}-form", border=False),
    ):
        # No max_chars: the browser would cut what is pasted without a word.
        st.text_input("Name", run.name, key=f"{key}-name", help=f"Up to {MAX_NAME} characters.")
        st.text_area("Note", run.note, key=f"{key}-note", help=f"Up to {formats.count(MAX_NOTE)} characters.")
        st.multiselect(
            "Tags",
            sorted({*run.tags, *known_tags}),
            default=run.tags,
            accept_new_options=True,
            placeholder="Type a word, then Enter",
            key=f"{key}-tags",
            help=f"Up to {MAX_TAGS} tags of up to {MAX_TAG} characters.",
        )
        st.form_submit_button("Save", type="primary", key=f"{key}-save", on_click=_save, args=(run.id, key))


def _save(run_id: str, key: str) -> None:
    with runs_actions.answered() as notice:
        changes = {field: st.session_state[f"{key}-{field}"] for field in ("name", "note", "tags")}
        run = runs.get(run_id)
        run.describe(**changes)
        notice.done = f"“{runs_actions.name_of(run)}” is saved."
