"""The mean map over images of a class: where the model usually looks for it."""

from collections.abc import Hashable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.ui import cache, controls, formats
from explorer.ui.answers import Explained
from explorer.ui.explain import enlarged, grid, saving, words, work
from explorer.ui.explain.choice import AGAINST, TARGET
from explorer.ui.explain.grid import Column, View
from explorer.ui.explain.methods import Chosen
from explorer.ui.explain.question import Aim, Question
from explorer.ui.explain.work import Step, Steps
from explorer.ui.loaded import classifier
from explorer.ui.text import markdown
from explorer.ui.tiles import Note

COUNTS = {"20": "20 images", "100": "100", "500": "500"}
Mean = NDArray[np.float32]


def show(question: Question, chosen: Sequence[Chosen], view: View, save: DeltaGenerator) -> None:
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
    explained = words.score(classes, target, against)
    score = Aim(target, against).title(classes)
    st.markdown(
        f"**Where {explained} comes from in the first {formats.many(len(rows), 'image')} of "
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
    wanted = work.result(
        "class-mean",
        (key, tuple(chosen)),
        f"Compute {formats.count(len(chosen))} mean maps over {formats.many(len(rows), 'image')}",
        lambda: _steps(question, chosen, images, target, against, key),
        at_once=all(work.shelf().get((key, one)) is not None for one in chosen),
    )
    known: dict[str, Mean] = wanted or {}
    column = Column(average, f"Mean of {formats.count(len(rows))}", score, (Note(classes[label]),))
    found = grid.show([column], chosen if known else [], view, lambda one, _: Explained(known[one.name]), "class-mean")
    if not found:
        st.caption("Each image is explained by each method, and the maps are averaged pixel by pixel.")
        return
    with save:
        saving.menu(found, chosen, [column], view, "class-mean")
    strongest = {method: words.strongest(method, one.values) for (method, _), one in found.items()}
    grid.how_to_read(words.mean(classes[label], explained, len(rows)), strongest, view.sign)
    if clicked := grid.clicked("class-mean"):
        one = next(one for one in chosen if one.name == clicked[0])
        name = f"Mean of {formats.many(len(rows), 'image')} of {classes[label]}"
        enlarged.show(one, Aim(target, against), classes, name, found[clicked], view.sign)


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
    from explorer.analysis.predictions import to_pixels

    model = classifier(question.chosen)
    pixels = to_pixels(images).to(model.mean.device)
    pair = None if against is None else torch.full((len(images),), against)
    aim = Target(torch.full((len(images),), target), pair)
    found: dict[str, Mean] = {}
    for number, one in enumerate(chosen):
        kept = work.shelf().get((key, one))
        if kept is None:
            needs_mean = one.values.get("baseline") == "mean"
            mean = cache.mean_image(question.selection.dataset) if needs_mean else None
            explain = get(one.name).with_options(one.values, mean)
            for part in mean_map(explain, model, pixels, aim, at_once=8):
                kept = part.mean[0, 0].float().numpy()
                share = (number + part.done / part.total) / len(chosen)
                yield Step(share, f"{one.title}: {formats.count(part.done)} of {formats.count(part.total)}", found)
            work.shelf().put((key, one), kept)
        found[one.name] = kept
        yield Step((number + 1) / len(chosen), one.title, dict(found))
