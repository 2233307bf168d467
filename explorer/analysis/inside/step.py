"""A step that an image takes through a network, and how steps follow each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from explorer.errors import ConfigError

Role = Literal["weights", "norm", "activation", "pool", "other"]
Stage = Literal["before", "after", ""]

TRANSPARENT = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d")
"""Layers that change nothing while a network is evaluated."""


@dataclass(frozen=True)
class Step:
    """One call of one layer.

    Attributes
    ----------
    number : int
        Its place among the steps, from 0.
    name : str
        The layer's name, as in the names of its weights.
    call : int
        How often the same layer was used before in this pass.
    kind : str
        What it is, in words.
    function : str
        Its type, such as 'ReLU'.
    role : {'weights', 'norm', 'activation', 'pool', 'other'}
    stage : {'before', 'after', ''}
        Whether an activation function follows, or it is one; empty where neither holds.
    shape : tuple of int
        Of what it returns for one image: (maps, height, width) or (units,).
    given : tuple of int
        Shape of what it is given for one image.
    source : int or None
        The step whose output it is given, unchanged; None where something else was computed in between.
    """

    number: int
    name: str
    call: int
    kind: str
    function: str
    role: Role
    stage: Stage
    shape: tuple[int, ...]
    given: tuple[int, ...]
    source: int | None

    @property
    def key(self) -> str:
        """What tells it from all others, also in a link: its name, with a number where it is used again."""
        return f"{self.name}#{self.call + 1}" if self.call else self.name

    @property
    def label(self) -> str:
        """What it is, for people, in a few words: `convolution 5x5, 32 maps (0)`."""
        return f"{self.kind} ({self.key})"

    @property
    def title(self) -> str:
        """What it is and returns: `convolution 5x5, 32 maps (0) → 32 × 24 × 24`."""
        return f"{self.label} → {size(self.shape)}"

    @property
    def units(self) -> int:
        """Number of its maps or units."""
        return self.shape[0] if self.shape else 0

    @property
    def has_maps(self) -> bool:
        """Whether it returns maps, not single numbers."""
        return len(self.shape) == 3


def size(shape: Iterable[int]) -> str:
    """Write a shape for people."""
    return " × ".join(f"{length:,}" for length in shape)


def chosen(known: Iterable[Step], key: str) -> Step:
    """Return the step with a key.

    Raises
    ------
    ConfigError
        There is none.
    """
    for step in known:
        if step.key == key:
            return step
    raise ConfigError(f"This network has no layer {key[:80]!r}. Choose one of those listed.")


def following(known: tuple[Step, ...], first: Step) -> tuple[Step, ...]:
    """Return the steps that treat each number of a step by itself, one after the other, until the activation.

    Normalisation, pooling and activation are followed, other layers end the chain; without an activation it ends
    before the pooling.
    """
    chain: list[Step] = []
    at = first
    while at.role != "activation":
        after = [one for one in known[at.number + 1 :] if one.source == at.number]
        after = [one for one in after if one.function not in TRANSPARENT]
        if len(after) != 1 or after[0].role not in ("norm", "pool", "activation"):
            break
        at = after[0]
        chain.append(at)
    while chain and chain[-1].role == "pool":
        chain.pop()
    return tuple(chain)


def hidden(known: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps whose numbers are the units of the hidden layers, in order.

    Of each layer with weights but the last that is its output after normalisation and activation, where these follow;
    to them come activations that take something else, such as a sum in a residual block.
    """
    weighted = [one for one in known if one.role == "weights"]
    ends = {(following(known, one) or (one,))[-1].number for one in weighted[:-1]}
    ends |= {one.number for one in known if one.role == "activation"}
    return tuple(one for one in known if one.number in ends and one.units)
