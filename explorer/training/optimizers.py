"""The optimizers (PyTorch's own) and the learning-rate schedules."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from explorer.training.config import TrainConfig

_FUSED = ("sgd", "momentum", "nesterov", "adam", "adamw", "adagrad")
"""Those for which PyTorch has one kernel for the whole step, on the CPU and on CUDA."""


def make_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimizer that the configuration names, with PyTorch's defaults for what it does not set."""
    optim = torch.optim
    classes: dict[str, type[torch.optim.Optimizer]] = {
        "sgd": optim.SGD,
        "momentum": optim.SGD,
        "nesterov": optim.SGD,
        "rmsprop": optim.RMSprop,
        "adam": optim.Adam,
        "adamw": optim.AdamW,
        "nadam": optim.NAdam,
        "adagrad": optim.Adagrad,
        "adadelta": optim.Adadelta,
        "adamax": optim.Adamax,
        "radam": optim.RAdam,
        "asgd": optim.ASGD,
        "rprop": optim.Rprop,
    }
    parameters = list(parameters)
    settings: dict[str, object] = {"lr": config.learning_rate}
    if config.optimizer != "rprop":
        settings["weight_decay"] = config.weight_decay
    if config.optimizer in ("momentum", "nesterov"):
        settings["momentum"] = config.momentum
        settings["nesterov"] = config.optimizer == "nesterov"
    if config.optimizer in _FUSED and parameters[0].device.type in ("cpu", "cuda"):
        settings["fused"] = True
    groups: list[dict[str, object]] = [{"params": parameters}]
    if config.weight_decay and not config.decay_biases:
        groups = [
            {"params": [one for one in parameters if one.ndim > 1]},
            {"params": [one for one in parameters if one.ndim < 2], "weight_decay": 0.0},
        ]
    return classes[config.optimizer](groups, **settings)  # type: ignore[arg-type]


def learning_rate(config: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0 over the whole run.

    Being a function of the step alone, it needs no state when a run is resumed. `step` and `cosine` change
    with the epoch, as `StepLR` and `CosineAnnealingLR` (Loshchilov and Hutter, 2017) do; `one-cycle` changes
    with every step as `OneCycleLR` (Smith and Topin, 2019) does with cosine annealing, from 1/25 of the rate
    up to it and down to 1/250,000 of it; momentum is left alone.
    """
    rate = config.learning_rate
    epoch = step // steps_per_epoch
    if config.schedule == "step":
        return rate * config.step_factor ** (epoch // config.step_epochs)
    if config.schedule == "cosine":
        return _anneal(rate, 0.0, epoch / config.epochs)
    if config.schedule == "one-cycle":
        total = config.epochs * steps_per_epoch
        peak = config.warmup * total - 1
        if step < peak:
            return _anneal(rate / 25, rate, step / peak)
        return _anneal(rate, rate / 25e4, (step - peak) / (total - 1 - peak))
    return rate


def _anneal(start: float, end: float, progress: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(1.0, progress)))
