"""Which part of the image an output can depend on: its receptive field."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis._frozen import frozen_copy
from explorer.analysis._trace import IMAGE_SHAPE
from explorer.analysis.inside.steps import observe

IntArray = NDArray[np.int64]


def receptive_fields(classifier: nn.Module, key: str, shape: tuple[int, ...] = IMAGE_SHAPE) -> IntArray:
    """Find the receptive field of every place of a layer's maps.

    The network is asked rather than read: a row (then a column) of the image is made undefined (NaN), and every
    output that depends on it, whatever its weights, is undefined too. It is computed in double precision on the
    processor, where a convolution multiplies pixel by pixel.

    Parameters
    ----------
    classifier : nn.Module
        It is only read.
    key : str
        Of a step that returns maps.
    shape : tuple of int
        Channels, height and width of an image.

    Returns
    -------
    ndarray
        int64, shape (height, width, 4) of the layer's maps: first row, first column, last row, last column of the
        image, all counted from 0 and part of the field.

    Raises
    ------
    ConfigError
        There is no such layer.
    """
    _, height, width = shape
    seen: list[Tensor] = []

    def look(module: nn.Module, given: Tensor, output: Tensor) -> None:
        seen[:] = [output.isnan().any(dim=1).cpu()]

    model = observe(_in_double(classifier), {key: look})
    images = torch.zeros((height + width, *shape), dtype=torch.float64)
    for row in range(height):
        images[row, :, row] = torch.nan
    for column in range(width):
        images[height + column, :, :, column] = torch.nan
    with torch.inference_mode():
        model(images)
    touched = seen[0].numpy()
    (top, bottom), (left, right) = _ends(touched[:height]), _ends(touched[height:])
    return np.stack([top, left, bottom, right], axis=-1)


def _in_double(classifier: nn.Module) -> nn.Module:
    """Copy a network in double precision; `double` gives the copy's modules new memory."""
    return frozen_copy(classifier).cpu().double()


def _ends(touched: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Return the first and the last line, int64 (h, w), that each output depends on."""
    last = len(touched) - 1 - touched[::-1].argmax(axis=0)
    return touched.argmax(axis=0).astype(np.int64), last.astype(np.int64)
