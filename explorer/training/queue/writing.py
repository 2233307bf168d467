"""The writer of one run: what the loop reports, put into the run's directory.

The order of writing makes every moment safe to be killed in: predictions and weights of an epoch first, then
the line of the history, then the state from which the run would go on, and the status last.
"""

import math
import time
from collections.abc import Callable
from typing import Any, Protocol

from explorer.store.runs import Run
from explorer.store.status import DIVERGED
from explorer.training import tracking
from explorer.training.config import TrainConfig
from explorer.training.queue.keeping import best_epoch, curve, keep_state, metrics, save_epoch, tidy
from explorer.training.records import Done, Epoch, Step
from explorer.training.tracking import Tracker, trackers_for

STATUS_SECONDS = 0.2


class WrittenState(tracking.TrackedState, Protocol):
    """What the writer must know of a state: where it stands, and its networks."""

    @property
    def seconds(self) -> float:
        """Time spent on the run."""
        ...


class RunWriter:
    """Keeps status, history, weights and predictions of one run up to date, and tells its trackers."""

    def __init__(self, run: Run) -> None:
        self.run = run
        begun = {"state": "running", "reason": "", "message": "", "images_per_second": None}
        self.status = run.status.model_copy(update=begun)
        self.trackers: list[Tracker] = []
        self.last_status = time.monotonic()
        self.rate_start: tuple[float, int] | None = None

    def begin(self) -> None:
        """Say that the run is being computed, and remove what a killed process left half written."""
        self.run.write_status(self.status)
        self.run.discard_unfinished()

    def position(self, config: TrainConfig, state: WrittenState, device: str) -> None:
        """Let the files say what the state says, before the first step."""
        self.config = config
        self.run.truncate_history(state.epoch, state.step)
        self.epochs = self.run.epochs()
        self.update(epoch=state.epoch, epochs=config.epochs, step=state.step, seconds=state.seconds)
        parameters = sum(one.numel() for one in state.network.parameters())
        self.update(device=device, parameters=parameters, **self._best())
        self.run.write_status(self.status)
        self.trackers = trackers_for(self.run, config, state)

    def on_step(self, step: Step, seconds: float, seed: int | None = None) -> None:
        """Report a step now and then, of several seeds that of one; reading its losses waits for the device."""
        now = time.monotonic()
        started, images = self.rate_start or (now, -step.images)
        self.rate_start = (started, images + step.images)
        if images < 0 or now - self.last_status >= STATUS_SECONDS:
            self._report(step, seed, seconds, now)

    def on_epoch(self, epoch: Epoch, state: WrittenState, save_state: Callable[[], None], kept: bool = True) -> None:
        """Keep everything about an epoch; `kept` says whether `save_state` writes the run's own `state.pt`."""
        for tracker in self.trackers:
            tracker.on_epoch(epoch, state)
        save_epoch(self.run, self.config, state.evaluated, epoch)
        times = {"learning_rate": epoch.learning_rate, "train_seconds": epoch.train_seconds, "seconds": epoch.seconds}
        line = {"kind": "epoch", "epoch": epoch.epoch} | metrics(epoch) | times
        self.run.append_history(line)
        self.epochs.append(line)
        save_state()
        if kept:
            keep_state(self.run, epoch.epoch)
        before = self.status.best_epoch or 1
        self.update(epoch=epoch.epoch, step=0, seconds=epoch.seconds, **self._best())
        self.run.write_status(self.status)
        best = self.status.best_epoch
        tidy(self.run, epoch.epoch, best, self.config.snapshots, since=min(before, epoch.epoch - 1))
        self.rate_start = None

    def on_done(self, done: Done) -> None:
        """Say that the run is finished."""
        tidy(self.run, self.status.epoch, self.status.best_epoch, self.config.snapshots)
        self.update(state="finished", reason=done.reason, step=0, steps=0, seconds=done.seconds)
        self.run.write_status(self.status)

    def stop(self) -> None:
        """Say that the run stands still."""
        self.update(state="stopped", images_per_second=None)
        self.run.write_status(self.status)

    def fail(self, message: str, diverged: bool = False) -> None:
        """Say what happened, even where the disk is full."""
        self.update(state="failed", reason=DIVERGED * diverged, message=message, images_per_second=None)
        self.run.write_status(self.status, last=True)

    def close(self) -> None:
        """Withdraw what was asked of the run, and end its trackers."""
        self.run.clear_stop()
        self.run.requests.withdraw("finish")
        for tracker in self.trackers:
            tracker.close()

    def update(self, **changes: Any) -> None:
        """Change the status in memory."""
        self.status = self.status.model_copy(update=changes)

    def _report(self, step: Step, seed: int | None, seconds: float, now: float) -> None:
        started, images = self.rate_start or (now, 0)
        found = {"loss": step.loss} | ({} if step.objective is None else {"objective": step.objective})
        values = {name: (one if seed is None else one[seed]).item() for name, one in found.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        rate = images / (now - started) if images else None
        self.update(step=step.step, steps=step.steps, loss=finite["loss"], seconds=seconds, images_per_second=rate)
        self.run.write_status(self.status)
        line = {"kind": "step", "epoch": step.epoch, "step": step.step, "steps": step.steps}
        self.run.append_history(line | finite | {"learning_rate": step.learning_rate})
        for tracker in self.trackers:
            tracker.on_step(step, values["loss"])
        self.last_status = now

    def _best(self) -> dict[str, Any]:
        """Return what the status says of the epochs so far."""
        accuracies = [line["validation_accuracy"] for line in self.epochs]
        best = {"best_epoch": best_epoch(self.epochs), "best_accuracy": max(accuracies, default=None)}
        return best | {"curve": curve(self.epochs)}
