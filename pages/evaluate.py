"""Evaluate: how good the chosen checkpoint is, what it confuses, and the images behind every figure."""

import streamlit as st

from explorer.ui import address
from explorer.ui.evaluate import calibration, choice, comparison, curves, detail, headline, matrix, mistakes, response

SECTIONS = {
    "Confusion matrix": matrix.show,
    "ROC and precision-recall": curves.show,
    "Calibration": calibration.show,
    "Mistakes": mistakes.show,
    "Two models": comparison.show,
    "Any image": response.show,
}

head = st.container(horizontal=True, vertical_alignment="center", gap="small", key="judged")
head.title("Evaluate", width="content")
scope = choice.scope(head)
headline.show(scope)
names = list(SECTIONS)
address.adopt("section", names, names[0])
section = st.segmented_control(
    "Section",
    names,
    required=True,
    key="section",
    on_change=address.touched,
    args=("section",),
    label_visibility="collapsed",
)
address.keep({"section": section}, {"section": names[0]})
SECTIONS[section or names[0]](scope)
detail.offer(scope)
