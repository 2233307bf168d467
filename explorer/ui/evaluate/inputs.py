"""Any image to show to the network: one of the split, a picture that the user brings, or the drawing."""

import random
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from explorer.data.drawing import prepare_drawing, prepare_photo, read_image
from explorer.data.pictures import LARGEST_FILE
from explorer.ui import address, canvas, sketch, state
from explorer.ui.evaluate import response_words
from explorer.ui.evaluate.scope import Scope
from explorer.ui.formats import count
from explorer.ui.text import plain, shorten

NUMBER = "number"
TYPES = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "pgm", "ppm"]
MEGABYTE = 2**20
LARGEST_SHOWN = 112
"""Pixels of the longer side of the picture as it was brought."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Given:
    """An image to be judged.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28): what the model sees.
    original : ndarray or None
        uint8, shape (H, W): what the user brought, small enough to be shown; None for an image of the split.
    row : int or None
        Its row in the split; None for an image of the user's.
    """

    image: Grey
    original: Grey | None = None
    row: int | None = None


def of_split(scope: Scope) -> Given:
    """Let the user choose an image of the judged split, by number, at random, or one that the model gets wrong."""
    split = scope.images
    last = len(split) - 1
    address.adopt(NUMBER, range(last + 1), 0)
    wrong = np.flatnonzero(~scope.a.results.predictions.correct)
    with st.container(horizontal=True, gap="small"):
        st.button("Random", key="response-random", on_click=_choose, args=(range(last + 1),))
        st.button("A mistake", key="response-wrong", on_click=_choose, args=(wrong,), disabled=not len(wrong))
    row = st.number_input(f"Number, 0 to {count(last)}", 0, last, key=NUMBER, on_change=address.touched, args=(NUMBER,))
    address.keep({NUMBER: row}, {NUMBER: 0})
    return Given(split.images[row], row=int(row))


def upload(dataset: str) -> Given | None:
    """Let the user bring a picture; None until there is one.

    Raises
    ------
    ImageError
        It is no picture, damaged, too large, too small or plain.
    """
    limit = LARGEST_FILE // MEGABYTE
    allowed = min(limit, int(st.get_option("server.maxUploadSize")))
    file = st.file_uploader(
        "A picture", type=TYPES, max_upload_size=allowed, key="response-upload", help=response_words.UPLOAD_HINT
    )
    if file is None:
        return None
    return prepared(file.getvalue(), shorten(plain(file.name)), dataset)


@st.cache_data(max_entries=16, show_spinner=False)
def prepared(content: bytes, name: str, dataset: str) -> Given:
    """Read a picture file and prepare it as the images of a data set were.

    Parameters
    ----------
    content : bytes
    name : str
        What messages call it.
    dataset : str

    Raises
    ------
    ImageError
        It is no picture, damaged, too large, too small or plain.
    """
    grey = read_image(content, name)
    return Given(prepare_photo(grey, dataset).image, _reduced(grey))


def drawn(dataset: str) -> Given | None:
    """Take what stands on the canvas of the page Draw; None while it is empty.

    Raises
    ------
    ImageError
        There is too little ink.
    """
    drawing = canvas.current(sketch.CANVAS)
    if drawing is None:
        st.info(response_words.CANVAS_EMPTY)
        state.link("draw", "Open the page Draw")
        return None
    state.link("draw", "Change the drawing")
    return Given(prepare_drawing(drawing.pixels, dataset, drawing.placed).image, _reduced(drawing.pixels))


def _choose(rows: "range | NDArray[np.int64]") -> None:
    st.session_state[NUMBER] = int(random.choice(rows))
    address.touched(NUMBER)


def _reduced(grey: Grey) -> Grey:
    picture = Image.fromarray(grey)
    picture.thumbnail((LARGEST_SHOWN, LARGEST_SHOWN), Image.Resampling.BOX)
    return np.array(picture, np.uint8)
