"""Everything that the runs of several seeds carry from one step to the next."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

import models
from explorer.errors import ConfigError
from explorer.store.checkpoints import Checkpoint
from explorer.training.config import TrainConfig
from explorer.training.optimizers import make_optimizer
from explorer.training.plan import input_shape
from explorer.training.stacked import StackedNetwork
from explorer.training.stacked_batches import with_seed
from explorer.training.state import TrainingState


class EnsembleState(TrainingState):
    """Weights, optimizer and position of the runs of several seeds; what is saved to resume them.

    Attributes
    ----------
    seeds : tuple of int
    failures : list of str
        For each seed what went wrong; empty where all is well.
    network, average : StackedNetwork
    loss_sum, objective_sum, correct : Tensor, shape (K,)
        Running sums over the unfinished epoch.
    """

    network: StackedNetwork
    average: StackedNetwork | None

    def __init__(self, config: TrainConfig, seeds: Sequence[int], device: torch.device) -> None:
        configs = [with_seed(config, seed) for seed in seeds]
        if not configs:
            raise ConfigError("Give at least one seed.")
        self.seeds = tuple(one.seed for one in configs)
        self.failures = [""] * len(self.seeds)
        self.config = config
        super().__init__(config, device)
        network = StackedNetwork(cast(nn.Sequential, self.network), len(self.seeds))
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
                cast(StackedNetwork, network).load(index, named)

    def start_epoch(self) -> None:
        """Begin the running sums anew."""
        super().start_epoch()
        self.loss_sum = self.loss_sum.repeat(len(self.seeds))
        self.objective_sum = self.loss_sum.clone()
        self.correct = self.correct.repeat(len(self.seeds))

    def _hits(self, logits: tuple[Tensor, ...], labels: tuple[Tensor, ...]) -> Tensor:
        every = torch.cat(logits, -1).transpose(1, 2).contiguous()
        return (every.argmax(2) == torch.cat(labels, -1)).sum(1)

    def network_of(self, index: int) -> nn.Module:
        """Return an ordinary network, in evaluation mode, with the weights that are evaluated for one seed.

        Parameters
        ----------
        index : int
            The seed's position in `seeds`.
        """
        weights = cast(StackedNetwork, self.evaluated).single(index)
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
