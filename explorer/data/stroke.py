"""The stroke of a drawing: making that of a digit as wide as in MNIST, and filling what that of a garment encloses."""

import math

import numpy as np
from numpy.typing import NDArray

from explorer.data.placement import FIELD, Grey, fit, ink_box

THICK, FITTING = 4.0, 3.5
"""Widths against a longer side of 20: what more than 95 of 100 digits of MNIST stay below, and about 87."""

THIN, USUAL = 1.0, 2.4
"""What more than 99 of 100 digits of MNIST, enlarged, lie above, and what a pen leaves of which there are many."""

FABRIC = 200
"""Grey level of what is filled: of those tried on outlines of validation images one of the best for all models."""

_GAP = 0.02
_OUTLINE = 0.5
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


def fitted(ink: Grey) -> Grey:
    """Make a stroke thinner that is wider than in MNIST, or thicker that is thinner, and crop it anew.

    Grey-level erosion or dilation by a disc. Where that would tear the stroke apart or close a hole, it does less, at
    last nothing. Any other stroke is returned as it is, and so is a tiny drawing.

    Parameters
    ----------
    ink : uint8 ndarray (H, W)
        Cropped, light on dark.
    """
    found = width(ink)
    if THIN <= found <= THICK or max(ink.shape) < FIELD:
        return ink
    thick, goal = (True, FITTING) if found > THICK else (False, USUAL)
    smaller = fit(ink, _LARGEST, leave_out=False) if max(ink.shape) > _LARGEST else ink
    unit = max(smaller.shape) / 20
    radius = (found - goal) / 2 * unit
    smaller = np.pad(smaller, max(0, math.ceil(-radius)) + 1)
    parts, holes = _parts(smaller), _holes(smaller, unit * unit)
    for _ in range(_TRIES):
        result = _shrunk(smaller, radius)
        if result.any() and (_parts(result) == parts if thick else _holes(result) >= holes):
            return result[ink_box(result)]
        radius /= 2
    return ink


def filled(ink: Grey) -> Grey:
    """Fill the outline of a garment; return a drawing that is filled already, or encloses nothing, as it is.

    An outline holds less than half of what it encloses. Gaps up to a twentyfifth of the longer side count as closed.

    Parameters
    ----------
    ink : uint8 ndarray (H, W)
        Cropped, light on dark.
    """
    from scipy import ndimage

    line = ink > ink.max() / 2
    reach = round(_GAP * max(ink.shape))
    near = _distance(~np.pad(line, reach + 1), beyond=True) <= reach
    inside = (_distance(ndimage.binary_fill_holes(near)) > reach)[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    if line.sum() >= _OUTLINE * (inside | line).sum():
        return ink
    return np.where(inside, np.maximum(ink, FABRIC), ink)


def _parts(ink: Grey) -> int:
    from scipy import ndimage

    return int(ndimage.label(ink > ink.max() / 2, np.ones((3, 3)))[1])


def _holes(ink: Grey, least: float = 1.0) -> int:
    """Count the parts of the ground, that around the ink among them, of at least so many pixels."""
    from scipy import ndimage

    ground = ink <= ink.max() / 2
    return int((np.bincount(ndimage.label(ground)[0][ground]) >= least).sum())


def _shrunk(ink: Grey, radius: float) -> Grey:
    """Erode the parts above each of several levels, or with a negative radius dilate, and put them together."""
    result = np.zeros(ink.shape)
    for level in np.linspace(0, float(ink.max()), _LEVELS + 1)[1:]:
        inside = ink >= level
        depth = _distance(inside) if radius > 0 else np.where(inside, 1, 1 - _distance(~inside, beyond=True))
        result = np.maximum(result, level * np.clip(depth - radius, 0, 1))
    return np.round(result).astype(np.uint8)


def _distance(inside: NDArray[np.bool_], beyond: bool = False) -> NDArray[np.float64]:
    """Return how far each pixel is from the nearest one outside; beyond the picture all is outside, or nothing."""
    from scipy import ndimage

    padded = np.pad(inside, 1, constant_values=beyond)
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return distance
