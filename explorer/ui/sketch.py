"""Parts of the page Draw: the canvas with live bars, and what the model sees of the drawing."""

import math
import random
import sys
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.drawing import prepare_drawing
from explorer.data.splits import load_split
from explorer.errors import ImageError
from explorer.ui import answers, formats, theme
from explorer.ui.canvas import Bars, canvas, current, load
from explorer.ui.images import img_tag, map_tag
from explorer.ui.text import html_text, markdown

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint

CANVAS = "draw"
SCALE = 5


def start_from(dataset: str, target: int | None) -> None:
    """Put a random test image on the canvas, of the target's class where there is one."""
    split = load_split(dataset, "test")
    rows = np.flatnonzero(split.labels == target) if target is not None else np.arange(len(split))
    load(CANVAS, split.images[random.choice(rows.tolist())])


@st.fragment
def pad(chosen: "Checkpoint", dataset: str, target: int | None) -> None:
    """Show the canvas; each stroke renews this part alone."""
    classes = chosen.classes
    image, message = _prepared(dataset)
    probabilities = None if image is None else answers.probabilities(chosen, image)
    shares = None if probabilities is None else tuple(probabilities.tolist())
    canvas(CANVAS, bars=Bars(classes, theme.class_colours(len(classes)), shares, target), message=message)
    if image is None or probabilities is None:
        st.caption("The canvas is empty: draw something, and the bars will move with every stroke.")
        return
    predicted = int(probabilities.argmax())
    _verdict(classes, probabilities, predicted, target)
    _pictures(chosen, image, predicted if target is None else target)


def _prepared(dataset: str) -> tuple[NDArray[np.uint8] | None, str | None]:
    """Return the 28x28 image for the model, or None and what is wrong with the drawing."""
    drawing = current(CANVAS)
    if drawing is None:
        return None, None
    try:
        return prepare_drawing(drawing.pixels, dataset, drawing.placed).image, None
    except ImageError as error:
        return None, str(error)


def _verdict(classes: tuple[str, ...], probabilities: NDArray[np.float64], predicted: int, target: int | None) -> None:
    text = f"The model says **{markdown(classes[predicted])}** with {formats.percent(probabilities[predicted])}."
    if target is not None:
        share = float(probabilities[target])
        loss = formats.loss(-math.log(max(share, sys.float_info.min)))
        rank = int((probabilities > share).sum()) + 1
        if target == predicted:
            text += f" ✓ That is what you meant; the loss is {loss}."
        else:
            text += (
                f" ✗ You meant **{markdown(classes[target])}**: it gets {formats.percent(share)}, "
                f"rank {rank} of {len(classes)}, a loss of {loss}."
            )
    st.markdown(text)


def _pictures(chosen: "Checkpoint", image: NDArray[np.uint8], shown: int) -> None:
    name = chosen.classes[shown]
    gradient = answers.attribution(chosen, image, "input-gradient", shown)
    figures = (
        (img_tag(image, SCALE, "The drawing as the model sees it"), "What the model sees: 28 × 28 pixels"),
        (map_tag(gradient, SCALE, f"Input gradient for {name}"), f"Saliency for {name}"),
    )
    with st.container(horizontal=True, gap="medium"):
        for picture, caption in figures:
            label = f'<div style="font-size:.85rem;padding-top:.3rem">{html_text(caption)}</div>'
            st.html(picture + label, width="content")
    st.caption(
        f"**How to read this.** Brighter ink on a warm pixel would raise the score of {markdown(name)}, on a cold "
        "pixel lower it; a pale pixel hardly matters. It is the gradient of the score at this very drawing, so it "
        "changes with every stroke."
    )
