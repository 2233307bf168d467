"""Images of the user's own to show to the network: a picture that is brought, or the drawing."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from explorer.data.preparation.pictures import LARGEST_FILE
from explorer.data.preparation.pipeline import prepare_drawing, prepare_photo, read_image
from explorer.ui import canvas
from explorer.ui.kit import drawing as kit_drawing
from explorer.ui.kit import state
from explorer.ui.kit.text import plain, shorten

TYPES = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "pgm", "ppm"]
MEGABYTE = 2**20
LARGEST_SHOWN = 112
"""Pixels of the longer side of the picture as it was brought."""

UPLOAD_HINT = (
    "A picture of 28 × 28 pixels on a dark ground is taken as it is; any other is cropped, scaled, centred and turned "
    "to light on dark as the images of the data set were."
)
CANVAS_EMPTY = "The canvas is empty. Draw something on the page Draw; it appears here."

Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class OwnImage:
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


def upload(dataset: str) -> OwnImage | None:
    """Let the user bring a picture; None until there is one.

    Raises
    ------
    ImageError
        It is no picture, damaged, too large, too small or plain.
    """
    limit = LARGEST_FILE // MEGABYTE
    allowed = min(limit, int(st.get_option("server.maxUploadSize")))
    file = st.file_uploader("A picture", type=TYPES, max_upload_size=allowed, key="response-upload", help=UPLOAD_HINT)
    if file is None:
        return None
    return prepared(file.getvalue(), shorten(plain(file.name)), dataset)


@st.cache_data(max_entries=16, show_spinner=False)
def prepared(content: bytes, name: str, dataset: str) -> OwnImage:
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
    return OwnImage(prepare_photo(grey, dataset).image, _reduced(grey))


def drawn(dataset: str) -> OwnImage | None:
    """Take what stands on the canvas of the page Draw; None while it is empty.

    Raises
    ------
    ImageError
        There is too little ink.
    """
    drawing = canvas.current(kit_drawing.CANVAS)
    if drawing is None:
        st.info(CANVAS_EMPTY)
        state.link("draw", "Open the page Draw")
        return None
    state.link("draw", "Change the drawing")
    return OwnImage(prepare_drawing(drawing.pixels, dataset, drawing.placed).image, _reduced(drawing.pixels))


def _reduced(grey: Grey) -> Grey:
    picture = Image.fromarray(grey)
    picture.thumbnail((LARGEST_SHOWN, LARGEST_SHOWN), Image.Resampling.BOX)
    return np.array(picture, np.uint8)
