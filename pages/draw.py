"""Draw: the canvas, what the models say of it while you draw, and what can be done with the drawing."""

import streamlit as st

from explorer.ui import cache, messages, state
from explorer.ui.draw import (
    board,
    challenges,
    collect,
    collection,
    glass_box,
    models,
    pad,
    prediction,
    renew,
    start,
    target,
)
from explorer.ui.draw.sight import Scene

SECTIONS = {
    "predict": ("Predict", prediction.show),
    "glass-box": ("Glass box", glass_box.show),
    "target": ("Target", target.show),
    "challenges": ("Challenges", challenges.show),
    "collect": ("Collect", collect.show),
}
BELOW = {"challenges": board.show, "collect": collection.show}  # what does not change with every stroke

renew.done()
selection = state.selection()
if selection.checkpoint is None:
    st.title("Draw")
    messages.no_checkpoint()
classes = cache.checkpoint(selection).classes
start.follow_link(selection.dataset, selection.split, classes)
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    st.title("Draw", width="content")
    menu = st.container(width=160)
    with st.container(width=190):
        goal = target.choose(classes)
    with st.container(width=330):
        looking = models.choose(selection)
with menu:
    start.menu(selection.dataset, selection.split, classes, goal)
start.show_problem()
scene = Scene(selection.dataset, looking, goal, glass_box.steps())
section = pad.show(scene, SECTIONS, challenges.goal)
if section in BELOW:
    BELOW[section](scene)
