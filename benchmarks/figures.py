"""Pictures that are none of the classes: letters written and printed, several digits beside each other, photographs."""

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from explorer.data.preparation.pipeline import prepare_drawing, prepare_photo
from explorer.errors import ImageError

SIDE = 480
PRINTED = "ACEFHJKLMNPRTUVWXYabdefhjkmnprtuvwxy"
STROKES = {
    "A": "0,1 .5,0 1,1;.2,.62 .8,.62",
    "C": ".95,.15 .6,0 .2,.12 0,.5 .2,.88 .6,1 .95,.85",
    "E": ".9,0 0,0 0,1 .9,1;0,.5 .7,.5",
    "F": ".9,0 0,0 0,1;0,.48 .7,.48",
    "H": "0,0 0,1;1,0 1,1;0,.5 1,.5",
    "J": ".3,0 1,0;.7,0 .7,.75 .5,.98 .2,.95 .05,.7",
    "K": "0,0 0,1;.95,0 0,.55;.3,.4 1,1",
    "L": "0,0 0,1 .8,1",
    "M": "0,1 .1,0 .5,.6 .9,0 1,1",
    "N": "0,1 0,0 1,1 1,0",
    "P": "0,1 0,0;0,0 .7,.03 .9,.25 .7,.5 0,.53",
    "R": "0,1 0,0;0,0 .7,.03 .9,.25 .7,.48 0,.5;.3,.5 .95,1",
    "T": "0,0 1,0;.5,0 .5,1",
    "U": "0,0 0,.7 .2,.97 .5,1 .8,.95 1,.7 1,0",
    "V": "0,0 .5,1 1,0",
    "W": "0,0 .22,1 .5,.35 .78,1 1,0",
    "X": "0,0 1,1;1,0 0,1",
    "Y": "0,0 .5,.5;1,0 .5,.5 .45,1",
}
"""Letters that are no digit in another hand (B, D, G, I, O, Q, S and Z are), as lines in the unit square."""

Grey = NDArray[np.uint8]
Generator = np.random.Generator


def many(n: int, dataset: str, make: Callable[[int], Grey]) -> Grey:
    """Make n pictures and prepare them as drawings for a data set: uint8 (n, 28, 28)."""
    return np.stack([prepare_drawing(make(number), dataset).image for number in range(n)])


def written(generator: Generator, letter: str) -> Grey:
    """Write a letter with a pen of 14 to 41 pixels, a little crooked: uint8 (480, 480)."""
    height = generator.uniform(150, 330)
    width, pen = height * generator.uniform(0.55, 0.95), int(generator.integers(14, 42))
    slant, turn = generator.uniform(-0.2, 0.15), generator.uniform(-0.12, 0.12)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = generator.uniform(200, 280, 2)
    picture = Image.new("L", (SIDE, SIDE))
    canvas = ImageDraw.Draw(picture)
    for line in STROKES[letter].split(";"):
        points = np.array([point.split(",") for point in line.split()], float)
        points = points + generator.normal(0, 0.025, points.shape) - 0.5
        points[:, 0] -= slant * points[:, 1]
        corners = [(float(x), float(y)) for x, y in points * [width, height] @ rotation + centre]
        canvas.line(corners, fill=255, width=pen, joint="curve")
        for x, y in (corners[0], corners[-1]):
            canvas.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return np.array(picture)


def printed(generator: Generator, letter: str) -> Grey:
    """Print a letter in Pillow's own font, of 160 to 359 pixels: uint8 (480, 480)."""
    picture = Image.new("L", (SIDE, SIDE))
    font = ImageFont.load_default(int(generator.integers(160, 360)))
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 2), letter, 255, font, "mm")
    return np.array(picture)


def beside(generator: Generator, digits: Grey, count: int) -> Grey:
    """Put so many of some digits, uint8 (N, 28, 28), beside each other at six times their size."""
    parts = []
    for image in digits[generator.integers(0, len(digits), count)]:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        large = (6 * ink.shape[1], 6 * ink.shape[0])
        parts.append(np.asarray(Image.fromarray(ink).resize(large, Image.Resampling.BICUBIC)))
    gap = int(generator.integers(10, 40))
    side = max(max(len(part) for part in parts), sum(part.shape[1] + gap for part in parts)) + 40
    field, left = np.zeros((side, side), np.uint8), 20
    for part in parts:
        top = (side - len(part)) // 2
        field[top : top + len(part), left : left + part.shape[1]] = part
        left += part.shape[1] + gap
    return field


def scenes(generator: Generator, n: int, dataset: str) -> Grey:
    """Cut n pieces out of scikit-learn's two photographs and prepare them: uint8 (n, 28, 28)."""
    from sklearn.datasets import load_sample_images

    photographs = cast("list[Grey]", load_sample_images().images)
    found: list[Grey] = []
    while len(found) < n:
        photograph = photographs[len(found) % 2]
        height, width = generator.integers(120, 400, 2)
        top, left = (
            int(generator.integers(0, room)) for room in (len(photograph) - height, photograph.shape[1] - width)
        )
        try:
            piece = np.ascontiguousarray(photograph[top : top + height, left : left + width])
            found.append(prepare_photo(piece, dataset).image)
        except ImageError:  # nothing but sky
            continue
    return np.stack(found)
