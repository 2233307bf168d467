"""What goes over the wire between the browser's canvas and the server, and the checks on the way in."""

import base64
import binascii
import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.errors import ImageError

SIDE = 280
"""Side of the raster, in pixels: ten for each of the model's 28 cells."""

CELLS = 28
REFUSED = "The browser sent a drawing that cannot be read. The last good one is kept; draw on or press Clear."

MOST_STROKES = 1_000_000
MOST_MILLISECONDS = 1_000_000_000
"""Some eleven days: far more than anyone draws, and the browser stops counting there."""

_LARGEST_CODE = 4 * math.ceil(2 * SIDE * SIDE / 3) + 4
_LARGEST_REVISION = 2**53 - 1
_GENERATION = re.compile(r"[0-9a-f]{0,32}")


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawing as it stands on the canvas.

    Attributes
    ----------
    pixels : uint8 ndarray (280, 280)
        Light ink on dark ground, 0 to 255, read-only.
    revision : int
        Rises with every change that the user makes.
    generation : str
        Names the picture that the server put on the canvas last; empty when there was none.
    placed : bool
        The drawing began as a finished 28x28 image, so its size and place are right as they are.
    strokes : int
        Strokes, lines, fills and dabs since the canvas was last empty or loaded, without those undone; as the browser
        counts them.
    milliseconds : int
        How long the pen has been down since the canvas was last loaded, as the browser measures it.
    """

    pixels: NDArray[np.uint8]
    revision: int = 0
    generation: str = ""
    placed: bool = False
    strokes: int = 0
    milliseconds: int = 0

    def __post_init__(self) -> None:
        """Refuse another raster and close the pixels to writing."""
        if self.pixels.shape != (SIDE, SIDE) or self.pixels.dtype != np.uint8:
            raise ImageError(f"A drawing has {SIDE} x {SIDE} pixels of 8 bits.")
        self.pixels.setflags(write=False)

    @property
    def is_blank(self) -> bool:
        """Whether no pixel holds ink."""
        return not self.pixels.any()


BLANK = Drawing(np.zeros((SIDE, SIDE), np.uint8))


def encode(drawing: Drawing) -> dict[str, Any]:
    """Return the drawing as the JSON object that the browser reads.

    The raster goes as pairs of bytes (count from 1 to 255, grey level) in base64: few kilobytes for line art.
    """
    flat = drawing.pixels.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])
    pieces = -(-lengths // 255)
    counts = np.full(int(pieces.sum()), 255)
    counts[np.cumsum(pieces) - 1] = lengths - 255 * (pieces - 1)
    pairs = np.stack([counts, np.repeat(flat[starts], pieces)], axis=1).astype(np.uint8)
    return {
        "code": base64.b64encode(pairs.tobytes()).decode(),
        "revision": drawing.revision,
        "generation": drawing.generation,
        "placed": drawing.placed,
        "strokes": drawing.strokes,
        "milliseconds": drawing.milliseconds,
    }


def parse(value: object) -> Drawing:
    """Read a drawing sent by a browser, trusting nothing in it.

    Parameters
    ----------
    value : object
        What arrived, decoded from JSON.

    Returns
    -------
    Drawing

    Raises
    ------
    ImageError
        Anything but a complete, well-formed drawing.
    """
    if not isinstance(value, dict):
        raise ImageError(REFUSED)
    code, generation, placed = value.get("code"), value.get("generation"), value.get("placed")
    if not isinstance(code, str) or len(code) > _LARGEST_CODE or not code.isascii():
        raise ImageError(REFUSED)
    if not isinstance(generation, str) or not _GENERATION.fullmatch(generation) or not isinstance(placed, bool):
        raise ImageError(REFUSED)
    revision = _count(value.get("revision"), _LARGEST_REVISION)
    strokes = _count(value.get("strokes"), MOST_STROKES)
    milliseconds = _count(value.get("milliseconds"), MOST_MILLISECONDS)
    return Drawing(_unpack(code), revision, generation, placed, strokes, milliseconds)


def _count(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ImageError(REFUSED)
    return value


def _unpack(code: str) -> NDArray[np.uint8]:
    try:
        pairs = np.frombuffer(base64.b64decode(code, validate=True), np.uint8).reshape(-1, 2)
    except (binascii.Error, ValueError):
        raise ImageError(REFUSED) from None
    counts = pairs[:, 0]
    if not counts.all() or int(counts.sum(dtype=np.int64)) != SIDE * SIDE:
        raise ImageError(REFUSED)
    return np.repeat(pairs[:, 1], counts).reshape(SIDE, SIDE)


def from_image(image: NDArray[np.uint8], generation: str, revision: int) -> Drawing:
    """Put a finished 28x28 image on the canvas, ten pixels for each of its own.

    Parameters
    ----------
    image : uint8 ndarray (28, 28)
        Light ink on dark ground.
    generation : str
        A name not used before, in hexadecimal digits.
    revision : int

    Raises
    ------
    ImageError
        The image has another shape or type.
    """
    if image.shape != (CELLS, CELLS) or image.dtype != np.uint8:
        raise ImageError(f"Only a grey image of {CELLS} x {CELLS} pixels of 8 bits can be put on the canvas.")
    scale = SIDE // CELLS
    return Drawing(image.repeat(scale, axis=0).repeat(scale, axis=1), revision, generation, placed=True)


def blank(generation: str, revision: int) -> Drawing:
    """Return an empty canvas that replaces what the browser shows."""
    return replace(BLANK, revision=revision, generation=generation)
