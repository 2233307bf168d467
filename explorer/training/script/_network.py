"""The network as source, read off the network itself."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import nn

from explorer.errors import ConfigError
from explorer.training.script._layout import INDENT, exploded, function, lists
from explorer.training.script._recipe import Recipe
from models.resnet import ResidualBlock

SUM = "lambda self, x: self[0](x) + self[1](x)"
CONVOLUTION = "[nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o)]"

SHORT = 8
"""So many widths are written out; more, as runs of equal ones."""

ACTIVATIONS = (*(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity),)
INITIALISERS = {
    "xavier": "nn.init.xavier_uniform_(layer.weight)",
    "he": 'nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")',
    "normal": "nn.init.normal_(layer.weight, std=0.01)",
    "zeros": "nn.init.zeros_(layer.weight)",
}


def definitions(recipe: Recipe) -> list[list[str]]:
    """Return the functions and classes that the network needs."""
    if not recipe.has((ResidualBlock,)):
        return []
    sum_of_two = ["class Sum(nn.ModuleList):", f"{INDENT}forward = {SUM}"]
    if recipe.densest:
        sum_of_two = [f'Sum = type("Sum", (nn.ModuleList,), {{"forward": {SUM}}})']
    return [sum_of_two, function("conv", "i, o, k, stride=1", CONVOLUTION, short=recipe.lambdas)]


def network(recipe: Recipe) -> list[str]:
    """Return the lines that build the network, initialise it and move it to its device."""
    where = [recipe.device] if recipe.device else []
    where += ["memory_format=torch.channels_last"] if recipe.convolves else []
    move = f".to({', '.join(where)})" if where else ""
    if recipe.config.model == "resnet18":
        return [*_resnet18(recipe), f"network = network{move}"]
    if not isinstance(recipe.network, nn.Sequential):
        raise ConfigError(f"Model {recipe.config.model!r} cannot be written as a script of a few lines.")
    layers = list(recipe.network)
    initialised = _initialised(recipe)
    wait = bool(initialised and move) and recipe.same_draws  # the run draws its weights before it moves them
    late, at_once = (f"network = network{move}", "") if wait else ("", move)
    if recipe.layer_a_line and not recipe.has((ResidualBlock,)):
        lines = exploded("network = nn.Sequential(", map(layer_source, layers), f"){at_once}")
    else:
        packed = _residual(layers) if recipe.has((ResidualBlock,)) else _packed(recipe, layers)
        lines = [*packed, f"network = nn.Sequential(*layers){at_once}"]
    return [*lines, *initialised, *([late] if late else [])]


def layer_source(layer: nn.Module) -> str:
    """Return the expression that makes a layer like this one.

    Raises
    ------
    ConfigError
        It is of a kind that no script has been written for.
    """
    for kind, write in _WRITERS.items():
        if type(layer) is kind:
            return f"nn.{kind.__name__}({write(layer)})"
    raise ConfigError(f"A layer of the kind {type(layer).__name__} cannot be written as a line of a script.")


def _conv(layer: Any) -> str:
    parts = [str(layer.in_channels), str(layer.out_channels), str(layer.kernel_size[0])]
    parts += [f"stride={layer.stride[0]}"] if layer.stride[0] != 1 else []
    parts += [f"padding={layer.padding[0]}"] if layer.padding[0] else []
    return ", ".join(parts + ([] if layer.bias is not None else ["bias=False"]))


_WRITERS: dict[type[nn.Module], Callable[[Any], str]] = {
    nn.Conv2d: _conv,
    nn.Linear: lambda layer: f"{layer.in_features}, {layer.out_features}",
    nn.BatchNorm1d: lambda layer: str(layer.num_features),
    nn.BatchNorm2d: lambda layer: str(layer.num_features),
    nn.Dropout: lambda layer: repr(layer.p),
    nn.Dropout2d: lambda layer: repr(layer.p),
    nn.MaxPool2d: lambda layer: str(layer.kernel_size),
    nn.AvgPool2d: lambda layer: str(layer.kernel_size),
    nn.AdaptiveAvgPool2d: lambda layer: str(layer.output_size),
} | dict.fromkeys((nn.Flatten, *ACTIVATIONS), lambda _layer: "")


def _packed(recipe: Recipe, layers: list[nn.Module]) -> list[str]:
    """Make the list `layers`: a stage of the network a line, or full lines, or a loop where that is shortest."""
    sources = [layer_source(layer) for layer in layers]
    stages = _stages(layers)
    by_stage = lists("layers", sources[: len(stages[0])])
    for start, end in pairwise(_starts(stages)):
        by_stage += [line.replace("layers =", "layers +=") for line in lists("layers", sources[start:end])]
    filled = lists("layers", sources)
    written = [by_stage if recipe.stages else filled, *_loops(stages)]
    return min(written, key=len)


def _stages(layers: list[nn.Module]) -> list[list[nn.Module]]:
    """Divide the layers so that each part begins with a convolution, a linear layer or the flattening before it."""
    stages: list[list[nn.Module]] = [[]]
    for layer in layers:
        flattened = bool(stages[-1]) and isinstance(stages[-1][-1], nn.Flatten)
        if stages[-1] and isinstance(layer, nn.Conv2d | nn.Linear | nn.Flatten) and not flattened:
            stages.append([])
        stages[-1].append(layer)
    return stages


def _starts(stages: list[list[nn.Module]]) -> list[int]:
    starts = [0]
    for stage in stages:
        starts.append(starts[-1] + len(stage))
    return starts[1:]


def _loops(stages: list[list[nn.Module]]) -> list[list[str]]:
    """Write hidden linear layers that differ in their width alone as a loop, if that is what there is."""
    hidden, output = [stage[-_length(stage) :] for stage in stages[:-1]], stages[-1]
    patterns = {tuple(layer_source(layer) for layer in stage if not _sized(layer)) for stage in hidden}
    kinds = {tuple(type(layer) for layer in stage) for stage in hidden}
    linear = all(isinstance(stage[0], nn.Linear) for stage in hidden)
    if not (hidden and linear and len(patterns) == len(kinds) == 1 and len(output) == 1):
        return []
    first: Any = [stage[0] for stage in hidden]
    names = {nn.Linear: "nn.Linear(inputs, outputs)", nn.BatchNorm1d: "nn.BatchNorm1d(outputs)"}
    body = [names.get(type(layer)) or layer_source(layer) for layer in hidden[0]]
    widths = [first[0].in_features, *(layer.out_features for layer in first)]
    lines = [*lists("widths", map(str, widths)), "layers = [nn.Flatten()]"]
    lines += ["for inputs, outputs in zip(widths, widths[1:]):"]
    lines += [INDENT + line.replace("layers =", "layers +=") for line in lists("layers", body, depth=1)]
    return [[*lines, f"layers += [{layer_source(output[0])}]"]]


def _length(stage: list[nn.Module]) -> int:
    return len(stage) - isinstance(stage[0], nn.Flatten)


def _sized(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear | nn.BatchNorm1d)


def _residual(layers: list[Any]) -> list[str]:
    blocks = [layer for layer in layers if isinstance(layer, ResidualBlock)]
    stem, output = layers[0], layers[-1]
    stages: list[list[int]] = []
    for block in blocks:
        halves = block.conv1.stride[0] == 2
        if halves or not stages:
            stages.append([block.conv1.out_channels, 0])
        stages[-1][1] += 1
    lines = lists("stages", [f"({channels}, {count})" for channels, count in stages])
    return [
        *lines,
        f"layers = [*conv({stem.in_channels}, {stem.out_channels}, 3), nn.ReLU()]",
        f"i = {stem.out_channels}",
        "for n, (o, blocks) in enumerate(stages):",
        f"{INDENT}for s in [2 if n else 1] + (blocks - 1) * [1]:",
        f"{INDENT * 2}main = nn.Sequential(*conv(i, o, 3, s), nn.ReLU(), *conv(o, o, 3))",
        f"{INDENT * 2}short_cut = [nn.AvgPool2d(2, ceil_mode=True), *conv(i, o, 1)] if s > 1 else []",
        f"{INDENT * 2}layers += [Sum([main, nn.Sequential(*short_cut)]), nn.ReLU()]",
        f"{INDENT * 2}i = o",
        f"layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), {layer_source(output)}]",
    ]


def _resnet18(recipe: Recipe) -> list[str]:
    channels, classes = recipe.spec.channels, len(recipe.spec.classes)
    return [
        f"network = resnet18(num_classes={classes})",
        f"network.conv1 = nn.Conv2d({channels}, 64, 7, stride=2, padding=3, bias=False)",
    ]


def _initialised(recipe: Recipe) -> list[str]:
    scheme = recipe.config.options.get("initialisation", "default")
    if scheme == "default":
        return []
    return [
        "for layer in [layer for layer in network if isinstance(layer, nn.Linear | nn.Conv2d)]:",
        f"{INDENT}{INITIALISERS[scheme]}",
        f"{INDENT}nn.init.zeros_(layer.bias)",
    ]
