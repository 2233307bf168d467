"""The single operations that bring ink to size and place on the 28x28 field; all on uint8, light on dark."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explorer.errors import ImageError

Grey = NDArray[np.uint8]

FIELD = 28


def plain(grey: Grey, evened: bool = False) -> str:
    """Say that nothing stands out in a picture; `evened` says whether light and grain were taken out before."""
    low, high = int(grey.min()), int(grey.max())
    what = "one single shade" if low == high else f"hardly more than one single shade (grey {low} to {high} of 255)"
    which = "But for uneven light, grain and specks the" if evened else "The"
    return f"{which} picture has {what}: there is nothing to classify. Use one with ink on a plain ground."


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


def ink_box(image: Grey, tolerance: float = 0.0) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last ink above a share of the strongest.

    Raises
    ------
    ImageError
        There is no ink.
    """
    ink = image > tolerance * image.max()
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        raise ImageError(plain(image))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def fit(image: Grey, box: int, leave_out: bool) -> Grey:
    """Bring the longer side to `box` pixels, keeping the proportions.

    Growing interpolates; shrinking averages or, with `leave_out`, skips rows and columns.
    """
    scale = box / max(image.shape)
    height, width = (max(1, round(side * scale)) for side in image.shape)
    return resize(image, (height, width), leave_out)


def resize(image: Grey, shape: tuple[int, int], leave_out: bool = False) -> Grey:
    """Bring an image to a height and width, as `fit` does."""
    shrinking = Image.Resampling.NEAREST if leave_out else Image.Resampling.BOX
    method = shrinking if max(shape) <= max(image.shape) else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize(shape[::-1], method))


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


def centred_corner(image: Grey, by_mass: bool) -> tuple[int, int]:
    """Return the row and column of the 28x28 field where the image's first pixel goes, by whole pixels.

    With `by_mass` the image's centre of mass comes to the middle, as far as all of it stays on the field. The rounding
    is that of the sets: in MNIST centres of mass lie in [13.5, 14.5), counted from pixel 0.
    """
    corner = [(FIELD - side + 1) // 2 for side in image.shape]
    if by_mass and image.any():
        weight = image / image.sum()
        for axis in (0, 1):
            mean = float(weight.sum(1 - axis) @ np.arange(image.shape[axis]))
            corner[axis] = int(np.clip(np.ceil(13.5 - mean - 1e-9), 0, FIELD - image.shape[axis]))
    return corner[0], corner[1]


def put(image: Grey, corner: tuple[int, int]) -> Grey:
    """Put the image on the empty 28x28 field, unblurred, its first pixel at this row and column."""
    field = np.zeros((FIELD, FIELD), np.uint8)
    top, left = corner
    field[top : top + image.shape[0], left : left + image.shape[1]] = image
    return field
