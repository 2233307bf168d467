"""Running a network to see its steps: every layer that computes, in order, and what it is given and returns."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from explorer.analysis.frozen import frozen_copy, placement
from explorer.analysis.trace import IMAGE_SHAPE
from explorer.errors import ConfigError
from models.summary import describe

Role = Literal["weights", "norm", "activation", "pool", "other"]
Stage = Literal["before", "after", ""]

TRANSPARENT = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d")
"""Layers that change nothing while a network is evaluated."""


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer.

    Attributes
    ----------
    number : int
        Its place among the steps, from 0.
    name : str
        The layer's name, as in the names of its weights.
    call : int
        How often the same layer was used before in this pass.
    kind : str
        What it is, in words.
    function : str
        Its type, such as 'ReLU'.
    role : {'weights', 'norm', 'activation', 'pool', 'other'}
    stage : {'before', 'after', ''}
        Whether an activation function follows, or it is one; empty where neither holds.
    shape : tuple of int
        Of what it returns for one image: (maps, height, width) or (units,).
    given : tuple of int
        Shape of what it is given for one image.
    source : int or None
        The step whose output it is given, unchanged; None where something else was computed in between.
    """

    number: int
    name: str
    call: int
    kind: str
    function: str
    role: Role
    stage: Stage
    shape: tuple[int, ...]
    given: tuple[int, ...]
    source: int | None

    @property
    def key(self) -> str:
        """What tells it from all others, also in a link: its name, with a number where it is used again."""
        return f"{self.name}#{self.call + 1}" if self.call else self.name

    @property
    def label(self) -> str:
        """What it is, for people, in a few words: `convolution 5x5, 32 maps (0)`."""
        return f"{self.kind} ({self.key})"

    @property
    def title(self) -> str:
        """What it is and returns: `convolution 5x5, 32 maps (0) → 32 × 24 × 24`."""
        return f"{self.label} → {size(self.shape)}"

    @property
    def units(self) -> int:
        """Number of its maps or units."""
        return self.shape[0] if self.shape else 0

    @property
    def has_maps(self) -> bool:
        """Whether it returns maps, not single numbers."""
        return len(self.shape) == 3


def size(shape: Iterable[int]) -> str:
    """Write a shape for people."""
    return " × ".join(f"{length:,}" for length in shape)


def chosen(known: Iterable[LayerCall], key: str) -> LayerCall:
    """Return the step with a key.

    Raises
    ------
    ConfigError
        There is none.
    """
    for step in known:
        if step.key == key:
            return step
    raise ConfigError(f"This network has no layer {key[:80]!r}. Choose one of those listed.")


def following(known: tuple[LayerCall, ...], first: LayerCall) -> tuple[LayerCall, ...]:
    """Return the steps that treat each number of a step by itself, one after the other, until the activation.

    Normalisation, pooling and activation are followed, other layers end the chain; without an activation it ends
    before the pooling.
    """
    chain: list[LayerCall] = []
    at = first
    while at.role != "activation":
        after = [one for one in known[at.number + 1 :] if one.source == at.number]
        after = [one for one in after if one.function not in TRANSPARENT]
        if len(after) != 1 or after[0].role not in ("norm", "pool", "activation"):
            break
        at = after[0]
        chain.append(at)
    while chain and chain[-1].role == "pool":
        chain.pop()
    return tuple(chain)


def hidden(known: tuple[LayerCall, ...]) -> tuple[LayerCall, ...]:
    """Return the steps whose numbers are the units of the hidden layers, in order.

    Of each layer with weights but the last that is its output after normalisation and activation, where these follow;
    to them come activations that take something else, such as a sum in a residual block.
    """
    weighted = [one for one in known if one.role == "weights"]
    ends = {(following(known, one) or (one,))[-1].number for one in weighted[:-1]}
    ends |= {one.number for one in known if one.role == "activation"}
    return tuple(one for one in known if one.number in ends and one.units)


Look = Callable[[nn.Module, Tensor, Tensor], Tensor | None]
"""Takes a layer of a copy, its input and its output; what it returns, if anything, takes the place of the output."""

