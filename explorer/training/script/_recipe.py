"""What a script is made from, and how exactly it is to follow the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from explorer.data import catalog
from explorer.data.catalog import DatasetSpec
from explorer.training.config import TrainConfig
from explorer.training.plan import BATCH_NORMS, Plan, input_shape, make_plan
from explorer.training.records import Cut
from models.registry import build_meta

DENSEST = 5
DROPOUTS = (nn.Dropout, nn.Dropout2d)


@dataclass(frozen=True)
class Recipe:
    """One configuration and what became of its run.

    Attributes
    ----------
    config : TrainConfig
    plan : Plan
        How the run cut its epochs into steps.
    network : nn.Module
        Without memory.
    rates : mapping
        Learning rates set while it ran, by the epoch from which they hold.
    cut : Cut or None
        Where the run was ended early.
    same_draws : bool
        Draw weights, batches, dropout and augmentation as the run did.
    same_split : bool
        Hold out the very images that the run held out.
    density : int
        From 0 on fewer lines for the same: see the properties.
    """

    config: TrainConfig
    plan: Plan
    network: nn.Module
    rates: Mapping[int, float]
    cut: Cut | None
    same_draws: bool = True
    same_split: bool = True
    density: int = 0

    @property
    def layer_a_line(self) -> bool:
        """Whether each layer has a line of its own."""
        return self.density == 0

    @property
    def lambdas(self) -> bool:
        """Whether functions of one expression are written as lambdas."""
        return self.density > 1

    @property
    def gaps(self) -> bool:
        """Whether there are blank lines and comments between the parts."""
        return self.density <= 2

    @property
    def stages(self) -> bool:
        """Whether each stage of the network has a line of its own."""
        return self.density <= 3

    @property
    def densest(self) -> bool:
        """Whether every line counts."""
        return self.density >= DENSEST

    @property
    def spec(self) -> DatasetSpec:
        """The data set."""
        return catalog.get(self.config.dataset)

    def has(self, kinds: tuple[type[nn.Module], ...]) -> bool:
        """Whether the network has a layer of these kinds."""
        return any(isinstance(layer, kinds) for layer in self.network.modules())

    @property
    def convolves(self) -> bool:
        """Whether the network has convolutions."""
        return self.has((nn.Conv2d,))

    @property
    def drops_out(self) -> bool:
        """Whether a step of the network draws random numbers."""
        return self.has(DROPOUTS)

    @property
    def has_modes(self) -> bool:
        """Whether the network computes otherwise when it is evaluated."""
        return self.has(DROPOUTS + BATCH_NORMS)

    @property
    def augments(self) -> bool:
        """Whether images are changed at random."""
        return bool(self.config.flip or self.config.shift or self.config.erase)

    @property
    def white(self) -> str:
        """The value of a white pixel after normalisation, as an expression."""
        return f"(1 - {self.spec.mean!r}) / {self.spec.std!r}"

    @property
    def longest(self) -> int:
        """Images of the largest batch."""
        return max(end - start for start, end in pairwise(self.plan.bounds))

    @property
    def pieces(self) -> bool:
        """Whether a batch passes through the network in pieces."""
        return self.longest > self.plan.piece

    @property
    def ends_within(self) -> bool:
        """Whether the run was ended within an epoch."""
        return self.cut is not None and self.cut.step < self.plan.steps

    @property
    def black(self) -> str:
        """The value of a black pixel after normalisation, as an expression."""
        return f"-{self.spec.mean!r} / {self.spec.std!r}"

    @property
    def device(self) -> str:
        """The device as an expression, empty where it is the CPU."""
        chosen = self.config.device
        return {"auto": "device", "cpu": ""}.get(chosen, f'"{chosen}"')

    @property
    def onto(self) -> str:
        """What moves a tensor to the device, empty where it is there already."""
        return f".to({self.device})" if self.device else ""


def make_recipe(config: TrainConfig, rates: Mapping[int, float], cut: Cut | None) -> Recipe:
    """Return the most comfortable recipe for a run, or raise `ConfigError` where it cannot be trained."""
    plan = make_plan(config.model_copy(update={"initial": ""}))
    return Recipe(config, plan, build_meta(config.model, config.options, input_shape(config)), rates, cut)
