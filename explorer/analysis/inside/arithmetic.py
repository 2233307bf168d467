"""One number of a layer's output, spelled out: each input times its weight, the sum, the bias, the activation.

After the idea of Z. J. Wang et al., "CNN Explainer: Learning convolutional neural networks with interactive
visualization", IEEE Transactions on Visualization and Computer Graphics 27 (2021).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import scale
from explorer.analysis.frozen import placement
from explorer.analysis.inside.kernels import flattened, weighted
from explorer.analysis.inside.steps import LayerCall, Look, chosen, following, observe, steps
from explorer.errors import ConfigError

FloatArray = NDArray[np.float64]
Position = tuple[int, int]


@dataclass(frozen=True)
class Then:
    """What becomes of the number in the next step.

    Attributes
    ----------
    step : Step
    value : float
        After it.
    position : tuple of int or None
        Row and column in the step's output; None without maps.
    """

    step: LayerCall
    value: float
    position: Position | None


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """How one output of a convolution or of a fully connected layer comes about.

    Attributes
    ----------
    step : Step
    unit : int
        The output map or unit, from 0.
    position : tuple of int or None
        Row and column of the output; None for a fully connected layer.
    patch, kernel : ndarray
        float64, shape (inputs, height, width): what is multiplied. For a fully connected layer (maps, height, width)
        as its input lay before it was made a row, or (1, 1, units).
    first_input : int
        Number of the first input map; not 0 only in a convolution by groups.
    padded : ndarray
        bool, shape (height, width): where the kernel lies outside of the input, on the padding.
    corner : tuple of int
        Row and column in the input of the patch's first number; negative in the padding.
    dilation : tuple of int
        Rows and columns from one number of the patch to the next, in the input.
    bias : float or None
    output : float
        What PyTorch computed there, in single precision.
    then : tuple of Then
        Normalisation, pooling and activation that follow, as PyTorch computed them.
    """

    step: LayerCall
    unit: int
    position: Position | None
    patch: FloatArray
    kernel: FloatArray
    first_input: int
    padded: NDArray[np.bool_]
    corner: Position
    dilation: Position
    bias: float | None
    output: float
    then: tuple[Then, ...]

    @property
    def products(self) -> FloatArray:
        """Input times weight, float64, shape (inputs, height, width)."""
        found: FloatArray = self.patch * self.kernel
        return found

    @property
    def sums(self) -> FloatArray:
        """The sum of the products for each input map, float64, shape (inputs,)."""
        found: FloatArray = self.products.sum(axis=(1, 2))
        return found

    @property
    def total(self) -> float:
        """All products and the bias, added in double precision."""
        return float(self.products.sum()) + (self.bias or 0.0)

    def largest(self, count: int) -> list[tuple[int, int, int]]:
        """Return input map, row and column of the products that weigh most, by absolute value."""
        flat = np.abs(self.products).ravel()
        order = np.argsort(-flat, kind="stable")[:count]
        places = zip(*np.unravel_index(order, self.patch.shape), strict=True)
        return [(int(map_), int(row), int(column)) for map_, row, column in places]


def arithmetic(
    classifier: nn.Module, image: NDArray[np.uint8], key: str, unit: int, position: Position | None = None
) -> Arithmetic:
    """Spell out one output of a layer with weights.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    image : ndarray
        uint8, shape (H, W).
    key : str
        Of a step, see `kernels.weighted`.
    unit : int
        Output map or unit.
    position : tuple of int, optional
        Row and column of a convolution's output; by default its middle.

    Raises
    ------
    ConfigError
        There is no such layer, unit or position.
    """
    known = steps(classifier, (1, *image.shape))
    step = chosen(weighted(known), key)
    if not 0 <= unit < step.units:
        raise ConfigError(f"The layer {step.name} has {step.units} outputs, numbered from 0. Choose one of them.")
    at = _position(step, position)
    seen: dict[str, tuple[nn.Module, Tensor, Tensor]] = {}
    chain = following(known, step)
    model = observe(classifier, {one.key: _keep(seen, one.key) for one in (step, *chain)})
    device, dtype = placement(model)
    with torch.inference_mode():
        model(scale(torch.tensor(image[None], device=device), dtype))
    module, given, output = seen[step.key]
    if isinstance(module, nn.Conv2d):
        assert at is not None
        parts = _convolution(module, given, unit, at)
    else:
        assert isinstance(module, nn.Linear)
        parts = _dense(module, given, unit, flattened(known, step))
    patch, kernel, first, padded, corner, dilation = parts
    bias = None if module.bias is None else float(module.bias[unit])
    then = _then(chain, seen, unit, at)
    return Arithmetic(
        step, unit, at, patch, kernel, first, padded, corner, dilation, bias, _value(output, unit, at), then
    )


def _keep(seen: dict[str, tuple[nn.Module, Tensor, Tensor]], key: str) -> Look:
    def look(module: nn.Module, given: Tensor, output: Tensor) -> None:
        seen[key] = module, given[0].detach().cpu().clone(), output[0].detach().cpu().clone()

    return look


def _position(step: LayerCall, position: Position | None) -> Position | None:
    if not step.has_maps:
        return None
    height, width = step.shape[1:]
    row, column = position or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise ConfigError(f"The maps of the layer {step.name} have {height} x {width} points. Choose one of them.")
    return row, column


Parts = tuple[FloatArray, FloatArray, int, NDArray[np.bool_], Position, Position]


def _convolution(module: nn.Conv2d, given: Tensor, unit: int, at: Position) -> Parts:
    (sides, strides, steps_) = (module.kernel_size, module.stride, module.dilation)
    corner = tuple(
        at[axis] * strides[axis] - _before(module.padding, axis, sides[axis], steps_[axis]) for axis in (0, 1)
    )
    rows, columns = (np.arange(sides[axis]) * steps_[axis] + corner[axis] for axis in (0, 1))
    per_group = module.in_channels // module.groups
    first = unit // (module.out_channels // module.groups) * per_group
    maps = given.double().numpy()[first : first + per_group]
    height, width = maps.shape[1:]
    outside = (rows < 0)[:, None] | (rows >= height)[:, None] | (columns < 0) | (columns >= width)
    if module.padding_mode == "zeros":
        patch = maps[:, rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)] * ~outside
    else:
        patch = maps[:, _inside(rows, height, module)[:, None], _inside(columns, width, module)]
    kernel = module.weight[unit].detach().double().cpu().numpy()
    dilation = (int(steps_[0]), int(steps_[1]))
    return patch, kernel, first, outside, (int(corner[0]), int(corner[1])), dilation


def _before(padding: str | tuple[int, ...], axis: int, side: int, step: int) -> int:
    """Return how many rows or columns of padding stand before the first of the input."""
    if isinstance(padding, str):
        return 0 if padding == "valid" else step * (side - 1) // 2
    return padding[axis]


def _inside(places: NDArray[np.int64], length: int, module: nn.Conv2d) -> NDArray[np.int64]:
    """Return which rows or columns of the input a padding that repeats them takes."""
    if module.padding_mode == "circular":
        return places % length
    if module.padding_mode == "replicate":
        return places.clip(0, length - 1)
    mirrored = np.abs(places)
    return np.where(mirrored >= length, 2 * (length - 1) - mirrored, mirrored)


def _dense(module: nn.Linear, given: Tensor, unit: int, origin: tuple[int, int, int] | None) -> Parts:
    shape = origin or (1, 1, module.in_features)
    kernel = module.weight[unit].detach().double().cpu().numpy().reshape(shape)
    patch = given.double().numpy().reshape(shape)
    return patch, kernel, 0, np.zeros(shape[1:], bool), (0, 0), (1, 1)


def _then(
    chain: tuple[LayerCall, ...], seen: dict[str, tuple[nn.Module, Tensor, Tensor]], unit: int, at: Position | None
) -> tuple[Then, ...]:
    """Follow the number until its place in a pooling is not clear."""
    found: list[Then] = []
    for step in chain:
        module, _, output = seen[step.key]
        if step.role == "pool":
            at = _pooled(module, at, output)
            if at is None:
                break
        found.append(Then(step, _value(output, unit, at), at))
    return tuple(found)


def _pooled(module: nn.Module, at: Position | None, output: Tensor) -> Position | None:
    """Return the place of the one pooled square that a point falls in; None where there is none, or several."""
    side, stride, padding = (_pair(getattr(module, name)) for name in ("kernel_size", "stride", "padding"))
    if at is None or side != stride or padding != (0, 0) or _pair(getattr(module, "dilation", 1)) != (1, 1):
        return None
    row, column = at[0] // side[0], at[1] // side[1]
    return (row, column) if row < output.shape[1] and column < output.shape[2] else None


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _value(output: Tensor, unit: int, at: Position | None) -> float:
    return float(output[unit] if at is None else output[unit, at[0], at[1]])
