"""The section Maps: which pixels speak for a class, by several methods and for several images."""

from collections.abc import Hashable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.ui import charts
from explorer.ui.charts.attribution import map_grid
from explorer.ui.explain import grid, methods
from explorer.ui.explain.choice import AGAINST, TARGET, Aim, ExplainedImage, Question
from explorer.ui.explain.grid import Column, MapColouring, Maps, Sign, limits
from explorer.ui.explain.methods import Chosen
from explorer.ui.kit import background, cache, controls, explanations, figure, messages, numbers, theme
from explorer.ui.kit.answers import Explained
from explorer.ui.kit.background import Steps, WorkProgress
from explorer.ui.kit.figure import Cell, csv_text
from explorer.ui.kit.models import classifier
from explorer.ui.kit.numbers import short, signed_figures
from explorer.ui.kit.text import markdown
from explorer.ui.kit.tiles import Note

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
            show_class_mean(question, chosen, view, save)
        else:
            _images(question, chosen, view, save)


def _view(of: str) -> MapColouring:
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
    return MapColouring("absolute" if sign == "absolute" else "signed", overlay, shared)


def _images(question: Question, chosen: Sequence[Chosen], view: MapColouring, save: DeltaGenerator) -> None:
    classes = question.classes

    def explain(one: Chosen, at: int) -> Explained:
        subject = question.subjects[at]
        return cache.explained(
            question.selection, subject.image, one.name, subject.aim.target, subject.aim.against, one.values
        )

    alike = len({subject.aim for subject in question.subjects}) == 1
    columns = [_column(subject, classes, alike) for subject in question.subjects]
    st.markdown(f"**Which pixels speak for {grid.subjects(question)}?**")
    found = grid.show(columns, chosen, view, explain, "maps")
    _read(found, question, view)
    _erased(found, question, chosen)
    with save:
        menu(found, chosen, columns, view, "maps")
    if clicked := grid.clicked("maps"):
        one = next(one for one in chosen if one.name == clicked[0])
        subject = question.subjects[clicked[1]]
        show_enlarged(one, subject.aim, classes, subject.name, found[clicked], view.sign)


def _erased(found: grid.Maps, question: Question, chosen: Sequence[Chosen]) -> None:
    """Where Grad-CAM left nothing of a map, say what there was, and offer the map with its sign."""
    one = next((one for one in chosen if one.name == GRAD_CAM), None)
    empty = [at for (method, at), map_ in found.items() if method == GRAD_CAM and not map_.values.any()]
    if one is None or not empty or not one.values.get("positive_only", True):
        return
    subject, options = question.subjects[empty[0]], {**one.values, "positive_only": False}
    aim = subject.aim
    full = cache.explained(question.selection, subject.image, GRAD_CAM, aim.target, aim.against, options)
    text = grid.reading(GRAD_CAM, aim, question.classes, found[GRAD_CAM, empty[0]].values, "signed")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"**{one.title}, {markdown(subject.name)}.** {text} {grid.erased(full.values)}", width="stretch")
        st.button(
            "Show the signed map",
            key="signed-grad-cam",
            on_click=methods.change,
            args=(GRAD_CAM, {"positive_only": False}),
        )


def _column(subject: ExplainedImage, classes: Sequence[str], alike: bool) -> Column:
    said = Note(f"says {classes[subject.predicted]}", subject.right)
    score = subject.aim.title(classes)
    notes = (said,) if alike or subject.aim == Aim(subject.predicted) else (said, Note(f"map for {score}"))
    return Column(subject.image, subject.name, score, notes)


def _read(found: grid.Maps, question: Question, view: MapColouring) -> None:
    """Say how to read the maps, those of each method by its first one."""
    if not found:
        return
    texts: dict[str, str] = {}
    for (method, at), explained in found.items():
        if method not in texts:
            aim = question.subjects[at].aim
            texts[method] = grid.reading(method, aim, question.classes, explained.values, view.sign)
    general = "The number under a map is what its strongest colour stands for. Click a map to enlarge it."
    if len(question.subjects) > 1:
        general += f" The places are those of {markdown(question.subjects[0].name)}."
    grid.how_to_read(general, texts, view.sign)


