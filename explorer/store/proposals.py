"""Architectures and options that a list of shapes suggests, before any is built and compared."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import models

SIZE = 28
Proposal = tuple[str, dict[str, Any]]
Shapes = Sequence[tuple[int, ...]]
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


def variants(model: str, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield options that add layers without weights: they change nothing but the numbers in the names."""
    if model in ("mlp", "lenet"):
        yield {**options, "dropout": 0.5}
    if model == "cnn":
        norms = ("batch-norm", "batch-norm-dropout", "dropout-batch-norm")
        left_out = ("nothing", "dropout2d", "dropout") if options["leave_out"] == "nothing" else (options["leave_out"],)
        for after in norms if options["after_first"] != "nothing" else ("nothing",):
            for layer in left_out:
                yield {**options, "after_first": after, "leave_out": layer}


def _resnet(convs: Shapes) -> Iterator[Proposal]:
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


def _mlp(dense: Shapes, norms: int) -> Iterator[Proposal]:
    yield "mlp", {"hidden": [shape[0] for shape in dense[:-1]], "batch_norm": norms > 0}


def _lenet(convs: Shapes, dense: Shapes) -> Iterator[Proposal]:
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


def _cnn(convs: Shapes, dense: Shapes, norms: int) -> Iterator[Proposal]:
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


def _chain(weights: Shapes, classes: int) -> Shapes:
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
