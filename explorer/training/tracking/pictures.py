"""Pictures for the event files: the first layer's filters, and sample images with what the network says of them."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.filters import colour, first_layer_filters, grid
from explorer.data.splits import Split
from explorer.errors import CheckpointError

if TYPE_CHECKING:
    from PIL import Image

COLUMNS = 8
LEVELS = 31
"""Shades of a filter; more are hardly seen and make the file three times as large."""

SAMPLES, SAMPLE_COLUMNS = 12, 4
SCALE, LINE = 3, 13
TILE = 84, 28 * SCALE + 2 * LINE + 4
RIGHT, WRONG, INK, PAPER = "#2e6b34", "#b3261e", "#333333", "#ffffff"

Picture = tuple[int, int, bytes]
"""Width, height and the content of a PNG file."""


def filters_picture(weights: Mapping[str, object]) -> Picture | None:
    """Draw the filters of a network's first layer, blue below zero and red above.

    Parameters
    ----------
    weights : mapping of str to Tensor
        A state dict.

    Returns
    -------
    tuple of int, int, bytes, or None
        None where the first layer does not see the image itself.
    """
    from PIL import Image

    try:
        filters = first_layer_filters(weights)
    except CheckpointError:
        return None
    scale = max(1, 28 // filters.images.shape[1]) if filters.kind == "kernels" else 1
    darkest = (1 / 255,) * 3  # 0 is left to the gaps
    shades = ((LEVELS + 1) / 255,) * 3
    levels = grid(filters, COLUMNS, scale=scale, colours=(darkest, shades), gap=(0, 0, 0))[..., 0]
    picture = Image.fromarray(np.ascontiguousarray(levels))
    ramp = colour(np.linspace(-1, 1, LEVELS + 1), 1.0)
    picture.putpalette([128, 128, 128, *ramp.reshape(-1).tolist()])
    return _png(picture)


def sample_rows(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose the images that are shown in every epoch: the first of each class, then the first of the others."""
    first = np.unique(labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(min(len(labels), 10 * SAMPLES)), first)
    return np.concatenate([first, others])[:SAMPLES]


def samples_picture(split: Split, classes: tuple[str, ...], logits: NDArray[np.float32]) -> Picture:
    """Draw sample images, under each the predicted class, and the true one where that is another.

    Parameters
    ----------
    split : Split
    classes : tuple of str
    logits : ndarray of float32, shape (N, C)
        For the images of the split, from the first on.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows = sample_rows(split.labels[: len(logits)])
    width, height = TILE
    lines = -(-len(rows) // SAMPLE_COLUMNS)
    picture = Image.new("RGB", (SAMPLE_COLUMNS * (width + 4), lines * (height + 4)), PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    for number, row in enumerate(rows):
        left, top = (number % SAMPLE_COLUMNS) * (width + 4) + 2, (number // SAMPLE_COLUMNS) * (height + 4) + 2
        image = Image.fromarray(split.images[row].repeat(SCALE, axis=0).repeat(SCALE, axis=1))
        picture.paste(image, (left, top))
        label, predicted = int(split.labels[row]), int(logits[row].argmax())
        below = top + 28 * SCALE
        good = label == predicted
        pen.text((left, below), classes[predicted] + ("" if good else "?"), RIGHT if good else WRONG, font)
        pen.text((left, below + LINE), "" if good else f"it is {classes[label]}", INK, font)
    return _png(picture.quantize(64, Image.Quantize.FASTOCTREE))


def _png(picture: "Image.Image") -> Picture:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return picture.width, picture.height, content.getvalue()
