"""From a drawing or a photograph to the 28x28 image that the model sees, prepared as its data set was.

Digits follow MNIST: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits": the digit
is fitted into 20x20 pixels keeping its proportions, with grey levels from anti-aliasing, and its centre of
mass is moved to the centre of a 28x28 field. Garments follow H. Xiao, K. Rasul and R. Vollgraf,
"Fashion-MNIST" (arXiv:1708.07747, 2017), section 2: trim, bring the longest edge to 28 by leaving out pixels,
sharpen towards the outlines, centre, negate. They negate last and turn to grey at the very end; here the ink is made
light first, so that every later picture can be compared with the set, which changes nothing but roundings.
"""

import numpy as np

from explorer.data._way import EMPTY, Way
from explorer.data.colour import Pixels
from explorer.data.pictures import read_image, read_picture
from explorer.data.placement import FIELD, Grey
from explorer.data.preparation import (
    ALL,
    Normalisation,
    Prepared,
    Recipe,
    Step,
    Steps,
    each_left_out,
    normalisation_of,
    recipe_for,
)
from explorer.errors import ImageError

__all__ = [
    "ALL",
    "EMPTY",
    "Normalisation",
    "Prepared",
    "Recipe",
    "Step",
    "Steps",
    "each_left_out",
    "prepare_drawing",
    "prepare_photo",
    "read_image",
    "read_picture",
    "recipe_for",
]


def prepare_drawing(
    pixels: Grey,
    dataset: str,
    placed: bool = False,
    steps: Steps = ALL,
    normalisation: Normalisation | None = None,
) -> Prepared:
    """Prepare a drawing with light ink on a dark ground.

    Parameters
    ----------
    pixels : uint8 ndarray (S, S)
        S a multiple of 28 when `placed`.
    dataset : str
        Whose recipe to follow.
    placed : bool
        Keep size, place and grey levels: the drawing began as an image of the set. Each cell is averaged; of the
        steps only polarity and normalisation are left.
    steps : Steps
        Which steps to take; all by default.
    normalisation : Normalisation, optional
        The model's own; by default the data set's.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        There is no ink, or the array is no grey image.
    """
    _check(pixels, channels=False)
    if not pixels.any():
        raise ImageError(EMPTY)
    way = Way(recipe_for(dataset), steps, normalisation or normalisation_of(dataset))
    way.begin(pixels, drawn=True)
    if placed:
        way.average_cells()
    way.turn_drawing()
    if not placed:
        way.place(photo=False)
    return way.end()


def prepare_photo(
    picture: Pixels,
    dataset: str,
    steps: Steps = ALL,
    normalisation: Normalisation | None = None,
) -> Prepared:
    """Prepare a photograph, a scan or any other picture, of dark ink on light ground or the reverse.

    A 28x28 image on a black ground is one of a set and stays as it is; on another ground the ink is only made light.
    (Of the 140,000 images in both sets none has four corners that are alike and above 16, or four light corners.)

    Parameters
    ----------
    picture : uint8 ndarray (H, W) or (H, W, 3)
    dataset : str
        Whose recipe to follow.
    steps : Steps
        Which steps to take; all by default.
    normalisation : Normalisation, optional
        The model's own; by default the data set's.

    Returns
    -------
    Prepared

    Raises
    ------
    ImageError
        The picture is plain, or the array is no image.
    """
    _check(picture, channels=True)
    way = Way(recipe_for(dataset), steps, normalisation or normalisation_of(dataset))
    way.begin(picture, drawn=False)
    way.make_grey()
    if way.image.shape == (FIELD, FIELD):
        way.turn_small()
    else:
        way.even_out()
        way.turn_photo()
        way.place(photo=True)
    return way.end()


def _check(image: Pixels, channels: bool) -> None:
    shaped = image.ndim == 2 or (channels and image.ndim == 3 and image.shape[2] == 3)
    if not shaped or image.dtype != np.uint8 or not image.size:
        raise ImageError("A picture is an array of grey levels from 0 to 255 with two dimensions.")
