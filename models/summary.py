"""What a network is made of: its layers in the order in which an image passes through them, and what each costs."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from models.registry import InputShape

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_WORDS = {
    nn.ReLU: "ReLU",
    nn.LeakyReLU: "leaky ReLU",
    nn.ELU: "ELU",
    nn.GELU: "GELU",
    nn.SiLU: "SiLU",
    nn.Identity: "identity (changes nothing)",
}


@dataclass(frozen=True)
class Layer:
    """One layer, each time that it is used.

    Attributes
    ----------
    name : str
        Its place in the network, as in the names of the weights.
    kind : str
        What it is, in words.
    output : tuple of int
        Shape of its output for one image.
    parameters : int
        Trainable numbers; counted where the layer is used first.
    multiply_adds : int
        Multiplications with a weight, each followed by an addition, for one image; biases, normalisation, activation
        and pooling are not counted, as they take a small share of the time.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layer_table(network: nn.Module, shape: InputShape) -> tuple[Layer, ...]:
    """List the layers of a network in the order of execution.

    Parameters
    ----------
    network : nn.Module
        Maps images (N, channels, size, size) to logits; it is only read, and may be on the `meta` device.
    shape : InputShape
        Of the images.

    Returns
    -------
    tuple of Layer
        Modules without parts of their own, and those that hold parameters themselves. Operations that are no module,
        such as the addition in a residual block, have no line.
    """
    copied = copy.deepcopy(network).to("meta").eval()
    layers: list[Layer] = []
    counted: set[nn.Parameter] = set()

    def note(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, _inputs: Any, output: Tensor) -> None:
            new = {parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad} - counted
            counted.update(new)
            size = sum(parameter.numel() for parameter in new)
            layers.append(Layer(name, describe(module), tuple(output.shape[1:]), size, _multiply_adds(module, output)))

        return hook

    for name, module in copied.named_modules():
        if not list(module.children()) or list(module.parameters(recurse=False)):
            module.register_forward_hook(note(name))
    with torch.no_grad():
        copied(torch.empty(1, shape.channels, shape.size, shape.size, device="meta"))
    return tuple(layers)


def describe(module: nn.Module) -> str:
    """Say in words what a layer is, with the numbers that make it differ from others of its kind."""
    if isinstance(module, nn.Linear):
        return f"fully connected, {_count(module.out_features, 'output')}"
    if isinstance(module, _CONVOLUTIONS):
        return _convolution(module)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pooling(module)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return "average over the whole map" if _pair(module.output_size) == (1, 1) else "average pooling"
    if isinstance(module, _DROPOUTS):
        maps = "" if isinstance(module, nn.Dropout) else " of whole maps"
        return f"dropout {module.p:g}{maps}"
    if isinstance(module, _BATCH_NORMS):
        return "batch norm"
    if isinstance(module, nn.Flatten):
        return "flatten"
    return _WORDS.get(type(module)) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(module).__name__).lower()


def _convolution(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> str:
    parts = [f"convolution {_times(module.kernel_size)}, {_count(module.out_channels, 'map')}"]
    if set(module.stride) != {1}:
        parts.append(f"stride {_one(module.stride)}")
    if isinstance(module.padding, str) or set(module.padding) != {0}:
        parts.append(f"padding {module.padding if isinstance(module.padding, str) else _one(module.padding)}")
    if module.groups > 1:
        parts.append(f"{module.groups} groups")
    return ", ".join(parts)


def _pooling(module: nn.MaxPool2d | nn.AvgPool2d) -> str:
    kind = "max" if isinstance(module, nn.MaxPool2d) else "average"
    kernel, stride = _pair(module.kernel_size), _pair(module.stride)
    return f"{kind} pooling {_times(kernel)}" + (f", stride {_one(stride)}" if stride != kernel else "")


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    """Return how often one image makes a weight be multiplied with an input."""
    outputs = prod(output.shape[1:])
    if isinstance(module, nn.Linear):
        return outputs * module.in_features
    if isinstance(module, _CONVOLUTIONS):
        return outputs * module.in_channels // module.groups * prod(module.kernel_size)
    return 0


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _one(sizes: tuple[int, ...]) -> str:
    """Write one number where all sides are alike."""
    return str(sizes[0]) if len(set(sizes)) == 1 else _times(sizes)
