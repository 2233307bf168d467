"""Duel: two values of one setting against each other. The form on the left, the duel that is watched on the right."""

import streamlit as st

from explorer.training import supervisor
from explorer.ui import (
    duel_form,
    duel_menu,
    duel_results,
    duel_standing,
    duel_watch,
    duel_words,
    messages,
    state,
    widgets,
)

st.title("Duel")
with messages.shown():
    supervisor.ensure()
form, figures = st.columns([1, 2.6], gap="large")
dataset = state.selection().dataset


def show_empty() -> None:
    """Say what a duel is, and offer some."""
    with st.container(border=True):
        st.markdown(duel_words.ABOUT)
        st.markdown("Choose one of these, which fills in the form, or make your own on the left:")
        with st.container(horizontal=True):
            duel_menu.suggestions(dataset, "empty")


with form, messages.shown():
    started = duel_form.show(dataset)
    if started:
        duel_watch.follow(started)

with figures, st.container(key=duel_watch.PLACE), messages.shown():
    duel = duel_watch.choose()
    if duel is None:
        show_empty()
    else:
        standing = duel_standing.look(duel)
        duel_results.heading(standing)
        duel_results.verdict(standing)
        duel_watch.watch(standing)
        duel_results.details(standing)
widgets.look()
