"""A multilayer perceptron of any depth and width."""

from typing import Annotated

from pydantic import Field, field_validator
from torch import nn

from models.layers import Activation, Initialisation, activation, initialise
from models.registry import InputShape, Options, register

Units = Annotated[int, Field(ge=1, le=8192)]


class MlpOptions(Options):
    """Options of `mlp`."""

    hidden: tuple[Units, ...] = Field(
        (100,), max_length=32, description="Units of each hidden layer, first to last; none gives softmax regression."
    )
    activation: Activation = Field("relu", description="The function applied to every hidden unit.")
    dropout: float = Field(0.0, ge=0, le=1, description="Share of hidden units switched off at random in each step.")
    batch_norm: bool = Field(False, description="Normalise every hidden layer over the batch, before its activation.")
    initialisation: Initialisation = Field("default", description="How the weights are drawn before the first step.")

    @field_validator("hidden", mode="before")
    @classmethod
    def _one_layer(cls, value: object) -> object:
        """Let one number stand for one hidden layer."""
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


@register(
    "mlp",
    title="Multilayer perceptron",
    summary="Fully connected layers on the flattened image: quick to train, blind to neighbourhood.",
    options=MlpOptions,
)
def build(options: MlpOptions, shape: InputShape) -> nn.Module:
    """Flatten, then hidden layers (linear, batch norm, activation, dropout), then a linear output layer."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = shape.channels * shape.size**2
    for units in options.hidden:
        layers.append(nn.Linear(width, units))
        if options.batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers.append(activation(options.activation))
        if options.dropout:
            layers.append(nn.Dropout(options.dropout))
        width = units
    layers.append(nn.Linear(width, shape.classes))
    network = nn.Sequential(*layers)
    initialise(network, options.initialisation)
    return network
