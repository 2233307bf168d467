"""The single operations that bring ink to size and place on the 28x28 field; all on uint8, light on dark."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explorer.errors import ImageError

Grey = NDArray[np.uint8]

FIELD = 28
PLAIN = "The picture has one single shade: there is nothing to classify. Use one with ink on a plain ground."


def average_cells(pixels: Grey) -> Grey:
    """Average the cells of a square drawing down to 28x28.

    Raises
    ------
    ImageError
        The drawing is not square, or its side no multiple of 28.
    """
    side = pixels.shape[0]
    if pixels.shape != (side, side) or side % FIELD:
        raise ImageError(f"A drawing must be square with a side that is a multiple of {FIELD}.")
    cell = side // FIELD
    means: Grey = np.round(pixels.reshape(FIELD, cell, FIELD, cell).mean((1, 3))).astype(np.uint8)
    return means


def crop(image: Grey) -> Grey:
    """Cut away the empty rows and columns around the ink.

    Raises
    ------
    ImageError
        There is no ink.
    """
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    if not rows.size:
        raise ImageError(PLAIN)
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit(image: Grey, box: int, leave_out: bool) -> Grey:
    """Bring the longer side to `box` pixels, keeping the proportions.

    Growing interpolates; shrinking averages or, with `leave_out`, skips rows and columns.
    """
    height, width = image.shape
    scale = box / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinking = Image.Resampling.NEAREST if leave_out else Image.Resampling.BOX
    method = shrinking if scale <= 1 else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize(size, method))


def sharpen(image: Grey) -> Grey:
    """Sharpen with a Gaussian of standard deviation 1, in proportion to the strength of the local edge.

    The paper names the operator, not the program; the edge strength here is the length of the grey-level
    gradient relative to the longest in the image.
    """
    values = image.astype(np.float64)
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.0)), np.float64)
    padded = np.pad(values, 1, mode="edge")
    edge = np.hypot(padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1])
    strength = edge / max(edge.max(), 1.0)
    sharp: Grey = np.clip(np.round(values + strength * (values - blurred)), 0, 255).astype(np.uint8)
    return sharp


def stretch(image: Grey) -> Grey:
    """Let the brightest pixel be 255: in every image of both sets it is at least 254."""
    peak = int(image.max())
    return np.round(image * (255 / peak)).astype(np.uint8) if peak else image


def centre(image: Grey, by_mass: bool) -> Grey:
    """Put the image on the 28x28 field, whole and unblurred: by whole pixels, with no ink over the edge.

    The rounding is that of the sets: in MNIST centres of mass lie in [13.5, 14.5), counted from pixel 0.
    """
    corner = [(FIELD - side + 1) // 2 for side in image.shape]
    if by_mass:
        weight = image / image.sum()
        for axis in (0, 1):
            mean = float(weight.sum(1 - axis) @ np.arange(image.shape[axis]))
            corner[axis] = int(np.clip(np.ceil(13.5 - mean - 1e-9), 0, FIELD - image.shape[axis]))
    field = np.zeros((FIELD, FIELD), np.uint8)
    top, left = corner
    field[top : top + image.shape[0], left : left + image.shape[1]] = image
    return field
