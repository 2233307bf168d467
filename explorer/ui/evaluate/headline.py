"""The figures by which an evaluation is known."""

import streamlit as st

from explorer.ui import explanations
from explorer.ui.evaluate import headline_words
from explorer.ui.evaluate.headline_words import Figure
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.text import markdown


def show(scope: Scope) -> None:
    """Show them, of both checkpoints side by side where there are two, each with what it means."""
    found = [headline_words.figures(judged.results) for judged in scope.both]
    both = list(zip(*found, strict=True))
    with st.container(horizontal=True, gap="small", key="headline"):
        for figures in both:
            if scope.b is None or figures[0].unit != "images":
                _metric(*figures)
        with st.popover("What these mean", type="tertiary", key="headline-meanings"):
            for figures in both:
                st.markdown(f"**{figures[0].label}**  \n:small[{headline_words.meaning(*figures)}]")
    for judged in scope.both:
        _rounded(judged, scope)


def _metric(a: Figure, b: Figure | None = None) -> None:
    value = f"{a.value} :small[:gray[{a.interval}]]" if a.interval else a.value
    if b is not None:
        value = f"{a.value} :small[B {b.value} :gray[{headline_words.difference(a, b)}]]"
    st.metric(a.label, value, help=headline_words.meaning(a, b), width="content")


def _rounded(judged: Judged, scope: Scope) -> None:
    if judged.results.predictions.exact_predicted is not None:
        name = "" if scope.b is None else f"{markdown(judged.name)}: "
        st.caption(name + explanations.rounded(judged.selection.epoch))
