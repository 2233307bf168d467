"""Which architecture do weights from elsewhere belong to? Answered from names and shapes alone.

The architectures' own names are tried first. Other names are mapped layer by layer: a layer is what shares a
prefix, and a layer of the file stands for one of the model when the kinds and shapes of its tensors are the same.
What leaves no trace in the weights (activations, pooling, rates of dropout) cannot be guessed.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

import models
from explorer.errors import ConfigError
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
class WeightComparison:
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
    plain = list(propose(found, classes))
    for model, options in plain:
        variants = [options, *proposal_variants(model, options)]
        exact = [fitting for variant in variants if (fitting := _fit(found, model, variant, classes, exact=True))]
        if exact:
            same = [_fit(found, other, choice, classes, exact=True) for other, choice in plain if other == model]
            return _distinct([exact[0], *(fitting for fitting in same if fitting)])
    fits = [_fit(found, model, options, classes, exact=False) for model, options in plain]
    return _distinct([fitting for fitting in fits if fitting])


def compare(found: Shapes, model: str, options: Mapping[str, Any], classes: int = 10) -> WeightComparison:
    """Compare weights with one architecture, tensor by tensor.

    Raises
    ------
    ConfigError
        The architecture is unknown or its options are impossible.
    """
    network = build_meta(model, options, InputShape(classes=classes))
    renaming = _renaming(found, network)
    renamed = {ours: found[theirs] for theirs, ours in renaming.items()}
    return WeightComparison(renaming, mismatches(network, renamed))


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


SIZE = 28
Proposal = tuple[str, dict[str, Any]]
ShapeList = Sequence[tuple[int, ...]]
_CNN_LAYERS = {"conv1": 10, "conv2": 20, "conv3": 20, "dense": 50}
_CNN_LEFT_OUT = ("nothing", "conv1", "pool1", "conv2", "pool2", "dense")


def propose(found: Mapping[str, tuple[tuple[int, ...], str]], classes: int) -> Iterator[Proposal]:
    """Yield architectures and options, the likeliest first; those with no rule of their own with their defaults.

    Parameters
    ----------
    found : mapping
        Name -> (shape, type), in the order of the file.
    classes : int
        Number of outputs.
    """
    weights = [shape for name, (shape, _) in found.items() if name.rpartition(".")[2] == "weight"]
    convs = _chain([shape for shape in weights if len(shape) == 4], classes)
    dense = _chain([shape for shape in weights if len(shape) == 2], classes)
    norms = sum(name.rpartition(".")[2] == "running_mean" for name in found)
    if not convs:
        yield from _mlp(dense, norms)
    elif len(convs) <= 3:
        yield from _cnn(convs, dense, norms)
        yield from _lenet(convs, dense)
    elif len(convs) == 20:  # no other count: torchvision takes seconds to import
        yield "resnet18", {}
    if len(convs) > 2 and norms:
        yield from _resnet([shape for shape in weights if len(shape) == 4])
    for name in models.names():
        if name not in ("mlp", "lenet", "cnn", "resnet", "resnet18"):
            yield name, {}


def proposal_variants(model: str, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield options that add layers without weights: they change nothing but the numbers in the names."""
    if model in ("mlp", "lenet"):
        yield {**options, "dropout": 0.5}
    if model == "cnn":
        norms = ("batch-norm", "batch-norm-dropout", "dropout-batch-norm")
        left_out = ("nothing", "dropout2d", "dropout") if options["leave_out"] == "nothing" else (options["leave_out"],)
        for after in norms if options["after_first"] != "nothing" else ("nothing",):
            for layer in left_out:
                yield {**options, "after_first": after, "leave_out": layer}


def _resnet(convs: ShapeList) -> Iterator[Proposal]:
    """After the stem two convolutions a block; a third, 1x1, where it begins another stage than the first."""
    stages, blocks, place = [convs[0][0]], [0], 1
    while place + 1 < len(convs):
        begins = convs[place + 2 : place + 3] and convs[place + 2][2] == 1
        if begins:
            stages.append(convs[place][0])
            blocks.append(0)
        blocks[-1] += 1
        place += 3 if begins else 2
    if place == len(convs) and all(blocks):
        yield "resnet", {"stages": stages, "blocks": blocks}


def _mlp(dense: ShapeList, norms: int) -> Iterator[Proposal]:
    yield "mlp", {"hidden": [shape[0] for shape in dense[:-1]], "batch_norm": norms > 0}


def _lenet(convs: ShapeList, dense: ShapeList) -> Iterator[Proposal]:
    """Try strides and paddings, which leave a trace only in the inputs of the dense layer; usual ones first."""
    if len(convs) != 2 or len(dense) != 2:
        return
    kernel, last = convs[0][2], convs[1][0]
    plain = {"features": [convs[0][0], last], "dense": dense[0][0], "kernel": kernel}
    steps = list(itertools.product(range(1, 5), range(15)))
    fitting = [step for step in steps if last * _lenet_size(kernel, *step) ** 2 == dense[0][1]]
    usual = [(stride, padding) for stride, padding in fitting if padding in (0, kernel // 2)]
    for stride, padding in usual or fitting:
        yield "lenet", {**plain, "stride": stride, "padding": padding}


def _lenet_size(kernel: int, stride: int, padding: int) -> int:
    """Return the side of the map after two convolutions, each followed by 2x2 pooling; 0 where it vanishes."""
    size = SIZE
    for _ in range(2):
        size = max(0, (size + 2 * padding - kernel) // stride + 1) // 2
    return size


def _cnn(convs: ShapeList, dense: ShapeList, norms: int) -> Iterator[Proposal]:
    units = [shape[0] for shape in (*convs, *dense[:-1])]
    for left_out in _CNN_LEFT_OUT:
        for extra in (False, True):
            layers = [name for name in _CNN_LAYERS if name != left_out and (extra or name != "conv3")]
            if len(layers) != len(units):
                continue
            width = _width([_CNN_LAYERS[name] for name in layers], units)
            if width is not None:
                after = "batch-norm" if norms else "nothing"
                yield (
                    "cnn",
                    {"width": width, "extra_conv": extra, "leave_out": left_out, "after_first": after},
                )


def _width(base: list[int], units: list[int]) -> float | None:
    """Return the roundest multiplier under which every `base` rounds to its `units`, if there is one."""
    low = max((unit - 0.5) / count if unit > 1 else 0.0 for unit, count in zip(units, base, strict=True))
    high = min((unit + 0.5) / count for unit, count in zip(units, base, strict=True))
    for digits in range(5):
        scale = float(10**digits)
        candidate = max(math.ceil(low * scale), 1) / scale
        if candidate <= high and all(
            max(1, round(count * candidate)) == unit for unit, count in zip(units, base, strict=True)
        ):
            return candidate
    return None


def _chain(weights: ShapeList, classes: int) -> ShapeList:
    """Put weights (outputs, inputs, ...) in the order in which one layer feeds the next, if the given is not it."""
    if all(before[0] == after[1] for before, after in itertools.pairwise(weights)):
        return weights
    rest, chain = list(weights), []
    outputs = {weight[0] for weight in rest}
    following = next((weight for weight in rest if weight[1] not in outputs), None)
    while following is not None:
        chain.append(following)
        rest.remove(following)
        fitting = [weight for weight in rest if weight[1] == chain[-1][0]]
        following = min(fitting, key=lambda weight: weight[0] == classes, default=None)
    return weights if rest else chain
