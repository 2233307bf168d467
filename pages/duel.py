"""Duel: two values of one setting against each other. The form on the left, the duel that is watched on the right."""

import streamlit as st

from explorer.training.queue import supervisor
from explorer.ui.experiments import form as experiments_form
from explorer.ui.experiments import progress, results, watch
from explorer.ui.kit import figure, messages, state

st.title("Duel")
with messages.shown():
    supervisor.ensure()
form, figures = st.columns([1, 2.6], gap="large")
dataset = state.selection().dataset


def show_empty() -> None:
    """Say what a duel is, and offer some."""
    with st.container(border=True):
        st.markdown(progress.ABOUT)
        st.markdown("Choose one of these, which fills in the form, or make your own on the left:")
        with st.container(horizontal=True):
            experiments_form.suggestions(dataset, "empty")


with form, messages.shown():
    started = experiments_form.show(dataset)
    if started:
        watch.follow(started)

with figures, st.container(key=watch.PLACE), messages.shown():
    duel = watch.choose()
    if duel is None:
        show_empty()
    else:
        duel_progress = progress.look(duel)
        results.heading(duel_progress)
        results.verdict(duel_progress)
        watch.watch(duel_progress)
        results.details(duel_progress)
figure.look()
