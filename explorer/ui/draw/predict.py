"""Predict: the three most probable classes in words, what the confidence is worth, and what decides."""

from collections.abc import Iterator

import streamlit as st

from explorer.data.preparation.pictures import LARGEST_FILE
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices, ModelPrediction, short
from explorer.ui.kit import answers, numbers, reference
from explorer.ui.kit.images import map_tag
from explorer.ui.kit.numbers import count, loss, percent
from explorer.ui.kit.reference import Known, Trust
from explorer.ui.kit.text import html_text, markdown

METHOD = "input-gradient"
SCALE = 5


def show(choices: DrawChoices, seen: CanvasPredictions | None) -> None:
    """Show what there is to say of the prediction."""
    if seen is None:
        st.caption("What the model says in words, what its confidence is worth and what it looks at will stand here.")
        return
    text, picture = st.columns([1.6, 1], gap="large")
    learnt = reference.of(choices.models[0].checkpoint, choices.dataset)
    with text:
        st.markdown("\n\n".join([top_three(seen.first, choices.classes), *_worth(learnt, seen)]))
        if learnt is None:
            reference.missing(choices.models[0].checkpoint, choices.dataset)
        if seen.photo and (about := reference.about_pictures(choices.models[0].checkpoint)):
            st.caption(about)
        if len(seen.views) > 1:
            _table(choices, seen)
    with picture:
        _saliency(choices, seen)


def _worth(learnt: Known | None, seen: CanvasPredictions) -> Iterator[str]:
    """Say in paragraphs what the confidence means, if that has been found out."""
    if learnt is None:
        return
    confidence = seen.first.confidence
    found, novelty = learnt.trust(confidence), learnt.judge(seen.first.logits, seen.image)
    if found is not None:
        yield trust(found, confidence)
    yield reference.strange_why(novelty, confidence) if novelty.novel else f":small[{reference.familiar(novelty)}]"


def _table(choices: DrawChoices, seen: CanvasPredictions) -> None:
    """Show the models side by side in numbers."""
    rows = []
    for view in seen.views:
        row = {
            "Model": short(view.model, choices.dataset),
            "Says": choices.classes[view.predicted],
            "Confidence": numbers.percent(view.confidence),
        }
        if choices.target is not None:
            row["Meant class"] = numbers.percent(view.probabilities[choices.target])
            row["Rank"] = str(view.rank(choices.target))
        rows.append(row)
    right = st.column_config.TextColumn(alignment="right")
    columns = dict.fromkeys(("Confidence", "Meant class", "Rank"), right)
    st.dataframe(rows, hide_index=True, column_config=columns, height="content", row_height=28, key="draw-models-table")


def _saliency(choices: DrawChoices, seen: CanvasPredictions) -> None:
    name = choices.classes[seen.first.predicted]
    gradient = answers.attribution(choices.models[0].checkpoint, seen.image, METHOD, seen.first.predicted)
    picture = map_tag(gradient, SCALE, f"Input gradient for {name}")
    title, reading = html_text(f"Saliency for {name}"), html_text(SALIENCY.format(name))
    st.html(f'{picture}<div style="font-size:.85rem;padding-top:.3rem"><b>{title}.</b> {reading}</div>')


EMPTY = "The canvas is empty: draw something, and the bars will move with every stroke."
PHOTO_HINT = (
    f"At most {LARGEST_FILE >> 20} MB. It is turned to grey, made light on dark, cropped, scaled and centred as the "
    "data set was; Glass box shows how. It stays on the computer that runs this page."
)
CLIPBOARD = "To paste a picture from the clipboard, press Paste at the canvas, or click it and press Ctrl+V."
NO_CAMERA = (
    "The browser gives the camera and the clipboard only to pages over HTTPS or on the same computer, and this page "
    "came over plain HTTP. Take the picture with another program and bring it under A photo, or click the canvas and "
    "press Ctrl+V."
)
RECIPES = {
    "mnist": "The drawing is scaled to 20 × 20 pixels and centred by its mass, as MNIST's digits were.",
    "fashion-mnist": "The drawing is scaled until its longer side fills 28 pixels, as in Fashion-MNIST. "
    "Fill the shape.",
}
SALIENCY = (
    "Brighter ink on a warm pixel would raise the score of {}, on a cold pixel lower it; a pale pixel hardly matters. "
    "It is the gradient of the score at this very drawing, so it changes with every stroke."
)


def verdict(view: ModelPrediction, classes: tuple[str, ...], target: int | None, name: str | None = None) -> str:
    """Say what a model takes the drawing for; `name` where there are several models."""
    who = "The model" if name is None else markdown(name)
    text = f"{who} says **{markdown(classes[view.predicted])}** with {percent(view.confidence)}."
    if target is None:
        return text
    if target == view.predicted:
        return f"{text} ✓ That is what you meant; the loss is {loss(view.cross_entropy(target))}."
    return (
        f"{text} × You meant **{markdown(classes[target])}**: it gets {percent(view.probabilities[target])}, "
        f"rank {view.rank(target)} of {len(classes)}, a loss of {loss(view.cross_entropy(target))}."
    )


def brief(view: ModelPrediction, classes: tuple[str, ...], target: int | None, name: str | None) -> str:
    """Say in few words what one of several models takes the drawing for."""
    sign = "" if target is None else "✓ " if target == view.predicted else "× "
    return f"{markdown(name or '')}: {sign}**{markdown(classes[view.predicted])}** {percent(view.confidence)}"


def top_three(view: ModelPrediction, classes: tuple[str, ...]) -> str:
    """Say which three classes are the most probable."""
    order = (-view.probabilities).argsort(kind="stable")[:3]
    names = [f"**{markdown(classes[k])}** ({percent(view.probabilities[k])})" for k in order]
    if view.confidence >= 0.99:
        how = "It has next to no doubt"
    elif view.confidence >= 0.8:
        how = "It is fairly sure"
    elif view.confidence >= 0.5:
        how = "It doubts"
    else:
        how = "It is torn"
    return f"{how}: first {names[0]}, then {', then '.join(names[1:])}."


def trust(found: Trust, confidence: float) -> str:
    """Say what a confidence has been worth on images with known labels."""
    return (
        f"**What {percent(confidence)} means.** Of {count(found.of)} validation images on which the model was "
        f"{percent(found.low, 0).removesuffix('%')} to {percent(found.high, 0)} sure, it was right on "
        f"{count(found.right)} ({percent(found.right / found.of)}). That holds for images like those, not for "
        "anything one can draw."
    )


def off(titles: list[str]) -> str:
    """Say which steps of the preparation are switched off."""
    return f"Switched off under Glass box: {', '.join(titles)}."
