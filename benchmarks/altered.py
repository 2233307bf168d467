"""Images of the sets as somebody might bring them: larger, elsewhere, in other colours, negated, thicker."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import maximum_filter

SCALE = 10
LEAST_DISTANCE = 100.0
"""Between ink and ground, in RGB, whose longest distance is 442."""

Effect = Literal["scaled", "shifted", "negated", "recoloured", "thickened"]
EFFECTS: tuple[Effect, ...] = ("scaled", "shifted", "negated", "recoloured", "thickened")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Alteration:
    """What is done to an image, beside making it ten times as large.

    Attributes
    ----------
    smooth : bool
        Enlarged with interpolation instead of as squares.
    ground_size : tuple of int
        Height and width of the picture, at least 280.
    corner : tuple of int
        Row and column where the image begins.
    ink, ground : tuple of int
        Red, green and blue of what was white and what was black.
    thicker : int
        By how many pixels outlines grow to each side; ten are one pixel of the image.
    """

    smooth: bool = False
    ground_size: tuple[int, int] = (280, 280)
    corner: tuple[int, int] = (0, 0)
    ink: tuple[int, int, int] = (255, 255, 255)
    ground: tuple[int, int, int] = (0, 0, 0)
    thicker: int = 0


def draw_alteration(generator: np.random.Generator, effects: tuple[Effect, ...] = EFFECTS) -> Alteration:
    """Draw an alteration at random.

    Parameters
    ----------
    generator : numpy.random.Generator
    effects : tuple of str
        Which there shall be; `negated` with `recoloured` leaves to chance which of the two colours is lighter.
    """
    size, corner, ink, ground, thicker = (280, 280), (0, 0), (255,) * 3, (0,) * 3, 0
    if "shifted" in effects:
        height, width = (int(side) for side in generator.integers(340, 601, 2))
        size, corner = (height, width), (int(generator.integers(height - 279)), int(generator.integers(width - 279)))
    if "recoloured" in effects:
        ink, ground = _two_colours(generator)
    if "negated" in effects and ("recoloured" not in effects or generator.random() < 0.5):
        ink, ground = ground, ink
    if "thickened" in effects:
        thicker = int(generator.integers(1, 6))
    return Alteration(bool(generator.random() < 0.5), size, corner, ink, ground, thicker)


def altered(image: Pixels, alteration: Alteration) -> Pixels:
    """Apply an alteration.

    Parameters
    ----------
    image : uint8 ndarray (28, 28)
    alteration : Alteration

    Returns
    -------
    uint8 ndarray (H, W, 3)
    """
    method = Image.Resampling.BICUBIC if alteration.smooth else Image.Resampling.NEAREST
    side = image.shape[0] * SCALE
    large = np.asarray(Image.fromarray(image).resize((side, side), method))
    if alteration.thicker:
        large = maximum_filter(large, 2 * alteration.thicker + 1, mode="constant")
    levels = np.zeros(alteration.ground_size, np.uint8)
    top, left = alteration.corner
    levels[top : top + side, left : left + side] = large
    share = np.arange(256)[:, None] / 255
    ink, ground = np.array(alteration.ink), np.array(alteration.ground)
    result: Pixels = np.round(ground + share * (ink - ground)).astype(np.uint8)[levels]
    return result


def _two_colours(generator: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    while True:
        first, second = generator.integers(0, 256, (2, 3)).tolist()
        if np.linalg.norm(np.subtract(first, second)) >= LEAST_DISTANCE:
            return tuple(first), tuple(second)
