"""Train: the settings on the left; on the right the network they make, the run that is watched, or the queue."""

import streamlit as st

from explorer.training import supervisor
from explorer.ui import messages, network_panel, queue_panel, run_watch, state, train_form, widgets

st.title("Train")
with messages.shown():
    supervisor.ensure()
form, figures = st.columns([1, 2.6], gap="large")
config, plan = None, None
with form, messages.shown():
    config, _, plan = train_form.show(state.selection().dataset)


def show_network() -> None:
    """Show what the settings amount to before anything runs."""
    if config and plan:
        network_panel.show(config, plan)
    else:
        st.info("The settings do not make a network yet. What is wrong stands above the button.")


def show_training() -> None:
    """Show the run that is chosen."""
    if run:
        run_watch.watch(run)
    else:
        with st.container(border=True):
            st.markdown("**No run yet.** Choose a model and start it; *Network* says how long it takes.")


with figures, st.container(key=run_watch.PLACE), messages.shown():
    run_watch.show_problem()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        view = run_watch.choose_view()
        run = run_watch.choose() if view == run_watch.TRAINING else None
    shown = {run_watch.NETWORK: show_network, run_watch.TRAINING: show_training, run_watch.QUEUE: queue_panel.show}
    shown[view]()
widgets.look()
