"""The figures by which an evaluation is known."""

import streamlit as st

from explorer.ui import explanations
from explorer.ui.evaluate import headline_words
from explorer.ui.evaluate.headline_words import Figure
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.text import markdown


def show(scope: Scope) -> None:
    """Show the three that matter most, and all of them on demand; of both checkpoints where there are two."""
    found = [headline_words.figures(judged.results) for judged in scope.both]
    both = [pair[:1] if pair[0].unit == "images" else pair for pair in zip(*found, strict=True)]
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="headline"):
        for figures in both:
            if figures[0].label in headline_words.FIRST:
                st.metric(figures[0].label, _value(*figures), help=headline_words.meaning(*figures), width="content")
        with st.popover(f"All {len(both)} figures", type="tertiary", key="headline-all"):
            for figures in both:
                st.markdown(f"{figures[0].label}: **{_value(*figures)}**  \n:small[{headline_words.meaning(*figures)}]")
    for judged in scope.both:
        _rounded(judged, scope)


def _value(a: Figure, b: Figure | None = None) -> str:
    """Write a figure with its interval, or with that of the second checkpoint and the difference."""
    if b is not None:
        return f"{a.value} :small[B {b.value} :gray[{headline_words.difference(a, b)}]]"
    return f"{a.value} :small[:gray[{a.interval}]]" if a.interval else a.value


def _rounded(judged: Judged, scope: Scope) -> None:
    if judged.results.predictions.exact_predicted is not None:
        name = "" if scope.b is None else f"{markdown(judged.name)}: "
        st.caption(name + explanations.rounded(judged.selection.epoch))
