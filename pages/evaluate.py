"""Evaluate: how good the chosen checkpoint is, what it confuses, and the images behind every figure."""

import streamlit as st

from explorer.ui.evaluate import calibration, choice, comparison, curves, detail, headline, matrix, mistakes, response
from explorer.ui.kit import controls

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
section = controls.segments("Section", list(SECTIONS), "section", labelled=False)
SECTIONS[section](scope)
detail.offer(scope)
