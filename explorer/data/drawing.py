"""From a drawing or a photograph to the 28x28 image that the model sees, prepared as its data set was.

Digits follow MNIST: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits": the digit
is fitted into 20x20 pixels keeping its proportions, with grey levels from anti-aliasing, and its centre of
mass is moved to the centre of a 28x28 field. Garments follow H. Xiao, K. Rasul and R. Vollgraf,
"Fashion-MNIST" (arXiv:1708.07747, 2017), section 2: trim, bring the longest edge to 28 by leaving out pixels,
sharpen towards the outlines, centre, negate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from explorer.data.pictures import read_image
from explorer.data.placement import FIELD, PLAIN, Grey, average_cells, centre, crop, fit, sharpen, stretch
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

EMPTY = "The canvas is empty. Draw something first."

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
        The set was made from photographs, leaving out pixels instead of averaging, and sharpening outlines.
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
        steps.append(Step("Cells averaged", average_cells(pixels)))
        if not steps[-1].image.any():
            raise ImageError(EMPTY)
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
        steps.append(Step("Light on dark", _ink(grey, _corners if recipe.photographed else _border)))
        _place(steps, recipe, photo=True)
    return Prepared(steps[-1].image, tuple(steps))


def _place(steps: list[Step], recipe: Recipe, photo: bool) -> None:
    steps.append(Step("Cropped to the ink", crop(steps[-1].image)))
    leave_out = photo and recipe.photographed
    steps.append(Step("Scaled", fit(steps[-1].image, recipe.box, leave_out)))
    if leave_out:
        steps.append(Step("Sharpened", sharpen(steps[-1].image)))
    steps.append(Step("Full contrast", stretch(steps[-1].image)))
    steps.append(Step("Centred", centre(steps[-1].image, recipe.by_mass)))


def _check(image: Grey) -> None:
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ImageError("A picture is an array of grey levels from 0 to 255 with two dimensions.")


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
        [half[:, part].ravel() for half in (grey[:rows], grey[-rows:]) for part in (np.s_[:columns], np.s_[-columns:])]
    )


def _ink(grey: Grey, ground_of: Callable[[Grey], Grey]) -> Grey:
    """Return each pixel's distance from the ground, on the side where the picture reaches further.

    Where the ground is noisy, single specks are removed and what lies within the noise becomes 0.
    """
    ground = ground_of(grey)
    level = float(np.median(ground))
    spread = float(np.median(np.abs(ground - level)))
    if spread:
        grey = np.asarray(Image.fromarray(grey).filter(ImageFilter.MedianFilter(3)))
    low, high = float(grey.min()), float(grey.max())
    depth = max(level - low, high - level)
    if depth < _LEAST_CONTRAST:
        raise ImageError(PLAIN)
    dark_ink = level - low >= high - level
    distance = (level - grey) if dark_ink else (grey - level)
    floor = min(max(_NOISE, 6 * spread), depth / 2) if spread else 0.0
    ink = np.where(distance > floor, distance, 0.0) * (255 / (level if dark_ink else 255 - level))
    return np.clip(np.round(ink), 0, 255).astype(np.uint8)
