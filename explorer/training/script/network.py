"""The network as source, read off the network itself."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import nn

from explorer.errors import ConfigError
from explorer.training.script.layout import INDENT, exploded, indented, lists
from explorer.training.script.recipe import ScriptRecipe
from models.resnet import ResidualBlock

MOST_LAYERS = 8
"""So many layers have a line each; more share lines, or are made in a loop over their widths."""
RESIDUAL = """\
class Sum(nn.ModuleList):
    def forward(self, x):
        return self[0](x) + self[1](x)


def conv(i, o, k, stride=1):
    return nn.Conv2d(i, o, k, stride, k // 2, bias=False), nn.BatchNorm2d(o)
"""
STAGES = """\
for n, (o, blocks) in enumerate(stages):
    for s in [2 if n else 1] + (blocks - 1) * [1]:
        main = nn.Sequential(*conv(i, o, 3, s), nn.ReLU(), *conv(o, o, 3))
        short_cut = [nn.AvgPool2d(2, ceil_mode=True), *conv(i, o, 1)] if s > 1 else []
        layers += [Sum([main, nn.Sequential(*short_cut)]), nn.ReLU()]
        i = o
"""
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity)
INITIALISERS = {
    "xavier": "nn.init.xavier_uniform_(layer.weight)",
    "he": 'nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")',
    "normal": "nn.init.normal_(layer.weight, std=0.01)",
    "zeros": "nn.init.zeros_(layer.weight)",
}


def definitions(recipe: ScriptRecipe) -> str:
    """Return the functions and classes that the network needs."""
    return RESIDUAL if recipe.has(ResidualBlock) else ""


def network(recipe: ScriptRecipe) -> list[str]:
    """Return the lines that build the network, initialise it and move it to its device."""
    if recipe.config.model == "resnet18":
        lines = [
            f"network = resnet18(num_classes={len(recipe.spec.classes)})",
            f"network.conv1 = nn.Conv2d({recipe.spec.channels}, 64, 7, stride=2, padding=3, bias=False)",
        ]
    elif not isinstance(recipe.network, nn.Sequential):
        raise ConfigError(f"Model {recipe.config.model!r} cannot be written as a script of a few lines.")
    elif recipe.has(ResidualBlock):
        lines = [*_residual(list(recipe.network)), "network = nn.Sequential(*layers)"]
    elif len(recipe.network) > MOST_LAYERS:
        layers = list(recipe.network)
        lines = [*(_loop(layers) or lists("layers", map(layer_source, layers))), "network = nn.Sequential(*layers)"]
    else:
        lines = exploded("network = nn.Sequential(", map(layer_source, recipe.network))
    where = [recipe.device] if recipe.device else []
    where += ["memory_format=torch.channels_last"] if recipe.has(nn.Conv2d) else []
    return [*lines, *_initialised(recipe), *([f"network = network.to({', '.join(where)})"] if where else [])]


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


def _loop(layers: list[Any]) -> list[str]:
    """Write hidden linear layers that differ in their width alone as a loop; nothing where they are not alike."""
    starts = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    hidden = [layers[start:end] for start, end in pairwise(starts)]
    names = {nn.Linear: "nn.Linear(inputs, outputs)", nn.BatchNorm1d: "nn.BatchNorm1d(outputs)"}
    bodies = [[names.get(type(layer)) or layer_source(layer) for layer in stage] for stage in hidden]
    if starts[:1] != [1] or any(body != bodies[0] for body in bodies):
        return []
    widths = [layers[1].in_features, *(stage[0].out_features for stage in hidden)]
    return [
        *lists("widths", map(str, widths)),
        "layers = [nn.Flatten()]",
        "for inputs, outputs in zip(widths, widths[1:]):",
        *indented(line.replace("layers =", "layers +=") for line in lists("layers", bodies[0], depth=1)),
        f"layers += [{layer_source(layers[-1])}]",
    ]


def _residual(layers: list[Any]) -> list[str]:
    stem = layers[0]
    stages: list[list[int]] = []
    for block in (layer for layer in layers if isinstance(layer, ResidualBlock)):
        if not stages or block.conv1.stride[0] == 2:
            stages.append([block.conv1.out_channels, 0])
        stages[-1][1] += 1
    return [
        *lists("stages", [f"({channels}, {count})" for channels, count in stages]),
        f"i = {stem.out_channels}",
        f"layers = [*conv({stem.in_channels}, i, 3), nn.ReLU()]",
        *STAGES.splitlines(),
        f"layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), {layer_source(layers[-1])}]",
    ]


def _initialised(recipe: ScriptRecipe) -> list[str]:
    scheme = recipe.config.options.get("initialisation", "default")
    if scheme == "default":
        return []
    return [
        "for layer in [layer for layer in network if isinstance(layer, nn.Linear | nn.Conv2d)]:",
        f"{INDENT}{INITIALISERS[scheme]}",
        f"{INDENT}nn.init.zeros_(layer.bias)",
    ]
