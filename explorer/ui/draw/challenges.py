"""Challenges: four games with the model, each a round against the clock."""

import random
import time
from dataclasses import astuple
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from explorer.data.preparation.pipeline import Steps
from explorer.data.preparation.steps import Grey
from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.ui.draw import predictions, rounds, scoreboard
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices, Model, short
from explorer.ui.draw.rounds import RULES, TITLES, Kind, Moment, Reached, Round
from explorer.ui.kit import answers, background, drawing, numbers
from explorer.ui.kit.background import Job
from explorer.ui.kit.controls import segments
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.text import html_text, markdown

if TYPE_CHECKING:
    from torch import nn

    from explorer.analysis.adversarial.fewest_pixels import MinimalChange


TICK_SECONDS = 1.0
TRIED = 64
"""Random images among which one is looked for that the models recognise."""
SCALE = 4
_ROUND = "challenges:round"
_PROBLEM = "challenges:problem"


def goal() -> int | None:
    """Return the class of the round that is going on, to be marked among the bars."""
    found = _current()
    return found.label if found is not None and not found.ended else None


def show(choices: DrawChoices, seen: CanvasPredictions | None) -> None:
    """Show the choice of a challenge, or the round that is going on."""
    found = _current()
    if found is not None and not found.ended:
        found.look(_moment(seen), _identity(choices), time.monotonic())
        if not found.ended:
            _going(choices, found)
            return
    kind = _choice(choices)
    if problem := st.session_state.pop(_PROBLEM, None):
        st.warning(problem)
    if found is not None:
        _ended(choices, found)
    elif kind == "fool" and len(choices.models) < 2:
        st.info(rounds.SECOND)


def _current() -> Round | None:
    found: Round | None = st.session_state.get(_ROUND)
    return found


def _choice(choices: DrawChoices) -> Kind:
    """Let the user choose a challenge and start it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        kind: Kind = cast(Kind, segments("Challenge", dict(TITLES.items()), "challenge", labelled=False))
        st.button(
            "Start",
            icon=":material/timer:",
            type="primary",
            key="challenge-start",
            disabled=kind == "fool" and len(choices.models) < 2,
            on_click=_start,
            args=(choices, kind),
        )
    st.caption(RULES[kind])
    return kind


def _start(choices: DrawChoices, kind: Kind) -> None:
    """Put what the round begins with on the canvas, and start the clock; a callback."""
    st.session_state.pop(_ROUND, None)
    if choices.steps != Steps():
        st.session_state[_PROBLEM] = "Take all steps under Glass box first: a challenge is played without tricks there."
        return
    try:
        start, label = (None, random.randrange(len(choices.classes))) if kind == "draw" else _image(choices, kind)
    except ExplorerError as error:
        st.session_state[_PROBLEM] = markdown(str(error))
        return
    if kind != "draw" and start is None:
        tried = min(TRIED, len(load_split(choices.dataset, "test")))
        st.session_state[_PROBLEM] = rounds.none_found(tried, kind)
        return
    drawing.begin(start, "The image of the challenge")
    st.session_state[_ROUND] = Round(kind, label, start, drawing.beginnings(), time.monotonic(), _identity(choices))
    if kind == "flip" and start is not None:
        search(choices.models[0], start)
    predictions.ask()


def _image(choices: DrawChoices, kind: Kind) -> tuple[np.ndarray | None, int]:
    """Return a random test image that the models recognise, and what it shows; None where there is none."""
    test = load_split(choices.dataset, "test")
    rows = np.array(random.sample(range(len(test)), min(TRIED, len(test))))
    fine = np.ones(len(rows), bool)
    for model in choices.models[: 2 if kind == "fool" else 1]:
        fine &= answers.logits(model.checkpoint, test.images[rows]).argmax(axis=1) == test.labels[rows]
    if not fine.any():
        return None, 0
    row = int(rows[fine][0])
    return test.images[row], int(test.labels[row])


def _identity(choices: DrawChoices) -> tuple[str, ...]:
    """Return what must stay the same during a round: the two models, and the way to them."""
    return (*(model.checkpoint.digest for model in choices.models[:2]), str(astuple(choices.steps)))


def _moment(seen: CanvasPredictions | None) -> Moment | None:
    if seen is None:
        return None
    second = seen.views[1].probabilities if len(seen.views) > 1 else None
    return Moment(drawing.beginnings(), seen.image, seen.first.probabilities, second, seen.drawing.strokes)


def _names(choices: DrawChoices) -> tuple[str, ...]:
    return tuple(short(model, choices.dataset) for model in choices.models)


def _going(choices: DrawChoices, found: Round) -> None:
    """Show the task, the clock and what has been reached."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"#### {rounds.task(found, choices.classes, _names(choices))}", width="stretch")
        st.button("Done", icon=":material/check:", type="primary", key="challenge-done", on_click=_end)
        st.button("Give up", key="challenge-stop", on_click=_give_up)
    _clock(found)
    st.markdown(rounds.reached(found.best, found.kind))
    st.caption("The best moment counts, so you may go on, or undo.")


