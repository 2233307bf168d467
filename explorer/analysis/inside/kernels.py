"""All weights of a network as pictures: convolution kernels, and the weights of a unit laid out as its input lies."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.frozen import frozen_copy
from explorer.analysis.inside.steps import PREFIX, LayerCall, chosen, observe, steps
from explorer.analysis.trace import IMAGE_SHAPE
from explorer.errors import CheckpointError

FloatArray = NDArray[np.float32]

PAGE = 64
"""Most pictures on one page."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """The weights of one layer.

    Attributes
    ----------
    step : Step
        Where the layer is used first.
    weights : ndarray
        float32, shape (outputs, inputs, height, width): a picture for each pair of output and input map. A fully
        connected layer that sees flattened maps has weights as large as these maps; of one that sees the units of
        another the picture is a row, shape (outputs, 1, 1, units).
    inputs_at : tuple of int
        For each output the number of its first input map; not 0 for all only in a convolution by groups.
    bias : ndarray or None
        float32, shape (outputs,).
    """

    step: LayerCall
    weights: FloatArray
    inputs_at: tuple[int, ...]
    bias: FloatArray | None

    @property
    def n(self) -> int:
        """Number of pictures."""
        return int(self.weights.shape[0] * self.weights.shape[1])

    @property
    def is_convolution(self) -> bool:
        """Whether the pictures are kernels that slide over the input."""
        return self.step.function == "Conv2d"

    @property
    def is_matrix(self) -> bool:
        """Whether the inputs have no place in a picture, so that all weights are best seen as one matrix."""
        return self.weights.shape[1:3] == (1, 1) and not self.is_convolution

    @property
    def largest(self) -> float:
        """Greatest absolute weight."""
        return float(np.abs(self.weights).max(initial=0.0))

    def picture(self, number: int) -> FloatArray:
        """Return one picture, float32 (height, width); those of the first output come first."""
        output, place = divmod(number, self.weights.shape[1])
        found: FloatArray = self.weights[output, place]
        return found

    def place(self, number: int) -> tuple[int, int]:
        """Return the output and the input map of a picture, both counted from 0."""
        output, place = divmod(number, self.weights.shape[1])
        return output, self.inputs_at[output] + place


def weighted(known: tuple[LayerCall, ...]) -> tuple[LayerCall, ...]:
    """Return the steps whose weights can be shown: each layer once, first to last."""
    return tuple(step for step in known if step.role == "weights" and not step.call)


def kernels(classifier: nn.Module, key: str) -> Kernels:
    """Take the weights of a layer.

    Parameters
    ----------
    classifier : nn.Module
        It is only read.
    key : str
        Of a step, see `weighted`.

    Raises
    ------
    ConfigError
        There is no such layer.
    CheckpointError
        Its weights are not finite.
    """
    known = steps(classifier)
    step = chosen(weighted(known), key)
    module = _layer(classifier, step)
    weights = module.weight.detach().float().cpu().numpy()
    bias = None if module.bias is None else module.bias.detach().float().cpu().numpy()
    if not (np.isfinite(weights).all() and (bias is None or np.isfinite(bias).all())):
        raise CheckpointError(f"The weights of the layer {step.name!r} are not finite numbers. Choose another epoch.")
    if isinstance(module, nn.Conv2d):
        outputs, inputs = weights.shape[:2]
        per_group = outputs // module.groups
        return Kernels(step, weights, tuple(inputs * (number // per_group) for number in range(outputs)), bias)
    origin = flattened(known, step) or (1, 1, step.given[-1])
    return Kernels(step, weights.reshape(-1, *origin), (0,) * len(weights), bias)


def flattened(known: tuple[LayerCall, ...], step: LayerCall) -> tuple[int, int, int] | None:
    """Return the shape (maps, height, width) of what a fully connected layer sees, before it was made a row.

    None where that is not known, or the maps have only one point.
    """
    source = None if step.source is None else known[step.source]
    if source is None or source.function != "Flatten" or len(source.given) != 3 or source.given[1:] == (1, 1):
        return None
    maps, height, width = source.given
    return maps, height, width


def _layer(classifier: nn.Module, step: LayerCall) -> nn.Conv2d | nn.Linear:
    modules = dict(classifier.named_modules())
    found = modules.get(PREFIX + step.name) or modules[step.name]
    assert isinstance(found, nn.Conv2d | nn.Linear)
    return found


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
