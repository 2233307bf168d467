"""The preparation pipeline under the heading Glass box: from canvas or photo to the 28x28 that the model sees."""

from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from explorer.analysis.drawings.verdicts import softmax
from explorer.data.preparation.pipeline import PreparationStep, Steps
from explorer.data.preparation.stages import STEP_NAMES
from explorer.data.preparation.steps import Grey
from explorer.errors import ImageError
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices
from explorer.ui.kit import address, answers, numbers, theme
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.text import html_text, markdown, shorten

OFF = "off"
"""URL parameter: the steps that are left out."""

SIDE = 112
"""Screen pixels of the longer side of a picture."""
_WIDGET = "glass-box-steps"
_GRID = "display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:1rem"
_FRAME = f"height:{SIDE + 6}px;display:flex;align-items:center"
_SMALL = "font-size:.82rem;line-height:1.35"
_BAR = "height:6px;background:rgba(128,128,128,.25);border-radius:3px;margin:.15rem 0 .35rem"


def steps() -> Steps:
    """Return the steps that are taken, by the URL or by what the user has switched."""
    names, unknown = address.adopt_several(OFF, lambda name: name in STEP_NAMES)
    if unknown:
        said = markdown(shorten(", ".join(unknown)))
        st.warning(f"There is no step “{said}” on the way to the model; it is ignored.")
    return Steps().without(*names)


def show(choices: DrawChoices, seen: CanvasPredictions | None) -> None:
    """Show the steps, a switch for each, and what each changes in the prediction."""
    if seen is None:
        st.caption("Draw something or bring a photo: every step from there to what the model sees will stand here.")
        return
    stages = seen.prepared.steps
    optional = {step.name: step.title for step in stages if step.name in seen.prepared.optional}
    st.session_state[_WIDGET] = [step.name for step in stages if step.name in optional and step.taken]
    st.pills(
        "Steps that are taken; click one to leave it out",
        list(optional),
        selection_mode="multi",
        format_func=lambda name: optional.get(str(name), str(name)),
        key=_WIDGET,
        wrap=True,
        on_change=_switched,
        args=(tuple(optional),),
    )
    top = seen.first.predicted
    others = _switched_one(choices, seen)
    cards = [
        _card(step, _effect(step, choices, seen, others.get(step.name)), number) for number, step in enumerate(stages)
    ]
    st.html(f'<div style="{_GRID}">{"".join(cards)}</div>')
    st.caption(
        f"**How to read this.** Every picture is made from the one before it; the last is what the model sees. The "
        f"percentage below a step is the probability of {markdown(choices.classes[top])}, which the model now gives "
        f"{numbers.percent(seen.first.confidence)}, with only that step switched. What the model has never seen in "
        "training, it cannot judge: that is what the steps are for."
    )


def _switched(optional: tuple[str, ...]) -> None:
    """Take over the switches, in a callback; steps that this way does not have stay as they were."""
    taken = st.session_state[_WIDGET]
    before = address.listed(str(st.session_state.get(OFF, "")))
    off = [name for name in STEP_NAMES if (name not in taken if name in optional else name in before)]
    address.put_several(OFF, off)


def _switched_one(choices: DrawChoices, seen: CanvasPredictions) -> dict[str, tuple[int, float, float] | None]:
    """Return for each step, switched alone, what is predicted, with what share, and the share of the present class.

    None where nothing can be made of the picture then.
    """
    images: dict[str, Grey | None] = {}
    for name in seen.prepared.optional:
        flipped = replace(choices.steps, **{name: not getattr(choices.steps, name)})
        try:
            images[name] = seen.prepare(flipped).image
        except ImageError:
            images[name] = None
    made = {name: image for name, image in images.items() if image is not None}
    if not made:
        return dict.fromkeys(images)
    shares = softmax(answers.logits(choices.models[0].checkpoint, np.stack(list(made.values()))))
    top = seen.first.predicted
    found = {
        name: (int(row.argmax()), float(row.max()), float(row[top])) for name, row in zip(made, shares, strict=True)
    }
    return {name: found.get(name) for name in images}


def _effect(
    step: PreparationStep, choices: DrawChoices, seen: CanvasPredictions, other: tuple[int, float, float] | None
) -> str:
    """Return, as HTML, what switching a step alone does."""
    if step.name not in seen.prepared.optional:
        return ""
    word = "Without it" if step.taken else "With it"
    if other is None:
        return f"<div><b>{word}:</b> nothing can be made of the picture.</div>"
    predicted, share, of_top = other
    name = choices.classes[seen.first.predicted]
    text = f"<b>{word}:</b> {html_text(name)} {numbers.percent(of_top)}"
    if predicted != seen.first.predicted:
        text += f"; × it would say {html_text(choices.classes[predicted])}, {numbers.percent(share)}"
    fill = f"height:6px;border-radius:3px;background:{theme.colour('primaryColor')};width:{100 * of_top:.1f}%"
    return f'<div>{text}</div><div style="{_BAR}"><div style="{fill}"></div></div>'


def _card(step: PreparationStep, effect: str, number: int) -> str:
    title = html_text(f"{number + 1}. {step.title}") + ("" if step.taken else " — left out")
    picture = img_tag(*_fitted(step), f"After step {number + 1}: {step.title}")
    return (
        f'<div style="opacity:{1 if step.taken else 0.75}"><div style="font-weight:600">{title}</div>'
        f'<div style="{_FRAME}">{picture}</div><div style="{_SMALL};margin-top:.3rem">{effect}'
        f'<div style="opacity:.8">{html_text(step.explanation)}</div></div></div>'
    )


def _fitted(step: PreparationStep) -> tuple[np.ndarray, int]:
    """Return a picture and the whole number to enlarge it by, so that it fills its place."""
    picture = step.picture
    longest = max(picture.shape[:2])
    if longest <= SIDE:
        return picture, max(1, SIDE // longest)
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.array(image, np.uint8), 1
