"""Fewer points for a chart, without a difference that can be seen."""

from __future__ import annotations

import numpy as np

from explorer.analysis.predictions import FloatArray, IntArray

MAX_POINTS = 400
PLOT = (800, 400)
"""Width and height in pixels of the plot for which curves are thinned."""

TOLERANCE = 0.25
"""Pixels by which a thinned curve may always differ; more only where `max_points` do not suffice."""


def simplify(x: FloatArray, y: FloatArray, max_points: int = MAX_POINTS) -> IntArray:
    """Choose the points of a line that a chart needs (Douglas & Peucker, Cartographica 10, 1973).

    The line between the ends is split where it is farthest from the curve until nothing is farther than `TOLERANCE`;
    here all parts are split at once, which gives the same points. Of more than `max_points` those stay at which the
    distance was greatest.

    Parameters
    ----------
    x, y : ndarray
        float64, shape (K,), shares of the axes of a plot of `PLOT` pixels; neighbours are joined by straight lines.
    max_points : int
        The most points to keep, at least 2.

    Returns
    -------
    ndarray
        int64, rising: the places of the points to keep, first and last among them.
    """
    if max_points < 2:
        raise ValueError("a curve needs at least 2 points")
    if len(x) <= max_points:
        return np.arange(len(x))
    points = x * PLOT[0] + 1j * (y * PLOT[1])
    gains = np.zeros(len(x))
    gains[[0, -1]] = np.inf
    starts, ends = np.array([0]), np.array([len(x) - 1])
    while len(starts):
        places, worst = _farthest(points, starts, ends)
        far = worst > TOLERANCE
        starts, ends, places = starts[far], ends[far], places[far]
        gains[places] = np.minimum(worst[far], np.minimum(gains[starts], gains[ends]))
        starts, ends = np.concatenate([starts, places]), np.concatenate([places, ends])
    kept = np.flatnonzero(gains)
    if len(kept) > max_points:
        kept = np.sort(kept[np.argpartition(-gains[kept], max_points - 1)[:max_points]])
    return kept


def _farthest(points: IntArray, starts: IntArray, ends: IntArray) -> tuple[IntArray, FloatArray]:
    """Find the point of each part that is farthest from the line between the part's ends, and how far it is."""
    sizes = ends - starts
    first = np.cumsum(sizes) - sizes
    part = np.repeat(np.arange(len(starts)), sizes)
    place = np.arange(len(part)) + np.repeat(starts - first, sizes)
    chord = points[ends] - points[starts]
    squared = np.maximum((chord * chord.conj()).real, 1e-30)
    offset = points[place] - points[starts][part]
    along = ((offset * chord.conj()[part]).real / squared[part]).clip(0, 1)
    distance = np.abs(offset - along * chord[part])
    worst = np.maximum.reduceat(distance, first)
    candidates = np.flatnonzero(distance == worst[part])
    chosen = candidates[np.unique(part[candidates], return_index=True)[1]]
    return place[chosen], worst
