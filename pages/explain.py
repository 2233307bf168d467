"""Explain: which pixels decide, whether the maps can be believed, and how little it takes to mislead the model."""

import streamlit as st

from explorer.ui.explain import adversarial, choice, faithfulness, gradients, maps
from explorer.ui.kit import controls, messages, state

MAPS, FAITHFULNESS, ALL, ADVERSARIAL = "maps", "lie-detector", "all-images", "fooling"
TITLES = {MAPS: "Maps", FAITHFULNESS: "Lie detector", ALL: "All images", ADVERSARIAL: "Fooling"}
OF_AN_IMAGE = {MAPS: maps.show, FAITHFULNESS: faithfulness.show, ADVERSARIAL: adversarial.show}

with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    st.title("Explain", width="content")
    section = controls.segments("Section", TITLES, "show", labelled=False)
selection = state.selection()
if selection.checkpoint is None:
    messages.no_checkpoint()
if section == ALL:
    gradients.show(selection)
else:
    left, right = st.columns([1, 2.85], gap="medium")
    with left, st.container(gap="small"):
        question = choice.show(selection, scored=section != ADVERSARIAL)
    with right:
        if question is None:
            st.info("Bring an image, and it is explained here.")
        else:
            OF_AN_IMAGE[section](question)
