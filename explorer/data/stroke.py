"""How wide the stroke of a digit is, and making it thinner."""

import numpy as np
from numpy.typing import NDArray

from explorer.data.placement import FIELD, Grey, fit, ink_box

THICK, FITTING = 4.0, 3.5
"""Widths against a longer side of 20: what more than 95 of 100 digits of MNIST stay below, and about 87."""
THINNEST = 2.0
"""The least width of a digit of MNIST: one pixel across."""

_MEASURED = 200
_LARGEST = 300
_LEVELS = 8
_TRIES = 3


def width(ink: Grey) -> float:
    """Return the mean width of the stroke, against a longer side of 20 pixels.

    Across a long bar the distance to the edge is a quarter of the width on average, which is what is measured.

    Parameters
    ----------
    ink : uint8 ndarray (H, W)
        Cropped, light on dark.
    """
    if max(ink.shape) > _MEASURED:
        ink = fit(ink, _MEASURED, leave_out=False)
    inside = ink > ink.max() / 2
    across = float(_distance(inside)[inside].mean()) - 0.5
    return float(4 * across * 20 / max(ink.shape))


def thinned(ink: Grey) -> Grey:
    """Make a stroke thinner that is wider than in MNIST, and crop it anew; return any other as it is, and a tiny one.

    Grey-level erosion by a disc. Where it would tear the stroke apart it takes off less, at last nothing.

    Parameters
    ----------
    ink : uint8 ndarray (H, W)
        Cropped, light on dark.
    """
    from scipy import ndimage

    found = width(ink)
    if found <= THICK or max(ink.shape) < FIELD:
        return ink
    smaller = fit(ink, _LARGEST, leave_out=False) if max(ink.shape) > _LARGEST else ink
    radius = (found - FITTING) / 2 * max(smaller.shape) / 20
    parts = ndimage.label(smaller > smaller.max() / 2, np.ones((3, 3)))[1]
    for _ in range(_TRIES):
        eroded = _eroded(smaller, radius)
        if eroded.any() and ndimage.label(eroded > smaller.max() / 2, np.ones((3, 3)))[1] == parts:
            return eroded[ink_box(eroded)]
        radius /= 2
    return ink


def _eroded(ink: Grey, radius: float) -> Grey:
    """Erode the parts above each of several levels, and put them on top of each other."""
    result = np.zeros(ink.shape)
    for level in np.linspace(0, float(ink.max()), _LEVELS + 1)[1:]:
        kept = np.clip(_distance(ink >= level) - radius, 0, 1)
        result = np.maximum(result, level * kept)
    return np.round(result).astype(np.uint8)


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far each pixel is from the nearest one outside; beyond the picture all is outside."""
    from scipy import ndimage

    distance: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    return distance
