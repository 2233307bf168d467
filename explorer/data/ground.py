"""The ground of a picture: how light it is, evening it out, and lifting the ink off it."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explorer.data.colour import frame
from explorer.data.placement import FIELD, Grey, plain
from explorer.errors import ImageError

CLOSE = 0.05
"""What counts as close to the ground, as a share of the largest possible difference (Xiao et al. 2017)."""

_LEAST_CONTRAST = 16
_SPECK = 0.02
_SMALL = 4 * FIELD
_GRID = 96
_ROUNDS = 6
_FAINT = 0.08
_TILT = 0.14
_REACH = 0.75

Values = NDArray[np.float64]


def corners(grey: Grey) -> Grey:
    """Return the pixels of the four corners, each one 28th of the side."""
    rows, columns = max(1, grey.shape[0] // FIELD), max(1, grey.shape[1] // FIELD)
    return np.concatenate(
        [half[:, part].ravel() for half in (grey[:rows], grey[-rows:]) for part in (np.s_[:columns], np.s_[-columns:])]
    )


def even_out(grey: Grey, by_corners: bool) -> Grey:
    """Give the ground one level: without grain, specks, and a slope of light or a vignette.

    The light is a surface of second degree, fitted to what lies near it, beginning at the frame. Ink is what the
    paper keeps from reflecting, so dark ink is divided by the light and not subtracted from it.

    Parameters
    ----------
    grey : uint8 ndarray (H, W)
    by_corners : bool
        Judge by the corners instead of the frame whether the ground is even, for a subject that may touch the frame.

    Returns
    -------
    uint8 ndarray (H, W)
        The same array where the ground is even.
    """
    sample = corners(grey) if by_corners else frame(grey)
    if not np.median(np.abs(sample - np.median(sample))):
        return grey
    if min(grey.shape) >= _SMALL:
        grey = np.asarray(Image.fromarray(grey).filter(ImageFilter.MedianFilter(3)))
    light, noise = _light(grey)
    rest = grey - light
    darker = -rest.min() >= rest.max()
    depth = float(np.abs(rest).max())
    floor = min(max(255 * CLOSE, 6 * noise), depth / 2)
    level = float(np.median(light))
    ink = -rest if darker else rest
    ink = _without_specks(np.where(ink > floor, ink, 0.0))
    room, target = (light, 0.0) if darker else (255 - light, 255.0)
    evened = level + (target - level) * ink / np.maximum(room, 1)
    result: Grey = np.clip(np.round(evened), 0, 255).astype(np.uint8)
    return result


def without_rulings(grey: Grey) -> Grey:
    """Take the lines of ruled or squared paper away.

    Two marks tell them from ink. Where the frame of the picture is crossed by something much fainter than the
    strongest ink, all that is as faint goes. Thin straight lines from one side to another, tilted by 8 degrees at
    most, go where they are as thick as for the most part; where they are thicker, ink crosses them.

    Parameters
    ----------
    grey : uint8 ndarray (H, W)
        On an even ground, as `even_out` returns it.

    Returns
    -------
    uint8 ndarray (H, W)
        The same array where there are no such lines.
    """
    level = float(np.median(frame(grey)))
    darker = level - grey.min() >= grey.max() - level
    ink = np.maximum(level - grey if darker else grey - level, 0.0)
    found = _without_lines(_without_lines(ink).T).T
    found = np.where(found > _level_of_lines(ink), found, 0.0)
    if not found.any() or np.array_equal(found, ink):
        return grey
    return np.where(_without_specks(found) > 0, grey, level).astype(np.uint8)


def lift(grey: Grey, by_corners: bool, evened: bool = False) -> tuple[Grey, bool]:
    """Return the ink alone, light on dark: each pixel's distance from the ground, and whether the ink was dark.

    Which side of the ground is ink is decided by where the picture reaches further; `evened` says whether its ground
    was evened out before.

    Raises
    ------
    ImageError
        Nothing stands out from the ground.
    """
    level = float(np.median(corners(grey) if by_corners else frame(grey)))
    low, high = float(grey.min()), float(grey.max())
    darker = level - low >= high - level
    if max(level - low, high - level) < _LEAST_CONTRAST:
        raise ImageError(plain(grey, evened))
    distance = (level - grey) * (255 / level) if darker else (grey - level) * (255 / (255 - level))
    ink: Grey = np.clip(np.round(distance), 0, 255).astype(np.uint8)
    return ink, darker


def _level_of_lines(ink: Values) -> float:
    """Return how strong that is which crosses the frame, with a margin; 0 unless the strongest ink is far stronger."""
    border = frame(np.round(ink).astype(np.uint8))
    lines = border[border > _FAINT * ink.max()]
    if len(lines) < len(border) / 200:
        return 0.0
    level, strongest = float(np.quantile(lines, 0.95)), float(np.quantile(ink[ink > 0], 0.99))
    return 0.0 if 1.6 * level > strongest else min(1.3 * level, (level + strongest) / 2)


def _without_lines(ink: Values) -> Values:
    """Drop straight lines from the left side to the right, except where something crosses them."""
    from scipy import ndimage

    step = max(1, max(ink.shape) // (2 * _GRID))
    marked = ink > _FAINT * ink.max()
    coarse = ndimage.maximum_filter1d(marked, 2 * step + 1, axis=0)[::step, ::step]
    across, end = np.arange(coarse.shape[1]), max(1, coarse.shape[1] // 40)
    margin = math.ceil(_TILT * len(across) / 2) + 1
    within = np.pad(np.ones(coarse.shape, bool), ((margin, margin), (0, 0)))
    coarse = np.pad(coarse, ((margin, margin), (0, 0)), constant_values=True)  # a line may leave by another side
    band = np.zeros(coarse.shape, bool)
    for tilt in np.linspace(-_TILT, _TILT, 57):
        rows = np.arange(margin, len(coarse) - margin)[:, None] + np.round(tilt * (across - across.mean())).astype(int)
        on, inside = coarse[rows, across], within[rows, across]
        share = (on & inside).sum(1) / np.maximum(inside.sum(1), len(across) / 8)
        lines = (share >= _REACH) & on[:, :end].any(1) & on[:, -end:].any(1)
        band[rows[lines], across] = True
    band = band[margin:-margin]
    if not band.any() or band.mean() > 0.5:
        return ink
    runs = ndimage.label(marked, [[0, 1, 0]] * 3)[0]
    lengths = np.bincount(runs.ravel())
    near = ndimage.maximum_filter1d(band, 3, axis=0).repeat(step, 0).repeat(step, 1)[: ink.shape[0], : ink.shape[1]]
    hit = runs[near & marked]
    usual = float(np.median(lengths[np.unique(hit)]))
    if usual > max(ink.shape) / 25:
        return ink
    thin = np.zeros(len(lengths), bool)
    thin[hit] = lengths[hit] <= 1.6 * usual + 1
    return np.where(thin[runs], 0.0, ink)


def _light(grey: Grey) -> tuple[Values, float]:
    """Return the light of every pixel (H, W), and the median deviation of the ground from it."""
    step = max(1, max(grey.shape) // _GRID)
    rows, columns = (np.arange(0, side, step) for side in grey.shape)
    values = grey[np.ix_(rows, columns)].astype(np.float64)
    terms = _terms(rows / grey.shape[0], columns / grey.shape[1])
    margin = max(1, min(values.shape) // 12)
    near = np.ones(values.shape, bool)
    near[margin:-margin, margin:-margin] = False
    noise = 0.0
    for turn in range(_ROUNDS):
        weights = np.linalg.lstsq(terms[near], values[near], rcond=None)[0]
        rest = np.abs(values - terms @ weights)
        noise = float(np.median(rest[near]))
        spared = rest <= max(4 * noise, 3.0)
        near = near & spared if turn < _ROUNDS // 2 else spared
    surface = _terms(np.arange(grey.shape[0]) / grey.shape[0], np.arange(grey.shape[1]) / grey.shape[1]) @ weights
    return np.clip(surface, 0, 255), noise


def _terms(rows: Values, columns: Values) -> Values:
    """Return 1, y, x, y², xy and x² of every place, shape (rows, columns, 6)."""
    y, x = np.meshgrid(rows - 0.5, columns - 0.5, indexing="ij")
    return np.stack([np.ones_like(x), y, x, y * y, x * y, x * x], axis=-1)


def _without_specks(ink: Values) -> Values:
    """Drop connected parts with less than a fiftieth of the ink of the largest."""
    from scipy import ndimage

    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    if count < 2:
        return ink
    amounts = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    kept = np.concatenate([[False], amounts >= _SPECK * amounts.max()])
    return np.where(kept[labels], ink, 0.0)
