"""What a model does in one forward pass: which layers it calls, what they return, and where it bends.

Attribution methods that hook layers see nothing of a function that is called outside of one, so a model is asked by
running it, not by reading its list of layers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.analysis.frozen import frozen_copy, placement

IMAGE_SHAPE = (1, 28, 28)

# fmt: off
NON_LINEAR = frozenset({
    "relu", "gelu", "silu", "sigmoid", "tanh", "elu", "leaky_relu", "softplus", "hardtanh", "relu6", "hardswish",
    "hardsigmoid", "selu", "celu", "mish", "prelu", "logsigmoid", "softsign", "threshold", "max_pool2d",
    "adaptive_max_pool2d", "softmax", "log_softmax", "layer_norm", "group_norm", "instance_norm",
    "local_response_norm", "clamp", "abs", "square", "sqrt", "exp", "log", "maximum", "minimum",
})
# fmt: on
"""Functions of `torch` and `torch.nn.functional` that are not linear in their input in evaluation mode."""


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes
    ----------
    name : str
        The layer's name in the model, as in `named_modules`; a layer with two names goes by its first.
    module : nn.Module
        The layer in the copy that was run.
    shape : tuple of int
        Shape of what it returned for one image, without the batch; empty where that is no tensor.
    """

    name: str
    module: nn.Module
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Bend:
    """One call of a non-linear function.

    Attributes
    ----------
    function : str
        Its name, such as 'relu'.
    call : str
        Name of the innermost layer in which it was called; empty in the model's own forward pass.
    module : nn.Module
        That layer.
    """

    function: str
    call: str
    module: nn.Module


@dataclass(frozen=True)
class Trace:
    """One forward pass of a copy of a model: its calls in the order in which they ended, and its bends."""

    calls: tuple[Call, ...]
    bends: tuple[Bend, ...]


def trace(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> Trace:
    """Run a copy of a model on one black image and note what it does.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels (N, channels, height, width) to logits; it is only read.
    shape : tuple of int
        Channels, height and width of an image.
    """
    frozen = frozen_copy(classifier)
    device, dtype = placement(frozen)
    calls: list[Call] = []
    stack: list[tuple[str, nn.Module]] = [("", frozen)]
    for name, module in frozen.named_modules():
        module.register_forward_pre_hook(_entering(stack, name))
        module.register_forward_hook(_leaving(stack, calls))
    watch = _Bends(stack)
    with torch.inference_mode(), watch:
        frozen(torch.zeros((1, *shape), device=device, dtype=dtype))
    return Trace(tuple(calls), tuple(watch.bends))


def _entering(stack: list[tuple[str, nn.Module]], name: str) -> Callable[[nn.Module, Any], None]:
    def hook(module: nn.Module, inputs: Any) -> None:
        stack.append((name, module))

    return hook


def _leaving(stack: list[tuple[str, nn.Module]], calls: list[Call]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        name, _ = stack.pop()
        calls.append(Call(name, module, tuple(output.shape[1:]) if isinstance(output, Tensor) else ()))

    return hook


class _Bends(TorchFunctionMode):
    """Notes every non-linear function with the layer that calls it, once where one function calls another."""

    def __init__(self, stack: list[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.stack, self.bends = stack, list[Bend]()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "").rstrip("_")
        if name in NON_LINEAR:
            self.bends.append(Bend(name, *self.stack[-1]))
        return func(*args, **(kwargs or {}))
