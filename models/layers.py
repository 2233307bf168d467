"""Parts that several architectures share: activations, initialisation and the size of a feature map."""

from typing import Literal, get_args

from torch import nn

from explorer.errors import ConfigError

Activation = Literal["relu", "leaky-relu", "elu", "gelu", "silu", "tanh", "sigmoid", "softplus", "identity"]
Initialisation = Literal["default", "xavier", "he", "normal", "zeros"]
Pooling = Literal["max", "average"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}
assert set(_ACTIVATIONS) == set(get_args(Activation))


def activation(name: Activation) -> nn.Module:
    """Return a new module for the activation function `name`."""
    return _ACTIVATIONS[name]()


def pool(kind: Pooling) -> nn.Module:
    """Return 2x2 pooling with stride 2."""
    return nn.MaxPool2d(2) if kind == "max" else nn.AvgPool2d(2)


def initialise(module: nn.Module, scheme: Initialisation) -> None:
    """Initialise the weights of all linear and convolution layers in place; biases become zero.

    `default` leaves PyTorch's own initialisation. `xavier` is Glorot and Bengio (2010), `he` is He et al.
    (2015), both in their uniform form; `normal` has standard deviation 0.01.
    """
    if scheme == "default":
        return
    for layer in module.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        if scheme == "xavier":
            nn.init.xavier_uniform_(layer.weight)
        elif scheme == "he":
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
        elif scheme == "normal":
            nn.init.normal_(layer.weight, std=0.01)
        else:
            nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def conv_size(size: int, kernel: int, stride: int, padding: int, where: str) -> int:
    """Return the side of the map after a convolution.

    Raises
    ------
    ConfigError
        The kernel is larger than the padded map; the message names the option.
    """
    if kernel > size + 2 * padding:
        raise ConfigError(
            f"Option 'kernel' = {kernel} is larger than the {size}x{size} map (padding {padding}) at {where}. "
            "Choose a smaller kernel or stride, or more padding."
        )
    return (size + 2 * padding - kernel) // stride + 1


def pool_size(size: int, where: str) -> int:
    """Return the side of the map after 2x2 pooling, or raise `ConfigError` when nothing would be left."""
    if size < 2:
        raise ConfigError(
            f"The map is only {size}x{size} before the pooling at {where}, too small for 2x2. "
            "Choose a smaller 'kernel' or 'stride', or more 'padding'."
        )
    return size // 2
