"""Train: the settings on the left; on the right the network they make, the run that is watched, or the queue."""

import streamlit as st

from explorer.training.queue import supervisor
from explorer.ui.kit import figure, messages, state
from explorer.ui.train import form as train_form
from explorer.ui.train import network, queue, watch

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
        network.show(config, plan)
    else:
        st.info("The settings do not make a network yet. What is wrong stands above the button.")


def show_training() -> None:
    """Show the run that is chosen."""
    if run:
        watch.watch(run)
    else:
        with st.container(border=True):
            st.markdown("**No run yet.** Choose a model and start it; *Network* says how long it takes.")


with figures, st.container(key=watch.PLACE), messages.shown():
    watch.show_problem()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        view = watch.choose_view()
        run = watch.choose() if view == watch.TRAINING else None
    shown = {watch.NETWORK: show_network, watch.TRAINING: show_training, watch.QUEUE: queue.show}
    shown[view]()
figure.look()
