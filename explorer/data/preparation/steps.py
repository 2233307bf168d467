"""The single operations that bring ink to size and place on the 28x28 field; all on uint8, light on dark."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from explorer.errors import ImageError

Grey = NDArray[np.uint8]

FIELD = 28


def plain(grey: Grey, evened: bool = False) -> str:
    """Say that nothing stands out in a picture; `evened` says whether light and grain were taken out before."""
    low, high = int(grey.min()), int(grey.max())
    what = "one single shade" if low == high else f"hardly more than one single shade (grey {low} to {high} of 255)"
    which = "But for uneven light, grain and specks the" if evened else "The"
    return f"{which} picture has {what}: there is nothing to classify. Use one with ink on a plain ground."


def average_cells(pixels: Grey) -> Grey:
    """Average the cells of a square drawing down to 28x28.

    Raises
    ------
    ImageError
        The drawing is not square, or its side no multiple of 28.
    """
    side = pixels.shape[0]
    if pixels.shape != (side, side) or side % FIELD:
        raise ImageError(f"A drawing must be square with a side that is a multiple of {FIELD}.")
    cell = side // FIELD
    means: Grey = np.round(pixels.reshape(FIELD, cell, FIELD, cell).mean((1, 3))).astype(np.uint8)
    return means


def ink_box(image: Grey, tolerance: float = 0.0) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last ink above a share of the strongest.

    Raises
    ------
    ImageError
        There is no ink.
    """
    ink = image > tolerance * image.max()
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        raise ImageError(plain(image))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def fit(image: Grey, box: int, leave_out: bool) -> Grey:
    """Bring the longer side to `box` pixels, keeping the proportions.

    Growing interpolates; shrinking averages or, with `leave_out`, skips rows and columns.
    """
    scale = box / max(image.shape)
    height, width = (max(1, round(side * scale)) for side in image.shape)
    return resize(image, (height, width), leave_out)


def resize(image: Grey, shape: tuple[int, int], leave_out: bool = False) -> Grey:
    """Bring an image to a height and width, as `fit` does."""
    shrinking = Image.Resampling.NEAREST if leave_out else Image.Resampling.BOX
    method = shrinking if max(shape) <= max(image.shape) else Image.Resampling.BILINEAR
    return np.array(Image.fromarray(image).resize(shape[::-1], method))


def sharpen(image: Grey) -> Grey:
    """Sharpen with a Gaussian of standard deviation 1, in proportion to the strength of the local edge.

    The paper names the operator, not the program; the edge strength here is the length of the grey-level
    gradient relative to the longest in the image.
    """
    values = image.astype(np.float64)
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.0)), np.float64)
    padded = np.pad(values, 1, mode="edge")
    edge = np.hypot(padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1])
    strength = edge / max(edge.max(), 1.0)
    sharp: Grey = np.clip(np.round(values + strength * (values - blurred)), 0, 255).astype(np.uint8)
    return sharp


def stretch(image: Grey) -> Grey:
    """Let the brightest pixel be 255: in every image of both sets it is at least 254."""
    peak = int(image.max())
    return np.round(image * (255 / peak)).astype(np.uint8) if peak else image


def centred_corner(image: Grey, by_mass: bool) -> tuple[int, int]:
    """Return the row and column of the 28x28 field where the image's first pixel goes, by whole pixels.

    With `by_mass` the image's centre of mass comes to the middle, as far as all of it stays on the field. The rounding
    is that of the sets: in MNIST centres of mass lie in [13.5, 14.5), counted from pixel 0.
    """
    corner = [(FIELD - side + 1) // 2 for side in image.shape]
    if by_mass and image.any():
        weight = image / image.sum()
        for axis in (0, 1):
            mean = float(weight.sum(1 - axis) @ np.arange(image.shape[axis]))
            corner[axis] = int(np.clip(np.ceil(13.5 - mean - 1e-9), 0, FIELD - image.shape[axis]))
    return corner[0], corner[1]


def put(image: Grey, corner: tuple[int, int]) -> Grey:
    """Put the image on the empty 28x28 field, unblurred, its first pixel at this row and column."""
    field = np.zeros((FIELD, FIELD), np.uint8)
    top, left = corner
    field[top : top + image.shape[0], left : left + image.shape[1]] = image
    return field


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


THICK, FITTING = 4.0, 3.5
"""Widths against a longer side of 20: what 96 of 100 training digits of MNIST stay below, enlarged, and about 91."""

THIN, USUAL = 1.0, 2.4
"""What more than 99 of 100 of the same digits lie above, and their median."""

FABRIC = 200
"""Grey level of what is filled: light, but darker than the outline; `benchmarks.preparation` measures the step."""

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


Pixels = NDArray[np.uint8]

_COLOUR_FAINT = 0.5
_COLOUR_GRID = 256
_LEAST_DISTANCE = 32.0


def to_grey(pixels: Pixels) -> Pixels:
    """Turn a picture into grey levels.

    The grey of a pixel is its luminance (ITU-R BT.601, as in most programs). Yellow on white and blue on black
    differ in colour but hardly in luminance; where it holds less than half of the difference between ground and ink,
    pixels are graded by their place on the line from the ground's colour to the ink's instead.

    Parameters
    ----------
    pixels : uint8 ndarray (H, W) or (H, W, 3)
        A grey picture is returned as it is.

    Returns
    -------
    uint8 ndarray (H, W)
    """
    if pixels.ndim == 2:
        return pixels
    step = max(1, max(pixels.shape) // _COLOUR_GRID)
    ground = np.median(frame(pixels), axis=0).astype(np.float32)
    offset = pixels[::step, ::step] - ground
    distance = np.sqrt((offset**2).mean(2))
    line = offset[distance >= distance.max() / 2].mean(0)
    level, ink = (_luminance(colour) for colour in (ground, ground + line))
    if distance.max() < _LEAST_DISTANCE or abs(ink - level) >= _COLOUR_FAINT * np.sqrt((line**2).mean()):
        return np.array(Image.fromarray(pixels).convert("L"), np.uint8)
    share = np.clip(pixels @ line - ground @ line, 0, None)
    share /= max(share.max(), 1)
    result: Pixels = np.round(255 * (share if ink > level else 1 - share)).astype(np.uint8)
    return result


def frame(pixels: Pixels) -> Pixels:
    """Return the pixels of a frame, two hundredths of the shorter side wide: (N,) of grey, (N, 3) of colour."""
    width = max(1, min(pixels.shape[:2]) // 50)
    inner = np.s_[width:-width]
    parts = (pixels[:width], pixels[-width:], pixels[inner, :width], pixels[inner, -width:])
    return np.concatenate([part.reshape(-1, *pixels.shape[2:]) for part in parts])


def _luminance(colour: NDArray[np.floating]) -> float:
    return float(colour @ np.array([0.299, 0.587, 0.114]))
