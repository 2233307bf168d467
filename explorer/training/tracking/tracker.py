"""What a tracker is told of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn

    from explorer.training.records import Epoch, Step


class TrackedState(Protocol):
    """What trackers must know of a `TrainingState`, or of the state of one of several runs computed together."""

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        ...

    @property
    def step(self) -> int:
        """Steps done of the next."""
        ...

    @property
    def network(self) -> nn.Module:
        """The network being trained; its gradients are those of the last step, where they are kept."""
        ...

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated and saved."""
        ...


class Tracker(Protocol):
    """Is told of a run's progress. None of its methods raises an `Exception`."""

    def on_step(self, step: Step, loss: float) -> None:
        """Take note of a reported step and its loss; not every step is reported."""
        ...

    def on_epoch(self, epoch: Epoch, state: TrackedState) -> None:
        """Take note of an epoch, before the state is saved from which the run would go on.

        The gradients are still those of the last step.
        """
        ...

    def close(self) -> None:
        """End; the run is over or stands still."""
        ...
