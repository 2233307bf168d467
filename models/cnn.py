"""The small convolutional network of the coursework, every layer of which can be changed or left out."""

from typing import Literal

from pydantic import Field
from torch import nn

from models.layers import conv_size, pool_size
from models.registry import InputShape, Options, register

AfterFirst = Literal["nothing", "batch-norm", "batch-norm-dropout", "dropout-batch-norm"]
Layer = Literal["nothing", "conv1", "pool1", "conv2", "dropout2d", "pool2", "dense", "dropout"]


class CnnOptions(Options):
    """Options of `cnn`."""

    width: float = Field(
        1.0, gt=0, le=32, description="Multiplies the channels of both convolutions and the units of the dense layer."
    )
    dropout: float = Field(0.5, ge=0, le=1, description="Rate of both dropout layers, 0 (none) to 1 (everything).")
    after_first: AfterFirst = Field("nothing", description="What stands right after the first convolution.")
    extra_conv: bool = Field(False, description="Add a third convolution (3x3, padded) after the second.")
    leave_out: Layer = Field("nothing", description="Leave this one layer out of the network.")


@register(
    "cnn",
    title="Small CNN",
    summary="Two 5x5 convolutions of 10 and 20 maps, dropout and a dense layer of 50: small and easy to alter.",
    options=CnnOptions,
)
def build(options: CnnOptions, shape: InputShape) -> nn.Module:
    """Build the network; the order of layers is that of the coursework's `Net`."""
    return _Builder(options, shape).network()


class _Builder:
    """Adds layer after layer and keeps track of the map's channels and side."""

    def __init__(self, options: CnnOptions, shape: InputShape) -> None:
        self.options, self.shape = options, shape
        self.channels, self.size = shape.channels, shape.size
        self.layers: list[nn.Module] = []

    def network(self) -> nn.Module:
        options = self.options
        self.conv("conv1", 10, kernel=5)
        self.after_first()
        self.pool("pool1")
        self.layers.append(nn.ReLU())
        self.conv("conv2", 20, kernel=5)
        if options.extra_conv:
            self.layers.append(nn.ReLU())
            self.conv("conv3", 20, kernel=3, padding=1)
        if self.kept("dropout2d"):
            self.layers.append(nn.Dropout2d(options.dropout))
        self.pool("pool2")
        self.layers += [nn.ReLU(), nn.Flatten()]
        width = self.channels * self.size**2
        if self.kept("dense"):
            units = self.scaled(50)
            self.layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        if self.kept("dropout"):
            self.layers.append(nn.Dropout(options.dropout))
        self.layers.append(nn.Linear(width, self.shape.classes))
        return nn.Sequential(*self.layers)

    def kept(self, layer: Layer) -> bool:
        return self.options.leave_out != layer

    def scaled(self, count: int) -> int:
        return max(1, round(count * self.options.width))

    def conv(self, name: str, features: int, kernel: int, padding: int = 0) -> None:
        if name == self.options.leave_out:
            return
        features = self.scaled(features)
        self.size = conv_size(self.size, kernel, 1, padding, name)
        self.layers.append(nn.Conv2d(self.channels, features, kernel, padding=padding))
        self.channels = features

    def after_first(self) -> None:
        norm, drop = nn.BatchNorm2d(self.channels), nn.Dropout(self.options.dropout)
        following: dict[AfterFirst, list[nn.Module]] = {
            "nothing": [],
            "batch-norm": [norm],
            "batch-norm-dropout": [norm, drop],
            "dropout-batch-norm": [drop, norm],
        }
        self.layers += following[self.options.after_first]

    def pool(self, name: Layer) -> None:
        if self.kept(name):
            self.size = pool_size(self.size, name)
            self.layers.append(nn.MaxPool2d(2))
