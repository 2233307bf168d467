"""Everything that the runs of several seeds carry from one step to the next."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

import models
from explorer.data.splits import Split
from explorer.errors import ConfigError
from explorer.store.checkpoints import Checkpoint
from explorer.training.batches import CHUNK_IMAGES, Batches
from explorer.training.config import TrainConfig
from explorer.training.optimizers import make_optimizer
from explorer.training.plan import Plan, input_shape
from explorer.training.randomness import generator
from explorer.training.seeds.network import VectorisedNetwork
from explorer.training.state import TrainingState


class SeedsState(TrainingState):
    """Weights, optimizer and position of the runs of several seeds; what is saved to resume them.

    Attributes
    ----------
    seeds : tuple of int
    failures : list of str
        For each seed what went wrong; empty where all is well.
    network, average : VectorisedNetwork
    loss_sum, objective_sum, correct : Tensor, shape (K,)
        Running sums over the unfinished epoch.
    """

    network: VectorisedNetwork
    average: VectorisedNetwork | None

    def __init__(self, config: TrainConfig, seeds: Sequence[int], device: torch.device) -> None:
        configs = [with_seed(config, seed) for seed in seeds]
        if not configs:
            raise ConfigError("Give at least one seed.")
        self.seeds = tuple(one.seed for one in configs)
        self.failures = [""] * len(self.seeds)
        self.config = config
        super().__init__(config, device)
        network = VectorisedNetwork(cast(nn.Sequential, self.network), len(self.seeds))
        for index, one in enumerate(configs):
            network.load(index, TrainingState(one, device).network.state_dict())
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False) if config.ema else None
        self.optimizer = make_optimizer(config, network.parameters())

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Let all seeds begin with the weights of a checkpoint, which fit in their order."""
        weights = checkpoint.classifier().network.state_dict().values()
        named = dict(zip(self.network.single(0), weights, strict=True))
        for network in (self.network, self.average):
            for index in range(len(self.seeds) if network is not None else 0):
                cast(VectorisedNetwork, network).load(index, named)

    def start_epoch(self) -> None:
        """Begin the running sums anew."""
        super().start_epoch()
        self.loss_sum = self.loss_sum.repeat(len(self.seeds))
        self.objective_sum = self.loss_sum.clone()
        self.correct = self.correct.repeat(len(self.seeds))

    def _hits(self, logits: tuple[Tensor, ...], labels: tuple[Tensor, ...]) -> Tensor:
        every = torch.cat(logits, -1).transpose(1, 2).contiguous()
        return (every.argmax(2) == torch.cat(labels, -1)).sum(1)

    def seed(self, seed: int) -> "SeedPlace":
        """Return one seed's place in this state."""
        return SeedPlace(self, self.seeds.index(seed))

    def network_of(self, index: int) -> nn.Module:
        """Return an ordinary network, in evaluation mode, with the weights that are evaluated for one seed.

        Parameters
        ----------
        index : int
            The seed's position in `seeds`.
        """
        weights = cast(VectorisedNetwork, self.evaluated).single(index)
        network = models.build(self.config.model, self.config.options, input_shape(self.config))
        dtype = next(value.dtype for value in weights.values() if value.is_floating_point())
        network.to(self.device, dtype).to(memory_format=torch.channels_last).load_state_dict(weights)
        return network.eval()

    def tensors(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values, for `torch.save`."""
        return super().tensors() | {"seeds": list(self.seeds), "failures": list(self.failures)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over what `tensors` returned for as many seeds."""
        super().restore(saved)
        self.seeds, self.failures = tuple(saved["seeds"]), list(saved["failures"])


@dataclass
class SeedPlace:
    """One seed's place in the common state, as a writer wants to see it."""

    state: "SeedsState"
    index: int

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.state.epoch

    @property
    def step(self) -> int:
        """Steps done of the next."""
        return self.state.step

    @property
    def seconds(self) -> float:
        """Time spent on all seeds."""
        return self.state.seconds

    @property
    def network(self) -> nn.Module:
        """The network that is evaluated; that in training has no gradients of its own."""
        return self.evaluated

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and saved."""
        return self.state.network_of(self.index)


CHUNK_PIXELS = 4 * CHUNK_IMAGES
"""Images gathered at once; as bytes they take as much of the cache as `CHUNK_IMAGES` do as floats."""


class SeedBatches(Batches):
    """The batches of several seeds, each in its own order, from one copy of the training set."""

    def __init__(
        self, config: TrainConfig, seeds: Sequence[int], plan: Plan, split: Split, device: torch.device
    ) -> None:
        super().__init__(config, plan, split, device)
        self.singles = [copy.copy(self) for _ in seeds]
        for single, seed in zip(self.singles, seeds, strict=True):
            single.config = with_seed(config, seed)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images (B, K, C, H, W) float32, labels (B, K) int64) of an epoch, from step `first` on."""
        count, bounds, step = len(self.singles), self.plan.bounds, first
        orders = torch.stack(
            [
                torch.randperm(len(self.labels), generator=generator(single.config.seed, "order", epoch))
                for single in self.singles
            ]
        ).to(self.images.device)
        labels = self.labels[orders]
        while step < self.plan.steps:
            last = step + 1
            while last < self.plan.steps and count * (bounds[last + 1] - bounds[step]) <= CHUNK_PIXELS:
                last += 1
            chosen = orders[:, bounds[step] : bounds[last]]
            pixels = self.images.index_select(0, chosen.flatten()).view(count, -1, *self.shape)
            sizes = [bounds[number + 1] - bounds[number] for number in range(step, last)]
            parts = (pixels, labels[:, bounds[step] : bounds[last]], chosen)
            cut = zip(*(part.split(sizes, 1) for part in parts), strict=True)
            for number, (batch, truth, places) in enumerate(cut, start=step):
                images = batch.to(torch.float32, memory_format=torch.contiguous_format)
                images.mul_(self.scale).add_(self.black)
                yield self._augment(images, places, epoch, number).transpose(0, 1), truth.t()
            step = last

    def _augment(self, images: Tensor, places: Tensor, epoch: int, step: int) -> Tensor:
        if not (self.config.flip or self.config.shift or self.config.erase):
            return images
        parts = zip(self.singles, images, places, strict=True)
        return torch.stack([Batches._augment(single, part, chosen, epoch, step) for single, part, chosen in parts])


def with_seed(config: TrainConfig, seed: int) -> TrainConfig:
    """Return the configuration of one seed's single run, or raise `ConfigError` for a seed out of range."""
    return TrainConfig.parse(config.model_dump() | {"seed": seed})
