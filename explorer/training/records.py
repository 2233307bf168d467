"""What the training loop reports. Whoever listens decides what to write, draw or count."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """One step is done.

    Attributes
    ----------
    epoch, step : int
        Both count from 1.
    steps : int
        Steps of a whole epoch.
    images : int
        Images in this step.
    loss : Tensor, shape ()
        Mean cross entropy of the batch in nats; left on its device, so that listening costs nothing until it is read.
    objective : Tensor, shape (), or None
        The mean of what is minimised; None where that is the cross entropy.
    """

    epoch: int
    step: int
    steps: int
    images: int
    loss: Tensor
    learning_rate: float
    objective: Tensor | None = None


@dataclass(frozen=True)
class Cut:
    """The time budget or the user ends the run within an epoch, after this step.

    To be noted before it takes effect.
    """

    epoch: int
    step: int
    reason: Literal["time", "user"] = field(default="time", compare=False)


@dataclass(frozen=True)
class Epoch:
    """An epoch is done and evaluated.

    Attributes
    ----------
    train_loss, train_accuracy : float
        Averages over the steps of the epoch, as the weights changed and with dropout and augmentation on; the loss is
        cross entropy in nats, whatever is minimised.
    validation_loss, validation_accuracy, test_accuracy : float
        Of the weights at its end (their average, where averaging is on); the loss is of the same kind.
    train_objective, validation_objective : float or None
        The same for what is minimised; None where that is the cross entropy.
    logits : dict of ndarray of float32, shape (N, C)
        For the splits `validation` and `test`.
    train_seconds : float
        Time of the steps alone.
    seconds : float
        Time from the first step of the run to here, evaluation included, interruptions not.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    test_accuracy: float
    learning_rate: float
    train_seconds: float
    seconds: float
    logits: dict[str, np.ndarray]
    train_objective: float | None = None
    validation_objective: float | None = None


@dataclass(frozen=True)
class SeedEpochs:
    """An epoch of all seeds is done and evaluated.

    Attributes
    ----------
    epoch : int
        Counts from 1.
    epochs : tuple of Epoch or None
        What each seed's single run would report, its times aside; None for a seed that has failed.
    failures : tuple of str
        For each seed what went wrong; empty where all is well.
    """

    epoch: int
    epochs: tuple[Epoch | None, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """The run is over: all epochs, the time budget, no progress for too long, or the user's wish."""

    reason: Literal["epochs", "time", "patience", "user"]
    epoch: int
    seconds: float


Record = Step | Cut | Epoch | Done
