"""The canvas with its bars and the verdict, and below them the section that is open; a stroke renews all this alone."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import streamlit as st

from explorer.data import catalog
from explorer.errors import ExplorerError, ImageError
from explorer.ui.canvas import Bars, canvas
from explorer.ui.draw import predict, predictions, start
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices, see, short
from explorer.ui.kit import reference, state, theme
from explorer.ui.kit.controls import segments
from explorer.ui.kit.drawing import CANVAS, origin
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.text import html_text, markdown

Section = Callable[[DrawChoices, CanvasPredictions | None], None]
PARAMETER = "part"
SCALE = 5


@st.fragment
def show(choices: DrawChoices, sections: Mapping[str, tuple[str, Section]], goal: Callable[[], int | None]) -> str:
    """Show the canvas and, below it, the section that the user chooses.

    Parameters
    ----------
    choices : DrawChoices
    sections : mapping
        By the name that stands in the URL: a title, and what shows the section, given the choices and what the models
        see, which is None on an empty canvas.
    goal : callable
        Returns a class to be marked among the bars in place of the target, such as that of a challenge.

    Returns
    -------
    str
        The name of the section. When another one is chosen the whole page runs.
    """
    state.follow()
    predictions.follow()
    start.forget_link()
    seen, message = _seen(choices)
    wanted = goal()
    pad, beside = st.container(key="draw-pad").columns([2.2, 1], gap="medium")
    with pad:
        canvas(
            CANVAS,
            bars=_bars(choices, seen, wanted),
            message=message,
            on_paste=partial(start.take_pasted, dataset=choices.dataset),
            on_upload=start.ask_for_upload,
            fenced=wanted is not None,
        )
    with beside:
        if seen is None:
            st.caption(predict.EMPTY)
            st.caption(predict.RECIPES.get(catalog.base(choices.dataset), ""))
        else:
            _verdict(choices, seen)
    titles = {name: title for name, (title, _) in sections.items()}
    chosen = segments("Section", titles, PARAMETER, labelled=False)
    predictions.turn(chosen)
    try:
        sections[chosen][1](choices, seen)
    except ExplorerError as error:
        st.error(markdown(str(error)), icon=":material/error:")
    reference.job(choices.models[0].checkpoint, choices.dataset)
    return chosen


def _seen(choices: DrawChoices) -> tuple[CanvasPredictions | None, str | None]:
    """Return what the models see, or None and what is wrong with the drawing."""
    try:
        return see(choices), None
    except ImageError as error:
        return None, str(error)


def _bars(choices: DrawChoices, seen: CanvasPredictions | None, goal: int | None) -> list[Bars]:
    colours = theme.class_colours(len(choices.classes))
    target = choices.target if goal is None else goal
    shares = [None] * len(choices.models) if seen is None else [tuple(v.probabilities.tolist()) for v in seen.views]
    return [
        Bars(choices.classes, colours, share, target, short(model, choices.dataset))
        for model, share in zip(choices.models, shares, strict=True)
    ]


def _verdict(choices: DrawChoices, seen: CanvasPredictions) -> None:
    """Show what the models see, say what they take it for, and whether it is anything at all."""
    picture = img_tag(seen.image, SCALE, "The drawing as the model sees it")
    st.html(f'{picture}<div style="font-size:.85rem;padding-top:.3rem">{html_text(_caption())}</div>')
    start.crop(choices.dataset)
    st.markdown("\n\n".join(_said(choices, seen)))


def _said(choices: DrawChoices, seen: CanvasPredictions) -> Iterator[str]:
    """Say in paragraphs what the models take it for."""
    yield predict.verdict(seen.first, choices.classes, choices.target, _name(choices, seen, 0))
    if len(seen.views) > 1:
        others = range(1, len(seen.views))
        yield "  \n".join(
            predict.brief(seen.views[k], choices.classes, choices.target, _name(choices, seen, k)) for k in others
        )
    learnt = reference.of(choices.models[0].checkpoint, choices.dataset)
    if learnt is not None and (novelty := learnt.judge(seen.first.logits, seen.image)).novel:
        yield reference.strange(novelty)
    left_out = [step.title.lower() for step in seen.prepared.steps if not step.taken]
    if left_out:
        yield predict.off(left_out)


def _name(choices: DrawChoices, seen: CanvasPredictions, place: int) -> str | None:
    return short(seen.views[place].model, choices.dataset) if len(seen.views) > 1 else None


def _caption() -> str:
    began = origin()
    return began.title if began and began.title else "What the model sees: 28 × 28 pixels"
