"""Choices of the page Inside: a layer, a unit, an image, the size of a sample."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.data.preparation.pipeline import prepare_drawing
from explorer.ui import canvas
from explorer.ui.inside import results
from explorer.ui.inside.results import InspectedModel
from explorer.ui.kit import address, controls, state
from explorer.ui.kit import drawing as kit_drawing
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.numbers import count
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.analysis.inside.steps import LayerCall

SPLIT, DRAWING = "split", "drawing"
IMAGE = "image"
OF_CLASS = "image-class"
SCALE = 5
EMPTY = "The canvas of the page Draw is empty. Draw something there, or choose an image of the split."


@dataclass(frozen=True, eq=False)
class ChosenImage:
    """An image for the network.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28).
    row : int or None
        Its row in the split; None for the drawing.
    """

    image: NDArray[np.uint8]
    row: int | None


def layer(
    label: str,
    offered: "Sequence[LayerCall]",
    key: str,
    help: str | None = None,
    titles: Mapping[str, str] | None = None,
) -> "LayerCall":
    """Let the user choose a layer; its key stands in the URL.

    Parameters
    ----------
    label : str
    offered : sequence of Step
        At least one.
    key : str
        Of the widget and the URL.
    help : str, optional
    titles : mapping of str to str, optional
        What stands for a layer in place of its label, by its key.
    """
    by_key = {step.key: step for step in offered}
    names = list(by_key)
    shown = {name: step.label for name, step in by_key.items()} | dict(titles or {})
    unknown = address.adopt(key, names, names[0])
    st.selectbox(
        label,
        names,
        format_func=lambda name: shown.get(str(name), str(name)),
        key=key,
        help=help,
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: st.session_state[key]}, {key: names[0]})
    if unknown is not None:
        st.caption(f"This network has no layer “{markdown(shorten(unknown))}”; another one is shown.")
    return by_key[str(st.session_state[key])]


def number(label: str, last: int, key: str, default: int = 0, help: str | None = None) -> int:
    """Let the user choose a whole number from 0 to `last`; where there is only one, none is asked for."""
    address.adopt(key, range(last + 1), min(default, last))
    if not last:
        st.session_state.pop(key, None)
        return 0
    chosen = st.number_input(
        f"{label}, 0 to {count(last)}", 0, last, key=key, help=help, on_change=address.touched, args=(key,)
    )
    address.keep({key: chosen}, {key: min(default, last)})
    return int(chosen)


def size(subject: InspectedModel, key: str, whole: bool = False) -> int:
    """Let the user choose how many images of the split are taken; all of them only where `whole`."""
    n = _images(subject)
    sizes = [one for one in results.SIZES if one < n]
    offered = [*sizes, n] if whole or not sizes else sizes
    default = min(results.default_size(subject), offered[-1])
    default = default if default in offered else offered[0]
    address.adopt(key, offered, default)
    chosen = offered[0]
    if len(offered) > 1:
        chosen = st.select_slider(
            f"Images of the {subject.selection.split} split",
            offered,
            format_func=count,
            key=key,
            help="A sample drawn once, the same every time; more images take longer.",
            on_change=address.touched,
            args=(key,),
        )
    address.keep({key: chosen}, {key: default})
    return int(chosen)


def units_of(known: "tuple[LayerCall, ...]", offered: "Sequence[LayerCall]") -> "LayerCall":
    """Let the user choose a layer for its units; it is named by the weights that make them.

    Parameters
    ----------
    known : tuple of Step
        All steps of the network.
    offered : sequence of Step
        At least one.
    """
    from explorer.analysis.inside.steps import following

    makers = {chain[-1].key: one for one in known if one.role == "weights" and (chain := following(known, one))}
    titles = {step.key: makers[step.key].label for step in offered if step.key in makers}
    return layer(
        "Layer",
        offered,
        "units-of",
        "Its maps or units, after normalisation and activation where these follow.",
        titles,
    )


def image(subject: InspectedModel, show: bool = True) -> ChosenImage | None:
    """Let the user choose an image of the split, by number, at random or by class, or the drawing.

    Parameters
    ----------
    subject : Subject
    show : bool
        Whether it is shown below.

    Returns
    -------
    Given or None
        None while the canvas is empty.

    Raises
    ------
    ImageError
        The drawing has too little ink.
    """
    source = controls.segments("Image", {SPLIT: "Image of the split", DRAWING: "Drawing"}, "picture", labelled=False)
    found = _drawn(subject) if source == DRAWING else _of_split(subject)
    if found is not None and show:
        names = catalog.get(subject.selection.dataset).classes
        name = "The drawing" if found.row is None else names[int(subject.split.labels[found.row])]
        st.html(img_tag(found.image, SCALE, name))
        if found.row is not None:
            st.caption(f"Image {count(found.row)}: {markdown(name)}")
    return found


def _images(subject: InspectedModel) -> int:
    """Return how many images the split holds; end the section where it holds none."""
    n = len(subject.split)
    if not n:
        st.info(f"The {subject.selection.split} split holds no images. Choose another split in the sidebar.")
        st.stop()
    return n


def _of_split(subject: InspectedModel) -> ChosenImage:
    _images(subject)
    split = subject.split
    names = catalog.get(subject.selection.dataset).classes
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width="stretch"):
            of = controls.select("Class for random images", dict(enumerate(names)), OF_CLASS, "Any class")
        rows = np.flatnonzero(split.labels == of) if of is not None else np.arange(len(split))
        st.button("Random", key="inside-random", on_click=_random, args=(rows,), disabled=not len(rows))
    row = number(f"Image of the {subject.selection.split} split", len(split) - 1, IMAGE)
    return ChosenImage(split.images[row], row)


def _random(rows: NDArray[np.int64]) -> None:
    address.put(IMAGE, int(random.choice(rows)))


def _drawn(subject: InspectedModel) -> ChosenImage | None:
    drawing = canvas.current(kit_drawing.CANVAS)
    if drawing is None:
        st.info(EMPTY)
        state.link("draw", "Open the page Draw")
        return None
    state.link("draw", "Change the drawing")
    return ChosenImage(prepare_drawing(drawing.pixels, subject.selection.dataset, drawing.placed).image, None)


def page(total: int, key: str, per_page: int) -> int:
    """Let the user choose a page and return its first place; the page stands in the URL, counted from 1."""
    pages = max(1, -(-total // per_page))
    address.adopt(key, range(1, pages + 1), 1)
    chosen = 1
    if pages > 1:
        chosen = st.number_input(
            f"Page, 1 to {count(pages)}", 1, pages, key=key, on_change=address.touched, args=(key,)
        )
    else:
        st.session_state.pop(key, None)
    address.keep({key: chosen}, {key: 1})
    return (int(chosen) - 1) * per_page
