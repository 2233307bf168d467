"""Everything that a run carries from one step to the next."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import models
from explorer.store.checkpoints import Checkpoint
from explorer.store.losses import objective
from explorer.training.config import TrainConfig
from explorer.training.optimizers import make_optimizer
from explorer.training.plan import input_shape
from explorer.training.randomness import seed_global

NUMBERS = ("epoch", "step", "updates", "seen", "seconds", "train_seconds", "best_accuracy", "best_epoch")
COUNTED_AT_ONCE = 256
"""Batches whose outputs wait to be compared with their labels, at most."""


class TrainingState:
    """Weights, optimizer and position of a run; what is saved to resume it.

    Attributes
    ----------
    network : nn.Module
        The network being trained, on its device.
    average : nn.Module or None
        The exponential moving average of its weights, where the configuration asks for one.
    objective : str
        What is minimised; empty where it is the cross entropy.
    epoch, step : int
        Epochs completed, and steps done of the next.
    best_accuracy, best_epoch : float, int
        The highest validation accuracy so far and the first epoch that had it; -1 and 0 before the first.
    loss_sum, objective_sum, correct, seen : Tensor, Tensor, Tensor, int
        Running sums over the unfinished epoch: of the cross entropy, and of what is minimised where that is another.
    seconds, train_seconds : float
        Time spent on the run, and on the steps of the unfinished epoch.
    """

    _correct: Tensor
    _uncounted: list[tuple[Tensor, Tensor]]

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        seed_global(torch.device("cpu"), config.seed, "weights")
        network = models.build(config.model, config.options, input_shape(config))
        self.network: nn.Module = network.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).requires_grad_(False) if config.ema else None
        self.optimizer = make_optimizer(config, self.network.parameters())
        self.device = device
        self.decay = config.ema
        self.objective = objective(vars(config))
        self.epoch = self.step = self.updates = 0
        self.seconds = self.train_seconds = 0.0
        self.best_accuracy, self.best_epoch = -1.0, 0
        self.start_epoch()

    def start_from(self, checkpoint: Checkpoint) -> None:
        """Take over the weights of a checkpoint, which fit in their order; the optimizer starts fresh."""
        weights = checkpoint.classifier().network.state_dict().values()
        for network in (self.network, self.average):
            if network is not None:
                network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))

    def start_epoch(self) -> None:
        """Begin the running sums anew."""
        self.step = self.seen = 0
        self.train_seconds = 0.0
        self.loss_sum = torch.zeros((), dtype=torch.float32 if self.device.type == "mps" else torch.float64).to(
            self.device
        )
        self.objective_sum = self.loss_sum.clone()
        self.correct = torch.zeros((), dtype=torch.int64, device=self.device)

    def note_predictions(self, logits: Tensor, labels: Tensor) -> None:
        """Have `correct` count a batch: logits (B, C) against labels (B,); of seeds at once (K, C, B) and (K, B)."""
        self._uncounted.append((logits, labels))
        if len(self._uncounted) >= COUNTED_AT_ONCE:
            self.correct = self.correct  # counts what waits

    @property
    def correct(self) -> Tensor:
        """Correct predictions so far; counted when asked for, which is quicker than at every step."""
        if self._uncounted:
            self._correct = self._correct + self._hits(*zip(*self._uncounted, strict=True))
            self._uncounted = []
        return self._correct

    @correct.setter
    def correct(self, value: Tensor) -> None:
        self._correct = value
        self._uncounted = []

    def _hits(self, logits: tuple[Tensor, ...], labels: tuple[Tensor, ...]) -> Tensor:
        return (torch.cat(logits).argmax(1) == torch.cat(labels)).sum()

    @property
    def minimised(self) -> Tensor:
        """The sum over the unfinished epoch of what is minimised."""
        return self.objective_sum if self.objective else self.loss_sum

    def note_accuracy(self, accuracy: float) -> None:
        """Take the validation accuracy of the epoch just completed into account."""
        if accuracy > self.best_accuracy:
            self.best_accuracy, self.best_epoch = accuracy, self.epoch

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and saved: the average, where there is one."""
        return self.network if self.average is None else self.average

    def update_average(self) -> None:
        """Move the average towards the weights.

        The decay grows as (1 + t) / (10 + t) with the number of updates until it reaches its value, so that
        the random initial weights are soon forgotten. Batch-norm statistics are averaged as well.
        """
        if self.average is None:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
            for mean, value in pairs:
                if mean.is_floating_point():
                    mean.lerp_(value, 1 - decay)
                else:
                    mean.copy_(value)

    def tensors(self) -> dict[str, Any]:
        """Return all of it as tensors and plain values, for `torch.save`."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "loss_sum": self.loss_sum,
            "objective_sum": self.objective_sum,
            "correct": self.correct,
        } | {name: getattr(self, name) for name in NUMBERS}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over what `tensors` returned."""
        self.network.load_state_dict(saved["network"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        for name in NUMBERS:
            setattr(self, name, saved[name])
        self.loss_sum = _onto(saved["loss_sum"], self.device)
        if "objective_sum" in saved:
            self.objective_sum = _onto(saved["objective_sum"], self.device)
        elif self.objective and self.seen:  # an earlier version summed up what is minimised, and that alone
            self.objective_sum, self.loss_sum = self.loss_sum, self.loss_sum * math.nan
        self.correct = _onto(saved["correct"], self.device)


def _onto(value: Tensor, device: torch.device) -> Tensor:
    return value.to(device).clone()
