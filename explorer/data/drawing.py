"""From a drawing or a photograph to the 28x28 image that the model sees, prepared as its data set was.

Digits follow MNIST: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits": the digit is fitted
into 20x20 pixels keeping its proportions, with grey levels from anti-aliasing, and its centre of mass is moved to the
centre of a 28x28 field. Garments follow H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST" (arXiv:1708.07747, 2017),
section 2: trim, bring the longest edge to 28 by leaving out pixels, sharpen towards the outlines, centre, negate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explorer.data.pictures import read_image
from explorer.errors import ImageError

__all__ = [
    "EMPTY",
    "Prepared",
    "Recipe",
    "Step",
    "prepare_drawing",
    "prepare_photo",
    "read_image",
    "recipe_for",
]

Grey = NDArray[np.uint8]

FIELD = 28
EMPTY = "The canvas is empty. Draw something first."
PLAIN = (
    "The picture has one single shade, so there is nothing to classify. Use one with ink on a plain ground."
)

_LEAST_CONTRAST = 16
_NOISE = 0.05 * 255  # the paper's tolerance for "close to the colour of the corner"


@dataclass(frozen=True)
class Recipe:
    """How a data set places its subject.

    Attributes
    ----------
    box : int
        Longer side of the subject after scaling, in pixels.
    by_mass : bool
        Centre by the centre of mass instead of the middle of the box.
    photographed : bool
        The set was made from photographs: their pixels are left out instead of averaged, and outlines sharpened.
    """

    box: int
    by_mass: bool
    photographed: bool


DIGITS = Recipe(box=20, by_mass=True, photographed=False)
GARMENTS = Recipe(box=28, by_mass=False, photographed=True)


def recipe_for(dataset: str) -> Recipe:
    """Return the recipe of a data set; one that is not built in is filled like the garments."""
    return DIGITS if dataset == "mnist" else GARMENTS


@dataclass(frozen=True, eq=False)
class Step:
    """One stage on the way: what was done, and the uint8 image (H, W) after it."""

    name: str
    image: Grey


@dataclass(frozen=True, eq=False)
class Prepared:
    """The image for the model, uint8 (28, 28), light on dark, and the stages that led to it."""

    image: Grey
    steps: tuple[Step, ...]


def prepare_drawing(pixels: Grey, dataset: str, placed: bool = False) -> Prepared:
    """Prepare a drawing with light ink on a dark ground.

    Parameters
    ----------
    pixels : uint8 ndarray (S, S)
        S a multiple of 28 when `placed`.
    dataset : str
        Whose recipe to follow.
    placed : bool
        Keep size, place and grey levels: the drawing began as an image of the set. Each cell is averaged.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        There is no ink, or the array is no grey image.
    """
    _check(pixels)
    if not pixels.any():
        raise ImageError(EMPTY)
    steps = [Step("Drawn", pixels)]
    if placed:
        steps.append(Step("Cells averaged", _average_cells(pixels)))
    else:
        _place(steps, recipe_for(dataset), photo=False)
    return Prepared(steps[-1].image, tuple(steps))


def prepare_photo(grey: Grey, dataset: str) -> Prepared:
    """Prepare a photograph, a scan or any other picture, of dark ink on light ground or the reverse.

    A 28x28 image on a dark ground is one of a set and stays as it is; on a light ground it is only negated.
    (Of the 140,000 images in both sets none has four light corners and a light border.)

    Parameters
    ----------
    grey : uint8 ndarray (H, W)
    dataset : str
        Whose recipe to follow.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        The picture is plain, or the array is no grey image.
    """
    _check(grey)
    steps = [Step("Grey", grey)]
    if grey.shape == (FIELD, FIELD):
        if _corners(grey).min() > 128 and np.median(_border(grey)) > 128:
            steps.append(Step("Light on dark", 255 - grey))
        if steps[-1].image.min() == steps[-1].image.max():
            raise ImageError(PLAIN)
    else:
        recipe = recipe_for(dataset)
        steps.append(
            Step("Light on dark", _ink(grey, _corners(grey) if recipe.photographed else _border(grey)))
        )
        _place(steps, recipe, photo=True)
    return Prepared(steps[-1].image, tuple(steps))


def _place(steps: list[Step], recipe: Recipe, photo: bool) -> None:
    steps.append(Step("Cropped to the ink", _crop(steps[-1].image)))
    leave_out = photo and recipe.photographed
    steps.append(Step("Scaled", _fit(steps[-1].image, recipe.box, leave_out)))
    if leave_out:
        steps.append(Step("Sharpened", _sharpen(steps[-1].image)))
    steps.append(Step("Full contrast", _stretch(steps[-1].image)))
    steps.append(Step("Centred", _centre(steps[-1].image, recipe.by_mass)))


def _check(image: Grey) -> None:
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ImageError("A picture is an array of grey levels from 0 to 255 with two dimensions.")


def _average_cells(pixels: Grey) -> Grey:
    side = pixels.shape[0]
    if pixels.shape != (side, side) or side % FIELD:
        raise ImageError(f"A drawing must be square with a side that is a multiple of {FIELD}.")
    cell = side // FIELD
    return np.round(pixels.reshape(FIELD, cell, FIELD, cell).mean((1, 3))).astype(np.uint8)


def _border(grey: Grey) -> Grey:
    """Return the pixels of a frame, two hundredths of the shorter side wide."""
    width = max(1, min(grey.shape) // 50)
    inner = np.s_[width:-width]
    return np.concatenate(
        [part.ravel() for part in (grey[:width], grey[-width:], grey[inner, :width], grey[inner, -width:])]
    )


def _corners(grey: Grey) -> Grey:
    """Return the pixels of the four corners, each one 28th of the side."""
    rows, columns = max(1, grey.shape[0] // FIELD), max(1, grey.shape[1] // FIELD)
    return np.concatenate(
        [
            half[:, part].ravel()
            for half in (grey[:rows], grey[-rows:])
            for part in (np.s_[:columns], np.s_[-columns:])
        ]
    )


def _ink(grey: Grey, ground: Grey) -> Grey:
    """Return how far each pixel is from the ground, on the side where the picture reaches further; noise becomes 0."""
    level = float(np.median(ground))
    low, high = np.percentile(grey, (0.2, 99.8))
    depth = max(level - low, high - level)
    if depth < _LEAST_CONTRAST:
        raise ImageError(PLAIN)
    dark_ink = level - low >= high - level
    distance = (level - grey) if dark_ink else (grey - level)
    spread = float(np.median(np.abs(ground - level)))
    floor = min(max(_NOISE, 6 * spread), depth / 2) if spread else 0.0
    ink = np.where(distance > floor, distance, 0.0) * (255 / (level if dark_ink else 255 - level))
    return np.clip(np.round(ink), 0, 255).astype(np.uint8)


def _crop(image: Grey) -> Grey:
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    if not rows.size:
        raise ImageError(PLAIN)
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(image: Grey, box: int, leave_out: bool) -> Grey:
    """Bring the longer side to `box`: averaging when it shrinks, interpolating when it grows, or by leaving out."""
    height, width = image.shape
    scale = box / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinking = Image.Resampling.NEAREST if leave_out else Image.Resampling.BOX
    return np.array(
        Image.fromarray(image).resize(size, shrinking if scale <= 1 else Image.Resampling.BILINEAR)
    )


def _sharpen(image: Grey) -> Grey:
    """Sharpen with a Gaussian of standard deviation 1, in proportion to the strength of the local edge.

    The paper names the operator, not the program; the edge strength here is the length of the grey-level gradient
    relative to the longest in the image.
    """
    values = image.astype(np.float64)
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.0)), np.float64)
    padded = np.pad(values, 1, mode="edge")
    edge = np.hypot(padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1])
    strength = edge / max(edge.max(), 1.0)
    return np.clip(np.round(values + strength * (values - blurred)), 0, 255).astype(np.uint8)


def _stretch(image: Grey) -> Grey:
    """Let the brightest pixel be 255: in every image of both sets it is at least 254."""
    peak = int(image.max())
    return np.round(image * (255 / peak)).astype(np.uint8) if peak else image


def _centre(image: Grey, by_mass: bool) -> Grey:
    """Put the image on the 28x28 field, whole and unblurred: by whole pixels, with no ink over the edge.

    The rounding is that of the sets: in MNIST every centre of mass lies in [13.5, 14.5), counting from pixel 0.
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
