"""Images of the user's own to show to the network: a picture that is brought, all or part of it, or the drawing."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from explorer.data.preparation.pictures import LARGEST_FILE, SMALLEST_SIDE
from explorer.data.preparation.pipeline import prepare_drawing, prepare_photo, read_picture
from explorer.data.preparation.steps import Pixels, to_grey
from explorer.ui import canvas
from explorer.ui.kit import drawing as kit_drawing
from explorer.ui.kit import state
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.text import plain, shorten

TYPES = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff", "pgm", "ppm"]
MEGABYTE = 2**20
LARGEST_SHOWN = 112
"""Pixels of the longer side of the picture as it was brought."""
LARGEST_CROPPED = 224
"""The same where it is cropped."""
DIMMED = 0.3

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
    content, name = file.getvalue(), shorten(plain(file.name))
    return prepared(content, name, dataset, crop(_read(content, name)))


Box = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""


def crop(picture: Pixels, on_change: Callable[..., None] | None = None) -> Box:
    """Let the user choose a rectangle of a picture, all of it at first.

    Parameters
    ----------
    picture : uint8 ndarray (H, W) or (H, W, 3)
    on_change : callable, optional
        Called with the picture when the rectangle has changed; `cropped` returns it.
    """
    with st.popover("Crop", icon=":material/crop:"):
        place = st.container()
        for side, key in zip(("Top and bottom", "Left and right"), _edges(picture), strict=True):
            st.slider(side, 0, 100, (0, 100), format="%d%%", key=key, on_change=on_change, args=(picture,))
        top, bottom, left, right = box = cropped(picture)
        shown = (picture * DIMMED).astype(np.uint8)
        shown[top:bottom, left:right] = picture[top:bottom, left:right]
        place.html(img_tag(_reduced(shown, LARGEST_CROPPED), 1, "The picture; what is left out is dark"))
    return box


def cropped(picture: Pixels) -> Box:
    """Return the rectangle that the user has chosen of a picture."""
    found = []
    for key, side in zip(_edges(picture), picture.shape[:2], strict=True):
        first, last = st.session_state.get(key, (0, 100))
        start = min(first * side // 100, side - SMALLEST_SIDE)
        found += [start, max(last * side // 100, start + SMALLEST_SIDE)]
    return found[0], found[1], found[2], found[3]


def _edges(picture: Pixels) -> tuple[str, str]:
    number = zlib.crc32(picture.tobytes())
    return f"crop-rows-{number}", f"crop-columns-{number}"


@st.cache_data(max_entries=4, show_spinner=False)
def _read(content: bytes, name: str) -> Pixels:
    return read_picture(content, name)


@st.cache_data(max_entries=16, show_spinner=False)
def prepared(content: bytes, name: str, dataset: str, box: Box | None = None) -> OwnImage:
    """Read a picture file and prepare it as the images of a data set were.

    Parameters
    ----------
    content : bytes
    name : str
        What messages call it.
    dataset : str
    box : tuple of int, optional
        The rectangle that is taken, as `crop` returns it.

    Raises
    ------
    ImageError
        It is no picture, damaged, too large, too small or plain.
    """
    picture = read_picture(content, name)
    top, bottom, left, right = box or (0, picture.shape[0], 0, picture.shape[1])
    grey = to_grey(picture[top:bottom, left:right])
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


def _reduced(pixels: Pixels, longest: int = LARGEST_SHOWN) -> Pixels:
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    return np.array(picture, np.uint8)