@st.fragment(run_every=TICK_SECONDS)
def _clock(found: Round) -> None:
    """Show the time that is left; at the end the whole page runs."""
    left = found.left(time.monotonic())
    share = left / max(found.left(found.began), 1e-9)
    st.progress(min(1.0, share), f"{numbers.count(left)} seconds left")
    if left <= 0:
        st.rerun()


def _end() -> None:
    if (found := _current()) is not None:
        found.ended = True
        predictions.ask()


def _give_up() -> None:
    st.session_state.pop(_ROUND, None)
    predictions.ask()


def _ended(choices: DrawChoices, found: Round) -> None:
    """Give the points, and show how it went."""
    if found.broken:
        st.info(rounds.BROKEN)
        return
    change: MinimalChange | None = None
    if found.kind == "flip" and found.best is not None and found.start is not None:
        job = search(choices.models[0], found.start)
        if not job.is_over:
            _wait(choices, found.start)
            return
        change = job.result if job.problem is None else None  # type: ignore[assignment]
    pixels = len(change.pixels) if change is not None and change.flipped else None
    points = found.flip_points(pixels) if found.kind == "flip" else found.best.points if found.best else 0
    about = f"{choices.classes[found.label]}, {_names(choices)[0]}"
    if scoreboard.note(found, found.kind, points, about):
        st.rerun()
    st.success(rounds.result(found, points, pixels, choices.classes))
    if found.best is not None:
        _pictures(found, found.best, change)


@st.fragment(run_every=TICK_SECONDS)
def _wait(choices: DrawChoices, start: np.ndarray) -> None:
    st.caption("You flipped it. The machine is still searching for its own way …")
    if search(choices.models[0], start).is_over:
        st.rerun()


def _pictures(found: Round, best: Reached, change: "MinimalChange | None") -> None:
    pictures = [("Your best moment", best.moment.image)]
    if found.start is not None:
        pictures.insert(0, ("The start", found.start))
    if change is not None and change.flipped:
        pictures.append((f"The machine's way, {len(change.pixels)} pixels", change.image))
    with st.container(horizontal=True, gap="medium"):
        for caption, image in pictures:
            label = f'<div style="font-size:.85rem;padding-top:.3rem">{html_text(caption)}</div>'
            st.html(img_tag(image, SCALE, caption) + label, width="content")


def search(model: Model, image: Grey) -> Job:
    """Return the search, begun where it is new; its result is a `MinimalChange`."""
    network, content = classifier(model.checkpoint), image.tobytes()
    key = ("minimal-change", model.checkpoint.digest, content)
    return background.job(key, lambda: _search(network, np.frombuffer(content, np.uint8).reshape(image.shape)))


def _search(network: "nn.Module", image: Grey) -> object:
    from explorer.analysis.adversarial.fewest_pixels import minimal_change

    with computing():
        return minimal_change(network, image)
