"""The weights of a network's first layer as small pictures: what it looks for in the pixels themselves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from explorer.errors import CheckpointError

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint

FloatArray = NDArray[np.float32]

SHOWN = 64
"""Filters in a picture unless another number is asked for."""

BLUE_TO_RED = ((0.10, 0.28, 0.47), (0.44, 0.61, 0.77), (0.96, 0.96, 0.96), (0.84, 0.51, 0.35), (0.54, 0.18, 0.04))
"""Colours for weights from the most negative to the most positive one, the middle one for zero: RGB in [0, 1]."""

GAP = (0.5, 0.5, 0.5)


@dataclass(frozen=True, eq=False)
class Filters:
    """The first layer of a network, one picture for each of its outputs.

    Attributes
    ----------
    images : ndarray
        float32, shape (n, h, w): the weights as they stand in the network. They multiply the *normalised* pixels;
        for pixels in [0, 1] each would be divided by the same standard deviation, which changes no picture.
        Kernels of several input channels are averaged over these.
    names : tuple of str
        One for each picture.
    kind : {'weights', 'kernels'}
        Fully connected weights, as large as the image, or convolution kernels.
    layer : str
        Name of the layer in the network's state dict.
    of_classes : bool
        True for a network without hidden layers: each picture is the template of a class.
    """

    images: FloatArray
    names: tuple[str, ...]
    kind: Literal["weights", "kernels"]
    layer: str
    of_classes: bool = False

    @property
    def n(self) -> int:
        """Number of filters."""
        return len(self.images)

    @property
    def largest(self) -> float:
        """Greatest absolute weight: the end of the colour scale that all pictures share."""
        return float(np.abs(self.images).max(initial=0.0))


def first_layer_filters(source: Checkpoint | Path | Mapping[str, Any], classes: Sequence[str] = ()) -> Filters:
    """Take the first layer out of a network's weights, without building the network.

    Parameters
    ----------
    source : Checkpoint, Path or mapping of str to array or tensor
        A checkpoint, its file, or a state dict. Of a file only this layer is read.
    classes : sequence of str, optional
        Names of the outputs; by default those that the file tells.

    Returns
    -------
    Filters
        Of the first convolution, or of the first fully connected layer where that comes first. "First" is by the
        names in the state dict, with numbers in their order: `0.weight`, `2.weight`, `10.weight`.

    Raises
    ------
    CheckpointError
        The file cannot be read, there is no such layer, its weights are not finite, or a fully connected layer does
        not see square grey images.
    """
    if isinstance(source, Mapping):
        shapes = {name: tuple(values.shape) for name, values in source.items()}
        layer = _first(shapes)
        return _filters(layer, _array(source[layer]), shapes, tuple(classes))
    return _read(source if isinstance(source, Path) else source.path, tuple(classes))


def grid(
    filters: Filters,
    columns: int,
    *,
    scale: int = 1,
    shown: int = SHOWN,
    colours: Sequence[Sequence[float]] = BLUE_TO_RED,
    gap: Sequence[float] = GAP,
) -> NDArray[np.uint8]:
    """Lay the filters out as one picture, with one colour scale for all and zero in its middle.

    Parameters
    ----------
    filters : Filters
    columns : int
        Filters in a row, at least 1; fewer where there are not so many.
    scale : int
        Pixels of the picture for each weight, in both directions. One pixel separates the filters.
    shown : int
        The first so many are shown.
    colours : sequence of RGB in [0, 1]
        From the most negative weight to the most positive one, evenly spaced.
    gap : RGB in [0, 1]
        Colour between the filters and of places that stay empty.

    Returns
    -------
    ndarray
        uint8, shape (height, width, 3).
    """
    images = filters.images[: max(1, shown)]
    count, height, width = images.shape
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    step_y, step_x = height * scale + 1, width * scale + 1
    picture = np.empty((rows * step_y - 1, columns * step_x - 1, 3), np.uint8)
    picture[:] = np.round(255 * np.asarray(gap)).astype(np.uint8)
    for number, tile in enumerate(colour(images, filters.largest, colours)):
        top, left = (number // columns) * step_y, (number % columns) * step_x
        enlarged = tile.repeat(scale, axis=0).repeat(scale, axis=1)
        picture[top : top + height * scale, left : left + width * scale] = enlarged
    return picture


def colour(
    values: NDArray[np.floating], largest: float, colours: Sequence[Sequence[float]] = BLUE_TO_RED
) -> NDArray[np.uint8]:
    """Turn values in [-largest, largest] into colours.

    Returns
    -------
    ndarray
        uint8, shape of `values` and 3 more: the RGB of the scale, interpolated in between; its middle for zero.
    """
    place = (values / (largest or 1.0) + 1) / 2
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(place, stops, ramp) for ramp in np.asarray(colours, dtype=float).T]
    result: NDArray[np.uint8] = np.round(255 * np.stack(channels, axis=-1)).astype(np.uint8)
    return result


def _read(path: Path, classes: tuple[str, ...]) -> Filters:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no dict)
            layer = _first(shapes)
            return _filters(layer, _array(file.get_tensor(layer)), shapes, classes or _classes(file.metadata() or {}))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} is not a readable checkpoint file ({error}).") from None


def _classes(metadata: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return tuple(str(name) for name in json.loads(metadata["explorer"])["classes"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()


def _first(shapes: Mapping[str, tuple[int, ...]]) -> str:
    layers = [name for name, shape in shapes.items() if len(shape) in (2, 4) and name.endswith("weight")]
    if not layers:
        raise CheckpointError("These weights have neither a fully connected layer nor a convolution.")
    return min(layers, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort numbers in a name by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _array(values: Any) -> FloatArray:
    """Return weights, of whatever floating-point type and on whatever device, as an array."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)


def _filters(
    layer: str, weights: FloatArray, shapes: Mapping[str, tuple[int, ...]], classes: tuple[str, ...]
) -> Filters:
    if not weights.size or not np.isfinite(weights).all():
        raise CheckpointError(f"The weights of the layer {layer!r} are not finite numbers. Choose another epoch.")
    outputs = len(weights)
    if weights.ndim == 4:
        names = tuple(f"kernel {number}" for number in range(1, outputs + 1))
        return Filters(weights.mean(axis=1), names, "kernels", layer)
    side = math.isqrt(weights.shape[1])
    if side * side != weights.shape[1]:
        raise CheckpointError(f"The layer {layer!r} has {weights.shape[1]} inputs, which make no square image.")
    only = sum(len(shape) in (2, 4) for shape in shapes.values()) == 1
    numbered = tuple(f"unit {number}" for number in range(1, outputs + 1))
    names = classes if only and len(classes) == outputs else numbered
    return Filters(weights.reshape(outputs, side, side), names, "weights", layer, of_classes=only)