CELL = 10
"""Screen pixels for each of the map's."""


@st.dialog("One map", width="medium")
def show_enlarged(one: Chosen, aim: Aim, classes: Sequence[str], name: str, explained: Explained, sign: Sign) -> None:
    """Open a dialog with a map.

    Parameters
    ----------
    one : Chosen
        The method.
    aim : Aim
    classes : sequence of str
    name : str
        Of the image or images, not escaped.
    explained : Explained
    sign : 'signed' or 'absolute'
    """
    from explorer.analysis.attribution import get

    method = get(one.name)
    st.markdown(f"{method.summary} :small[{markdown(method.reference)}]")
    figure.figure(
        charts.attribution_map(
            explained.values,
            f"{one.title}: {aim.title(classes)}",
            method.unit,
            absolute=sign == "absolute",
            cell=CELL,
        ),
        name=one.name,
        how_to_read=grid.reading(one.name, aim, classes, explained.values, sign),
        table=lambda: charts.attribution_table(explained.values),
        width="stretch",
        stretch=False,
    )
    facts = [f"{name}. Largest size {short(float(np.abs(explained.values).max()))} {method.unit}."]
    if explained.gained is not None and explained.error is not None:
        facts.append(grid.completeness(explained.total, explained.gained, explained.error))
    else:
        facts.append(f"Sum of all pixels {signed_figures(explained.total)}.")
    if one.values:
        facts.append("Options: " + ", ".join(f"{option} {value}" for option, value in one.values.items()) + ".")
    st.caption(markdown(" ".join(facts)))


COUNTS = {"20": "20 images", "100": "100", "500": "500"}
Mean = NDArray[np.float32]


def show_class_mean(question: Question, chosen: Sequence[Chosen], view: MapColouring, save: DeltaGenerator) -> None:
    """Let the user choose a class and a number of images; show the mean maps when they are computed."""
    classes = question.classes
    usual = question.main.true if question.main.true is not None else question.main.predicted
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        asked = controls.select("Class", dict(enumerate(classes)), "mean-class", f"Class: {classes[usual]}")
        label = usual if asked is None else asked
        count = int(controls.segments("Images", COUNTS, "mean-of", labelled=False))
    split = load_split(question.selection.dataset, question.selection.split)
    rows = np.flatnonzero(split.labels == label)[:count]
    if not len(rows):
        st.info(f"The split holds no image of {markdown(classes[label])}. Choose another class.")
        return
    target, against = _score(label, len(classes))
    explained = grid.score(classes, target, against)
    score = Aim(target, against).title(classes)
    st.markdown(
        f"**Where {explained} comes from in the first {numbers.many(len(rows), 'image')} of "
        f"{markdown(classes[label])}**"
    )
    images = split.images[rows]
    average = images.mean(axis=0).round().astype(np.uint8)
    key = (
        question.chosen.digest,
        catalog.get(question.selection.dataset).checksum,
        split.name,
        label,
        count,
        target,
        against,
    )
    wanted = background.result(
        "class-mean",
        (key, tuple(chosen)),
        f"Compute {numbers.count(len(chosen))} mean maps over {numbers.many(len(rows), 'image')}",
        lambda: _steps(question, chosen, images, target, against, key),
        at_once=all(background.known((key, one)) is not None for one in chosen),
    )
    known: dict[str, Mean] = wanted or {}
    column = Column(average, f"Mean of {numbers.count(len(rows))}", score, (Note(classes[label]),))
    found = grid.show([column], chosen if known else [], view, lambda one, _: Explained(known[one.name]), "class-mean")
    if not found:
        st.caption("Each image is explained by each method, and the maps are averaged pixel by pixel.")
        return
    with save:
        menu(found, chosen, [column], view, "class-mean")
    strongest = {method: grid.strongest(method, one.values) for (method, _), one in found.items()}
    grid.how_to_read(grid.mean(classes[label], explained, len(rows)), strongest, view.sign)
    if clicked := grid.clicked("class-mean"):
        one = next(one for one in chosen if one.name == clicked[0])
        name = f"Mean of {numbers.many(len(rows), 'image')} of {classes[label]}"
        show_enlarged(one, Aim(target, against), classes, name, found[clicked], view.sign)


