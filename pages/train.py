"""Train: the settings on the left, the run that is watched on the right."""

import streamlit as st

from explorer.training import supervisor
from explorer.ui import messages, run_watch, state, train_form

st.title("Train")
with messages.shown():
    supervisor.ensure()
form, figures = st.columns([1, 2.6], gap="large")
with form, messages.shown():
    train_form.show(state.selection().dataset)
with figures, messages.shown():
    run_watch.show_problem()
    run = run_watch.choose()
    if run:
        run_watch.watch(run)
    else:
        with st.container(border=True):
            st.markdown("**No run yet.** Choose a model and start it; with the defaults it takes about half a minute.")
