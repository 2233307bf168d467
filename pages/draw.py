"""Draw: the canvas, what the model says of the drawing while you draw, and what it looks at."""

import streamlit as st

from explorer.ui import cache, messages, sketch, state
from explorer.ui.text import markdown

NOT_SAID = "I do not say"

st.title("Draw")
selection = state.selection()
if selection.checkpoint is None:
    messages.no_checkpoint()
chosen = cache.checkpoint(selection)
controls, place = st.columns([1, 2.8], gap="large")

with controls:
    meant = st.selectbox(
        "This is meant to be",
        [NOT_SAID, *chosen.classes],
        key="meant",
        bind="query-params",
        help="Your target: it is marked among the bars and compared with what the model says.",
    )
    target = chosen.classes.index(meant) if meant in chosen.classes else None
    st.button(
        "Start from a test image",
        icon=":material/image:",
        width="stretch",
        on_click=sketch.start_from,
        args=(selection.dataset, target),
        help="Puts a random test image on the canvas, of the class chosen above; change it and see what follows.",
    )
    if selection.dataset == "mnist":
        st.caption("The drawing is scaled to 20 × 20 pixels and centred by its mass, as MNIST's digits were.")
    else:
        st.caption("The drawing is scaled until its longer side fills 28 pixels, as in Fashion-MNIST. Fill the shape.")

with place:
    sketch.pad(chosen, selection.dataset, target)
    st.caption(f"Model: {markdown(chosen.name)}")