def _score(label: int, classes: int) -> tuple[int, int | None]:
    """Return what is explained: the class itself unless the left column names another one."""
    wanted, rather = str(st.session_state.get(TARGET, "")), str(st.session_state.get(AGAINST, ""))
    target = int(wanted) if wanted.isdecimal() and int(wanted) < classes else label
    against = int(rather) if rather.isdecimal() and int(rather) < classes else None
    return target, None if against == target else against


def _steps(
    question: Question,
    chosen: Sequence[Chosen],
    images: NDArray[np.uint8],
    target: int,
    against: int | None,
    key: Hashable,
) -> Steps[dict[str, Mean]]:
    """Compute the mean of one method after the other; those that are known already are taken as they are."""
    import torch

    from explorer.analysis.attribution import Target, get
    from explorer.analysis.attribution.mean import mean_map
    from explorer.analysis.evaluation.predictions import to_pixels

    model = classifier(question.chosen)
    pixels = to_pixels(images).to(model.mean.device)
    pair = None if against is None else torch.full((len(images),), against)
    aim = Target(torch.full((len(images),), target), pair)
    found: dict[str, Mean] = {}
    for number, one in enumerate(chosen):
        kept = background.known((key, one))
        if kept is None:
            needs_mean = one.values.get("baseline") == "mean"
            mean = cache.mean_image(question.selection.dataset) if needs_mean else None
            explain = get(one.name).with_options(one.values, mean)
            for part in mean_map(explain, model, pixels, aim, at_once=8):
                kept = part.mean[0, 0].float().numpy()
                share = (number + part.done / part.total) / len(chosen)
                yield WorkProgress(
                    share, f"{one.title}: {numbers.count(part.done)} of {numbers.count(part.total)}", found
                )
            background.keep((key, one), kept)
        found[one.name] = kept
        yield WorkProgress((number + 1) / len(chosen), one.title, dict(found))


HEADER = ("method", "image", "score", "row", "column", "attribution")


def menu(found: Maps, chosen: Sequence[Chosen], columns: Sequence[Column], view: MapColouring, name: str) -> None:
    """Offer the maps as CSV and as a picture, made when they are asked for."""
    if not found:
        return
    mode = theme.mode()
    spec = _spec_of(found, chosen, columns, view)
    with st.popover("Save", icon=":material/download:", key=f"save-{name}"), st.container(gap="xxsmall"):
        _file("Data as CSV", lambda: csv_text(*table(found, columns)), f"{name}.csv", "text/csv")
        if figure.available():
            _file("Picture as SVG", lambda: figure.svg(spec(), mode), f"{name}.svg", "image/svg+xml")
            _file("Picture as PNG", lambda: figure.png(spec(), mode), f"{name}.png", "image/png")


def table(found: Maps, columns: Sequence[Column]) -> tuple[Sequence[str], list[list[Cell]]]:
    """Return header and rows: a row for each pixel of each map."""
    rows: list[list[Cell]] = []
    for (method, at), explained in found.items():
        for (row, column), value in np.ndenumerate(explained.values.astype(float)):
            rows.append([method, columns[at].name, columns[at].score, row, column, float(value)])
    return HEADER, rows


def _spec_of(found: Maps, chosen: Sequence[Chosen], columns: Sequence[Column], view: MapColouring):  # type: ignore[no-untyped-def]
    def spec() -> dict[str, object]:
        largest = limits(found, view.shared)
        rows = []
        for one in chosen:
            places = [(one.name, at) for at in range(len(columns)) if (one.name, at) in found]
            line = [
                charts.attribution_map(
                    found[place].values,
                    f"{one.title}: {columns[place[1]].score}",
                    explanations.UNITS[one.name],
                    absolute=view.sign == "absolute",
                    limit=largest[place],
                )
                for place in places
            ]
            rows += [line] if line else []
        return map_grid(rows)

    return spec


def _file(label: str, data, file: str, mime: str) -> None:  # type: ignore[no-untyped-def]
    st.download_button(
        label, data, file, mime, key=f"file-{file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )
