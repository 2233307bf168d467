"""The section Maps: which pixels speak for a class, by several methods and for several images."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui import cache, charts, explanations, messages, state, widgets
from explorer.ui.answers import Explained
from explorer.ui.evaluate import controls
from explorer.ui.explain import class_mean, grid, methods, saving, words
from explorer.ui.explain.colouring import legend
from explorer.ui.explain.figures import short, signed
from explorer.ui.explain.grid import Column, View
from explorer.ui.explain.methods import Chosen
from explorer.ui.explain.question import Aim, Question, Subject
from explorer.ui.text import markdown
from explorer.ui.tiles import Note

SIGNS = {"signed": "Signed", "absolute": "Absolute"}
IMAGES, CLASS = "images", "class"
OF = {IMAGES: "These images", CLASS: "Mean of a class"}


@st.fragment
def show(question: Question) -> None:
    """Show the maps of the chosen methods for each image, or their means over a class."""
    state.follow()
    with messages.shown():
        chosen = methods.choose(question)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            of = controls.segments("Maps of", OF, "of", labelled=False)
            chosen = methods.options(question, chosen)
            view = _view(of)
            save = st.container(width="content")
        if not chosen:
            st.info("Choose a method above.")
        elif of == CLASS:
            class_mean.show(question, chosen, view, save)
        else:
            _images(question, chosen, view, save)


def _view(of: str) -> View:
    """Let the user choose how maps are coloured."""
    with st.popover("Colours", icon=":material/palette:", key="map-colours"):
        sign = controls.segments(
            "Colours", SIGNS, "sign", "Signed: warm speaks for it, cold against it. Absolute: how strongly, either way."
        )
        overlay = of == IMAGES and controls.switch("Over the image", "overlay", "The image shows where a map is weak.")
        shared = controls.switch(
            "One scale",
            "one-scale",
            "Maps with the same unit share one scale of colours, so that they can be compared. Otherwise each has its "
            "own, so that weak ones can be seen.",
        )
    return View("absolute" if sign == "absolute" else "signed", overlay, shared)


def _images(question: Question, chosen: Sequence[Chosen], view: View, save: DeltaGenerator) -> None:
    classes = question.classes

    def explain(one: Chosen, at: int) -> Explained:
        subject = question.subjects[at]
        return cache.explained(
            question.selection, subject.image, one.name, subject.aim.target, subject.aim.against, one.values
        )

    alike = len({subject.aim for subject in question.subjects}) == 1
    columns = [_column(subject, classes, alike) for subject in question.subjects]
    st.markdown(f"**Which pixels speak for {words.subjects(question)}?**")
    found = grid.show(columns, chosen, view, explain, "maps")
    _read(found, question, view)
    with save:
        saving.menu(found, chosen, columns, view, "maps")
    if clicked := grid.clicked("maps"):
        enlarge(
            question, {one.name: one for one in chosen}[clicked[0]], question.subjects[clicked[1]], found[clicked], view
        )


def _column(subject: Subject, classes: Sequence[str], alike: bool) -> Column:
    said = Note(f"says {classes[subject.predicted]}", subject.right)
    score = subject.aim.title(classes)
    notes = (said,) if alike or subject.aim == Aim(subject.predicted) else (said, Note(f"map for {score}"))
    return Column(subject.image, subject.name, score, notes)


def _read(found: grid.Maps, question: Question, view: View) -> None:
    """Say how to read the maps, by the first one."""
    if not found:
        return
    method, at = next(iter(found))
    text = words.reading(method, question.subjects[at].aim, question.classes, found[method, at].values, view.sign)
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        st.html(legend(view.sign), width="content")
        st.caption(
            f"**How to read this.** {explanations.METHODS[method]}: {text} The number under a map is what its "
            "strongest colour stands for. Click a map to enlarge it.",
            width="stretch",
        )


@st.dialog("One map", width="medium")
def enlarge(question: Question, one: Chosen, subject: Subject, explained: Explained, view: View) -> None:
    """Show one map with axes, its numbers, and its files."""
    from explorer.analysis.attribution import get

    method = get(one.name)
    st.markdown(f"{method.summary} :small[{markdown(method.reference)}]")
    widgets.figure(
        charts.attribution_map(
            explained.values,
            f"{one.title}: {subject.aim.title(question.classes)}",
            method.unit,
            absolute=view.sign == "absolute",
            cell=10,
        ),
        name=one.name,
        how_to_read=words.reading(one.name, subject.aim, question.classes, explained.values, view.sign),
        table=lambda: charts.attribution_table(explained.values),
        width="stretch",
        stretch=False,
    )
    largest = float(np.abs(explained.values).max())
    facts = [f"{subject.name}. Largest size {short(largest)} {method.unit}."]
    if explained.gained is not None and explained.error is not None:
        facts.append(words.completeness(explained.total, explained.gained, explained.error))
    if one.values:
        facts.append("Options: " + ", ".join(f"{name} {value}" for name, value in one.values.items()) + ".")
    else:
        facts.append(f"Sum of all pixels {signed(explained.total)}.")
    st.caption(markdown(" ".join(facts)))