PREFIX = "network."
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def steps(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> tuple[LayerCall, ...]:
    """List what a network does to an image, in order.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels (N, channels, height, width) to logits; it is only read.
    shape : tuple of int
        Channels, height and width of an image.

    Returns
    -------
    tuple of Step
        A step for every call of a layer without layers of its own. What is no layer, such as the addition in a
        residual block, has no step. Layers that change nothing in evaluation, such as dropout, are listed, but what
        follows them is said to be given what they were given.
    """
    model = frozen_copy(classifier)
    device, dtype = placement(model)
    found: list[LayerCall] = []
    made: dict[int, _Made] = {}
    times: Counter[str] = Counter()
    sources: dict[str, int | None] = {}

    def ask(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, inputs: Any) -> None:
            known = made.get(id(inputs[0])) if inputs else None
            sources[name] = known.unchanged() if known else None

        return hook

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if not (isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor)):
                return
            source = sources.pop(name)
            given, returned = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])
            role = _role(module)
            stage: Stage = "after" if role == "activation" else ""
            kind, function = describe(module), type(module).__name__
            found.append(LayerCall(len(found), name, times[name], kind, function, role, stage, returned, given, source))
            times[name] += 1
            number = source if type(module).__name__ in TRANSPARENT else len(found) - 1
            made[id(output)] = _Made(number, output, output._version)

        return hook

    for name, module in _leaves(model):
        module.register_forward_pre_hook(ask(name.removeprefix(PREFIX)))
        module.register_forward_hook(note(name.removeprefix(PREFIX)))
    with torch.no_grad():  # not in inference mode, in which tensors do not count how often they are changed
        model(torch.zeros((1, *shape), device=device, dtype=dtype))
    return _staged(found)


@dataclass(frozen=True, eq=False)
class _Made:
    """A step's output, kept so that no other tensor gets its id, and how often it had been changed in place by then."""

    number: int | None
    output: Tensor
    version: int

    def unchanged(self) -> int | None:
        return self.number if self.output._version == self.version else None


def observe(classifier: nn.Module, looks: Mapping[str, Look]) -> nn.Module:
    """Return a copy of a network that shows what some of its steps are given and return.

    Parameters
    ----------
    classifier : nn.Module
        It is only read; the hooks are on the copy and are gone with it.
    looks : mapping of str to callable
        By the `key` of a step. The tensors hold a batch and may be overwritten later in the pass.

    Raises
    ------
    ConfigError
        There is no such step.
    """
    model = frozen_copy(classifier)
    times: Counter[str] = Counter()
    by_name: dict[str, dict[int, Look]] = {}
    for key, look in looks.items():
        name, _, number = key.partition("#")
        by_name.setdefault(name, {})[int(number) - 1 if number.isdigit() else 0] = look
    leaves = {name.removeprefix(PREFIX): module for name, module in _leaves(model)}
    for name, wanted in by_name.items():
        if name not in leaves:
            raise ConfigError(f"This network has no layer {name[:80]!r}. Choose one of those listed.")
        leaves[name].register_forward_hook(_seeing(name, times, wanted))
    model.register_forward_pre_hook(lambda module, inputs: times.clear())
    return model


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    named = model.named_modules()
    return [
        (name, module)
        for name, module in named
        if name and (not list(module.children()) or list(module.parameters(recurse=False)))
    ]


def _seeing(name: str, times: Counter[str], wanted: dict[int, Look]) -> Callable[[nn.Module, Any, Tensor], Any]:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        call, times[name] = times[name], times[name] + 1
        return wanted[call](module, inputs[0], output) if call in wanted else None

    return hook


def _role(module: nn.Module) -> Role:
    if isinstance(module, nn.Linear | nn.Conv2d):
        return "weights"
    if isinstance(module, _NORMS):
        return "norm"
    if isinstance(module, _POOLS):
        return "pool"
    functions = type(module).__module__ == "torch.nn.modules.activation"
    return "activation" if functions and not list(module.parameters()) else "other"


def _staged(found: list[LayerCall]) -> tuple[LayerCall, ...]:
    """Mark the steps that an activation follows."""
    known = tuple(found)
    before: set[int] = set()
    for one in known:
        chain = following(known, one) if one.role in ("weights", "norm") else ()
        if chain and chain[-1].role == "activation":
            before.add(one.number)
    return tuple(replace(one, stage="before") if one.number in before else one for one in known)
