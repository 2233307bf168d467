"""What a player has done in a challenge, in figures that do not depend on who counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import FloatArray

FULL = 100
FREE_STROKES = 3


def changed_pixels(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> int:
    """Count the pixels that differ, by however little: who changes many pixels a little has changed many.

    Parameters
    ----------
    before, after : ndarray
        uint8, the same shape.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    return int(np.count_nonzero(_difference(before, after)))


def change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Return by how much pixels differ on average: 1 where each went from black to white or back.

    Parameters
    ----------
    before, after : ndarray
        uint8, the same shape.

    Raises
    ------
    ValueError
        The shapes differ.
    """
    return float(np.abs(_difference(before, after)).mean()) / 255


def _difference(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.int16]:
    if before.shape != after.shape:
        raise ValueError(f"images of shapes {before.shape} and {after.shape}")
    return before.astype(np.int16) - after


def drawing_points(probability: float, seconds: float, limit: float, strokes: int) -> int:
    """Score a drawing of a given class: 0 to 100.

    The probability of the class, times up to 100; of that, half is for the time that is left, and a twentieth is taken
    off for every stroke beyond three, at most a half.

    Parameters
    ----------
    probability : float
        Of the class that was asked for.
    seconds, limit : float
        Time used and allowed.
    strokes : int
    """
    if seconds > limit:
        return 0
    in_time = 0.5 + 0.5 * (1 - max(seconds, 0.0) / limit)
    neat = 1 - min(0.5, 0.05 * max(0, strokes - FREE_STROKES))
    return round(FULL * probability * in_time * neat)


def misleading_points(misled: FloatArray, other: FloatArray, true: int) -> int:
    """Score an image that one model shall get wrong and another right: 0 to 100.

    Parameters
    ----------
    misled, other : ndarray
        Shape (C,): probabilities of the model that shall be wrong, and of the one that shall be right.
    true : int
        What the image shows.

    Returns
    -------
    int
        Probability that the first gives to other classes times that which the second gives to the true one, times
        100; 0 where the first is right or the second wrong.
    """
    if int(misled.argmax()) == true or int(other.argmax()) != true:
        return 0
    return round(FULL * (1 - float(misled[true])) * float(other[true]))


def keeping_points(changed: float, kept: bool) -> int:
    """Score changing as much as possible while the prediction stays: `change` in percent, 0 where it did not."""
    return round(FULL * changed) if kept else 0


def flipping_points(changed: int, machine: int | None, flipped: bool) -> int:
    """Score flipping a prediction with few pixels: 100 for no more than the machine, in proportion for more.

    Parameters
    ----------
    changed : int
        Pixels that the player changed.
    machine : int or None
        Pixels that the search changed; None where it found nothing, which makes any flip worth 100.
    flipped : bool
        Whether the prediction changed.
    """
    if not flipped or changed <= 0:
        return 0
    return FULL if machine is None else min(FULL, round(FULL * machine / changed))
