"""What a script is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from explorer.data import catalog
from explorer.data.catalog import DatasetSpec
from explorer.training.config import TrainConfig
from explorer.training.plan import BATCH_NORMS, Plan, input_shape, make_plan
from explorer.training.precision import resolve_precision
from explorer.training.records import Cut
from models.registry import build_meta

DROPOUTS = (nn.Dropout, nn.Dropout2d)


@dataclass(frozen=True)
class ScriptRecipe:
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
    """

    config: TrainConfig
    plan: Plan
    network: nn.Module
    rates: Mapping[int, float]
    cut: Cut | None

    @property
    def spec(self) -> DatasetSpec:
        """The data set."""
        return catalog.get(self.config.dataset)

    def has(self, *kinds: type[nn.Module]) -> bool:
        """Whether the network has a layer of these kinds."""
        return any(isinstance(layer, kinds) for layer in self.network.modules())

    @property
    def drops_out(self) -> bool:
        """Whether a step of the network draws random numbers."""
        return self.has(*DROPOUTS)

    @property
    def has_modes(self) -> bool:
        """Whether the network computes otherwise when it is evaluated."""
        return self.has(*DROPOUTS, *BATCH_NORMS)

    @property
    def alternates(self) -> bool:
        """Whether each image is mirrored in every second epoch."""
        return self.config.flip and self.config.flip_order == "alternating"

    @property
    def augments(self) -> bool:
        """Whether images are changed at random."""
        return bool(self.config.flip or self.config.shift or self.config.erase)

    @property
    def spares_biases(self) -> bool:
        """Whether weight decay leaves biases and normalisation alone."""
        return bool(self.config.weight_decay) and not self.config.decay_biases

    @property
    def pieces(self) -> bool:
        """Whether a batch passes through the network in pieces."""
        return max(end - start for start, end in pairwise(self.plan.bounds)) > self.plan.piece

    @property
    def ends_within(self) -> bool:
        """Whether the run was ended within an epoch."""
        return self.cut is not None and self.cut.step < self.plan.steps

    @property
    def black(self) -> str:
        """The value of a black pixel after normalisation, as an expression."""
        return f"-{self.spec.mean!r} / {self.spec.std!r}"

    @property
    def white(self) -> str:
        """The value of a white pixel after normalisation, as an expression."""
        return f"(1 - {self.spec.mean!r}) / {self.spec.std!r}"

    @property
    def device(self) -> str:
        """The device as an expression, empty where it is the CPU."""
        chosen = self.config.device
        return {"auto": "device", "cpu": ""}.get(chosen, f'"{chosen}"')

    @property
    def onto(self) -> str:
        """What moves a tensor to the device, empty where it is there already."""
        return f".to({self.device})" if self.device else ""


def make_recipe(config: TrainConfig, rates: Mapping[int, float], cut: Cut | None) -> ScriptRecipe:
    """Return the recipe for a run, or raise `ConfigError` where it cannot be trained."""
    plan = make_plan(config.model_copy(update={"initial": ""}))
    config = config.model_copy(update={"precision": resolve_precision(config)})
    return ScriptRecipe(config, plan, build_meta(config.model, config.options, input_shape(config)), rates, cut)
