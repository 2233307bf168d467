"""From colour to grey, such that ink stays visible on its ground."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_FAINT = 0.5
_GRID = 256
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
    step = max(1, max(pixels.shape) // _GRID)
    ground = np.median(frame(pixels), axis=0).astype(np.float32)
    offset = pixels[::step, ::step] - ground
    distance = np.sqrt((offset**2).mean(2))
    line = offset[distance >= distance.max() / 2].mean(0)
    level, ink = (_luminance(colour) for colour in (ground, ground + line))
    if distance.max() < _LEAST_DISTANCE or abs(ink - level) >= _FAINT * np.sqrt((line**2).mean()):
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
