"""Draw: the canvas, what the models say of it while you draw, and what can be done with the drawing."""

import streamlit as st

from explorer.ui.draw import challenges, collection, pad, predict, predictions, preparation, scoreboard, start, target
from explorer.ui.draw.predictions import DrawChoices
from explorer.ui.kit import cache, messages, state

SECTIONS = {
    "predict": ("Predict", predict.show),
    "glass-box": ("Glass box", preparation.show),
    "target": ("Target", target.show),
    "challenges": ("Challenges", challenges.show),
    "collect": ("Collect", collection.show_collect),
}
BELOW = {"challenges": scoreboard.show, "collect": collection.show}  # what does not change with every stroke

predictions.done()
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
        looking = predictions.choose(selection)
with menu:
    start.menu(selection.dataset, selection.split, classes, goal)
start.show_problem()
choices = DrawChoices(selection.dataset, looking, goal, preparation.steps())
section = pad.show(choices, SECTIONS, challenges.goal)
if section in BELOW:
    BELOW[section](choices)
