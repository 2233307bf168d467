"""The images that stand for "nothing there", from which a map measures what is there."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.errors import ConfigError

Kind = Literal["black", "mean", "blurred"]

BLUR = 3.0
"""Standard deviation of the Gaussian blur, in pixels; of a shirt it leaves a grey cloud."""


def image(kind: Kind, pixels: Tensor, mean: Tensor | None = None) -> Tensor:
    """Return the baseline of images.

    Parameters
    ----------
    kind : 'black', 'mean' or 'blurred'
        An empty image, the mean of the training images, or each image itself without its details.
    pixels : Tensor
        Float, shape (N, channels, height, width), in [0, 1].
    mean : Tensor, optional
        The mean training image (1, channels, height, width); see `mean_image`.

    Returns
    -------
    Tensor
        Shaped like the pixels.

    Raises
    ------
    ConfigError
        The mean is asked for but not given.
    """
    check(kind, mean)
    if kind == "blurred":
        return _blurred(pixels)
    start = torch.zeros_like(pixels) if mean is None or kind == "black" else mean.to(pixels)
    return start.expand_as(pixels)


def check(kind: Kind, mean: Tensor | None) -> None:
    """Raise `ConfigError` where the mean image is needed but missing."""
    if kind == "mean" and mean is None:
        raise ConfigError("There is no mean training image for this baseline. Choose 'black' or 'blurred'.")


def mean_image(images: NDArray[np.uint8]) -> Tensor:
    """Return the mean of grey images (N, height, width) as pixels in [0, 1], float32, shape (1, 1, height, width)."""
    total = np.zeros(images.shape[1:], dtype=np.int64)
    for start in range(0, len(images), 4096):
        total += images[start : start + 4096].sum(axis=0, dtype=np.int64)
    return torch.tensor(total / (255 * max(1, len(images))), dtype=torch.float32)[None, None]


def _blurred(pixels: Tensor) -> Tensor:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(pixels.detach().cpu().numpy(), (0, 0, BLUR, BLUR), mode="nearest")
    return torch.tensor(smooth).to(pixels)
