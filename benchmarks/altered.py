"""Images of the sets as somebody might bring them: larger, elsewhere, in other colours, negated, thicker, or drawn."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

SCALE = 10
LEAST_DISTANCE = 100.0
"""Between ink and ground, in RGB, whose longest distance is 442."""

SIDE, MARGIN = 480, 30
WITHIN = SIDE - 2 * MARGIN
FINE = 112
"""Side at which strokes are thinned."""
INK = 64
AROUND = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
"""How to shift an image to see each pixel's neighbour in the north, and on clockwise."""

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
        large = ndimage.maximum_filter(large, 2 * alteration.thicker + 1, mode="constant")
    levels = np.zeros(alteration.ground_size, np.uint8)
    top, left = alteration.corner
    levels[top : top + side, left : left + side] = large
    share = np.arange(256)[:, None] / 255
    ink, ground = np.array(alteration.ink), np.array(alteration.ground)
    result: Pixels = np.round(ground + share * (ink - ground)).astype(np.uint8)[levels]
    return result


def retraced(digit: Pixels, pen: int) -> Pixels:
    """Draw the middle line of a digit with a pen of so many pixels: uint8 (28, 28) to (480, 480)."""
    line = _thinned(_enlarged(digit, FINE) > INK)
    field = Image.new("L", (SIDE, SIDE))
    canvas = ImageDraw.Draw(field)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for y, x in np.argwhere(line & np.roll(line, (-dy, -dx), (0, 1))):
            canvas.line(
                [(MARGIN + WITHIN / FINE * u, MARGIN + WITHIN / FINE * v) for u, v in ((x, y), (x + dx, y + dy))], 1
            )
    away = ndimage.distance_transform_edt(np.asarray(field) == 0)
    return np.where(away <= (pen - 1) / 2, 255, 0).astype(np.uint8)


def outlined(garment: Pixels, pen: int) -> Pixels:
    """Draw the outline of a garment, nothing inside it, with a pen of so many pixels: uint8 (28, 28) to (480, 480)."""
    large = ndimage.gaussian_filter(_enlarged(garment, WITHIN), WITHIN / 100)
    inside = np.pad(ndimage.binary_fill_holes(large > INK), MARGIN)
    away = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside) - 0.5
    return np.where(away <= pen / 2, 255, 0).astype(np.uint8)


def _enlarged(image: Pixels, side: int) -> NDArray[np.float64]:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), np.float64)


def _thinned(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin strokes to lines of one pixel (Zhang & Suen, Communications of the ACM 27, 1984)."""
    ink = np.pad(ink, 1)
    while True:
        before = ink.copy()
        for step in (0, 1):
            ring = [np.roll(ink, turn, (0, 1)) for turn in AROUND]
            count = sum(each.astype(int) for each in ring)
            turns = sum((~a & b).astype(int) for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
            north, east, south, west = ring[::2]
            free = ~(east & south & (north | west)) if step == 0 else ~(north & west & (east | south))
            ink = ink & ~((count >= 2) & (count <= 6) & (turns == 1) & free)
        if np.array_equal(ink, before):
            return ink[1:-1, 1:-1]


def _two_colours(generator: np.random.Generator) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    while True:
        first, second = generator.integers(0, 256, (2, 3)).tolist()
        if np.linalg.norm(np.subtract(first, second)) >= LEAST_DISTANCE:
            return tuple(first), tuple(second)
