"""A LeNet-like network: two convolutions with pooling and one dense hidden layer."""

from typing import Annotated

from pydantic import Field
from torch import nn

from models.layers import Activation, Initialisation, Pooling, activation, conv_size, initialise, pool, pool_size
from models.registry import InputShape, Options, register

Units = Annotated[int, Field(ge=1, le=4096)]


class LenetOptions(Options):
    """Options of `lenet`."""

    features: tuple[Units, Units] = Field((32, 64), description="Feature maps of the first and second convolution.")
    dense: Units = Field(1024, description="Units of the dense layer before the output.")
    kernel: int = Field(5, ge=1, le=28, description="Side of the square convolution kernels, in pixels.")
    stride: int = Field(1, ge=1, le=4, description="Step of the kernels across the map, in pixels.")
    padding: int = Field(0, ge=0, le=14, description="Rows and columns of zeros added around each map.")
    pooling: Pooling = Field("max", description="How each 2x2 square of a map becomes one value.")
    activation: Activation = Field("relu", description="The function applied after each hidden layer.")
    dropout: float = Field(0.0, ge=0, le=1, description="Share of dense units switched off at random in each step.")
    initialisation: Initialisation = Field("default", description="How the weights are drawn before the first step.")


@register(
    "lenet",
    title="LeNet-like",
    summary="Two 5x5 convolutions with pooling and a wide dense layer, after LeCun et al. (1998).",
    options=LenetOptions,
)
def build(options: LenetOptions, shape: InputShape) -> nn.Module:
    """Convolution, activation and pooling twice, then dense, activation, output."""
    layers: list[nn.Module] = []
    channels, size = shape.channels, shape.size
    for number, features in enumerate(options.features, start=1):
        where = f"convolution {number}"
        size = conv_size(size, options.kernel, options.stride, options.padding, where)
        size = pool_size(size, where)
        layers += [
            nn.Conv2d(channels, features, options.kernel, options.stride, options.padding),
            activation(options.activation),
            pool(options.pooling),
        ]
        channels = features
    layers += [nn.Flatten(), nn.Linear(channels * size**2, options.dense), activation(options.activation)]
    if options.dropout:
        layers.append(nn.Dropout(options.dropout))
    layers.append(nn.Linear(options.dense, shape.classes))
    network = nn.Sequential(*layers)
    initialise(network, options.initialisation)
    return network
