"""The layers of a model whose output is a stack of maps: those that Grad-CAM and layer activation can show."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from explorer.analysis.trace import IMAGE_SHAPE, Call, trace
from explorer.errors import ConfigError

LINEAR = (nn.Conv2d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)
NO_CONVOLUTION = "needs maps from a convolution, and this model has none that is larger than one point."


@dataclass(frozen=True)
class MapLayer:
    """A layer that returns maps.

    Attributes
    ----------
    name : str
        In the model, as in `named_modules`.
    kind : str
        Its type, such as 'Conv2d'.
    shape : tuple of int
        Channels, height and width of what it returns for one image.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]

    @property
    def title(self) -> str:
        """What it is and returns, for people: `Conv2d · 64 maps of 8 × 8 (network.3)`."""
        channels, height, width = self.shape
        return f"{self.kind} · {channels} maps of {height} × {width} ({self.name})"


def candidates(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> tuple[MapLayer, ...]:
    """Return the layers whose maps can be shown, first to last.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    shape : tuple of int
        Channels, height and width of an image.

    Returns
    -------
    tuple of Layer
        Every layer that is called once, from the first convolution on, and returns maps larger than one point; of
        layers that contain others only those that compute more than the last of them.
    """
    return tuple(layer for layer, _ in _found(classifier, shape))


def default(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> MapLayer | None:
    """Return the layer with the maps of the last convolution; None where there are no maps.

    They are taken as they leave the block of layers of that size, so after the activation where it comes before
    pooling, and after the pooling where nothing but a normalisation comes before it. Of 300 validation images
    Grad-CAM's positive part was zero everywhere for 51% at the last convolution of the `lenet` that ships and for 4%
    after its activation, for 24% at that of `cnn` and for 4% after its pooling. Convolutions of 1 x 1 pixels, as stand
    in short cuts, count only where there are no others, and so do layers without convolution.
    """
    return _default(_found(classifier, shape))


def choose(classifier: nn.Module, name: str, shape: tuple[int, ...] = IMAGE_SHAPE) -> str:
    """Return the name of a layer, the default's for an empty one.

    Raises
    ------
    ConfigError
        There is no such layer, or none at all.
    """
    found = _found(classifier, shape)
    usual, names = _default(found), [layer.name for layer, _ in found]
    if usual is None:
        raise ConfigError(f"This method {NO_CONVOLUTION}")
    if name and name not in names:
        raise ConfigError(f"This model has no layer {name!r} with maps. Choose one of: {', '.join(names)}.")
    return name or usual.name


def _default(found: list[tuple[MapLayer, nn.Module]]) -> MapLayer | None:
    convolutions = [(layer, module) for layer, module in found if isinstance(module, nn.Conv2d)]
    spatial = [layer for layer, module in convolutions if max(module.kernel_size) > 1]
    for usable in (spatial, [layer for layer, _ in convolutions], [layer for layer, _ in found]):
        if usable:
            last = max(at for at, (layer, _) in enumerate(found) if layer.shape == usable[-1].shape)
            is_linear = isinstance(found[last][1], LINEAR)
            return found[min(last + is_linear, len(found) - 1)][0]
    return None


def _found(classifier: nn.Module, shape: tuple[int, ...]) -> list[tuple[MapLayer, nn.Module]]:
    calls = trace(classifier, shape).calls
    times = Counter(call.name for call in calls)
    first = next((at for at, call in enumerate(calls) if isinstance(call.module, nn.Conv2d)), len(calls))
    found: list[tuple[MapLayer, nn.Module]] = []
    for call in calls[first:]:
        if len(call.shape) == 3 and min(call.shape[1:]) > 1 and times[call.name] == 1 and not _only_wraps(call):
            channels, height, width = call.shape
            found.append((MapLayer(call.name, type(call.module).__name__, (channels, height, width)), call.module))
    return found


def _only_wraps(call: Call) -> bool:
    return not call.name or isinstance(call.module, nn.Sequential | nn.Identity | nn.Dropout | nn.Dropout2d)
