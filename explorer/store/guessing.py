"""Which architecture do weights from elsewhere belong to? Answered from names and shapes alone.

The architectures' own names are tried first. Other names are mapped layer by layer: a layer is what shares a
prefix, and a layer of the file stands for one of the model when the kinds and shapes of its tensors are the same.
What leaves no trace in the weights (activations, pooling, rates of dropout) cannot be guessed.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from explorer.errors import ConfigError
from explorer.store import proposals
from explorer.store.checkpoints import mismatches
from models.registry import InputShape, build_meta

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and safetensors type of each tensor, in the order of the file."""
_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
}


@dataclass(frozen=True)
class Guess:
    """An architecture that weights fit, and which tensor of the file is which of the model."""

    model: str
    options: dict[str, Any]
    renaming: dict[str, str]

    @property
    def exact(self) -> bool:
        """Whether the file's names are the model's own."""
        return all(theirs == ours for theirs, ours in self.renaming.items())


@dataclass(frozen=True)
class Comparison:
    """Weights beside one architecture.

    Attributes
    ----------
    renaming : dict of str to str
        From the file's names to the model's.
    problems : list of str
        One line for each tensor that is missing, superfluous, or of another shape or type.
    """

    renaming: dict[str, str]
    problems: list[str]


def shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return shape and type of every tensor."""
    return {
        name: (tuple(tensor.shape), _TYPES.get(kind := str(tensor.dtype).removeprefix("torch."), kind))
        for name, tensor in weights.items()
    }


def guess(found: Shapes, classes: int = 10) -> list[Guess]:
    """Return the architectures and options that weights fit completely, the plainest first.

    Parameters
    ----------
    found : mapping
        From `shapes`.
    classes : int
        Number of outputs.

    Returns
    -------
    list of Guess
        Only exact ones where the names are an architecture's own; empty where nothing fits.
    """
    plain = list(proposals.propose(found, classes))
    for model, options in plain:
        variants = [options, *proposals.variants(model, options)]
        exact = [fitting for variant in variants if (fitting := _fit(found, model, variant, classes, exact=True))]
        if exact:
            same = [_fit(found, other, choice, classes, exact=True) for other, choice in plain if other == model]
            return _distinct([exact[0], *(fitting for fitting in same if fitting)])
    fits = [_fit(found, model, options, classes, exact=False) for model, options in plain]
    return _distinct([fitting for fitting in fits if fitting])


def compare(found: Shapes, model: str, options: Mapping[str, Any], classes: int = 10) -> Comparison:
    """Compare weights with one architecture, tensor by tensor.

    Raises
    ------
    ConfigError
        The architecture is unknown or its options are impossible.
    """
    network = build_meta(model, options, InputShape(classes=classes))
    renaming = _renaming(found, network)
    renamed = {ours: found[theirs] for theirs, ours in renaming.items()}
    return Comparison(renaming, mismatches(network, renamed))


def _fit(found: Shapes, model: str, options: Mapping[str, Any], classes: int, *, exact: bool) -> Guess | None:
    try:
        network = build_meta(model, options, InputShape(classes=classes))
    except ConfigError:
        return None
    if exact and network.state_dict().keys() != found.keys():
        return None
    renaming = _renaming(found, network)
    problems = mismatches(network, {ours: found[theirs] for theirs, ours in renaming.items()})
    return None if problems else Guess(model, dict(options), renaming)


def _distinct(guesses: list[Guess]) -> list[Guess]:
    kept: list[Guess] = []
    for one in guesses:
        if not any(one.model == other.model and one.options == other.options for other in kept):
            kept.append(one)
    return kept


def _renaming(found: Shapes, network: nn.Module) -> dict[str, str]:
    """Map the file's names to the model's: by name, else by kind and shape, else by kind and order, else not."""
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    identity = {name: name for name in found}
    if wanted.keys() == found.keys():
        return identity
    theirs, ours = layers({name: shape for name, (shape, _) in found.items()}), layers(wanted)
    pairs = _by_shape(theirs, ours) or _by_order(theirs, ours)
    if pairs is None:
        return identity
    return {_join(a, part): _join(b, part) for a, b in pairs for part in theirs[a]}


Layers = Mapping[str, Mapping[str, tuple[int, ...]]]


def layers(named: Mapping[str, tuple[int, ...]]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Group tensors into layers: prefix -> last part of the name -> shape, in order of first appearance."""
    grouped: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)
    for name, shape in named.items():
        prefix, _, part = name.rpartition(".")
        grouped[prefix][part] = shape
    return dict(grouped)


def _by_shape(theirs: Layers, ours: Layers) -> list[tuple[str, str]] | None:
    """Pair layers whose tensors have the same kinds and shapes; equal ones in their order."""
    waiting: dict[frozenset[Any], list[str]] = defaultdict(list)
    for prefix, tensors in theirs.items():
        waiting[frozenset(tensors.items())].append(prefix)
    pairs = []
    for prefix, tensors in ours.items():
        same = waiting[frozenset(tensors.items())]
        if not same:
            return None
        pairs.append((same.pop(0), prefix))
    return None if any(waiting.values()) else pairs


def _by_order(theirs: Layers, ours: Layers) -> list[tuple[str, str]] | None:
    """Pair the first with the first and so on, where the kinds of all agree, so that shapes can be compared."""
    pairs = list(zip(theirs, ours, strict=False))
    alike = len(theirs) == len(ours) and all(_kind(theirs[a]) == _kind(ours[b]) for a, b in pairs)
    return pairs if alike else None


def _kind(tensors: Mapping[str, tuple[int, ...]]) -> set[tuple[str, int]]:
    return {(part, len(shape)) for part, shape in tensors.items()}


def _join(prefix: str, part: str) -> str:
    return f"{prefix}.{part}" if prefix else part
