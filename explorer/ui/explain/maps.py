"""The section Maps: which pixels speak for a class, by several methods and for several images."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui import cache, controls, messages
from explorer.ui.answers import Explained
from explorer.ui.explain import class_mean, enlarged, grid, methods, saving, words
from explorer.ui.explain.grid import Column, View
from explorer.ui.explain.methods import Chosen
from explorer.ui.explain.question import Aim, Question, Subject
from explorer.ui.text import markdown
from explorer.ui.tiles import Note

SIGNS = {"signed": "Signed", "absolute": "Absolute"}
GRAD_CAM = "grad-cam"
IMAGES, CLASS = "images", "class"
OF = {IMAGES: "These images", CLASS: "Mean of a class"}


def show(question: Question) -> None:
    """Show the maps of the chosen methods for each image, or their means over a class."""
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
    _erased(found, question, chosen)
    with save:
        saving.menu(found, chosen, columns, view, "maps")
    if clicked := grid.clicked("maps"):
        one = next(one for one in chosen if one.name == clicked[0])
        subject = question.subjects[clicked[1]]
        enlarged.show(one, subject.aim, classes, subject.name, found[clicked], view.sign)


def _erased(found: grid.Maps, question: Question, chosen: Sequence[Chosen]) -> None:
    """Where Grad-CAM left nothing of a map, say what there was, and offer the map with its sign."""
    one = next((one for one in chosen if one.name == GRAD_CAM), None)
    empty = [at for (method, at), map_ in found.items() if method == GRAD_CAM and not map_.values.any()]
    if one is None or not empty or not one.values.get("positive_only", True):
        return
    subject, options = question.subjects[empty[0]], {**one.values, "positive_only": False}
    aim = subject.aim
    full = cache.explained(question.selection, subject.image, GRAD_CAM, aim.target, aim.against, options)
    text = words.reading(GRAD_CAM, aim, question.classes, found[GRAD_CAM, empty[0]].values, "signed")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"**{one.title}, {markdown(subject.name)}.** {text} {words.erased(full.values)}", width="stretch")
        st.button(
            "Show the signed map",
            key="signed-grad-cam",
            on_click=methods.change,
            args=(GRAD_CAM, {"positive_only": False}),
        )


def _column(subject: Subject, classes: Sequence[str], alike: bool) -> Column:
    said = Note(f"says {classes[subject.predicted]}", subject.right)
    score = subject.aim.title(classes)
    notes = (said,) if alike or subject.aim == Aim(subject.predicted) else (said, Note(f"map for {score}"))
    return Column(subject.image, subject.name, score, notes)


def _read(found: grid.Maps, question: Question, view: View) -> None:
    """Say how to read the maps, those of each method by its first one."""
    if not found:
        return
    texts: dict[str, str] = {}
    for (method, at), explained in found.items():
        if method not in texts:
            aim = question.subjects[at].aim
            texts[method] = words.reading(method, aim, question.classes, explained.values, view.sign)
    general = "The number under a map is what its strongest colour stands for. Click a map to enlarge it."
    if len(question.subjects) > 1:
        general += f" The places are those of {markdown(question.subjects[0].name)}."
    grid.how_to_read(general, texts, view.sign)
