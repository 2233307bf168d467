"""Computing a run: the loop's records, written into the run's directory.

The order of writing makes every moment safe to be killed in: predictions and weights of an epoch first, then
the line of the history, then the state from which the run would go on, and the status last.
"""

import math
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from explorer import devices
from explorer.errors import ExplorerError, RunError
from explorer.files import replacing
from explorer.store.checkpoints import library_versions
from explorer.store.runs import Run, Status
from explorer.training.config import TrainConfig
from explorer.training.control import Control
from explorer.training.forking import begin_fork
from explorer.training.initial import initial_checkpoint
from explorer.training.interruption import Interruption
from explorer.training.keeping import best_epoch, curve, keep_state, metrics, save_epoch, tidy
from explorer.training.loop import train
from explorer.training.records import Cut, Done, Epoch, Record, Step
from explorer.training.state import TrainingState

STATUS_SECONDS = 0.2
STATE_SECONDS = 30.0
"""A killed run loses at most so much work, however long its epochs are."""

Listener = Callable[[Record], None]


def execute(run: Run, listen: Listener | None = None) -> Status:
    """Compute a run to its end in this process, from where its saved state stands.

    Parameters
    ----------
    run : Run
        New, stopped, interrupted or failed; a finished one is left as it is. A request to stop that is already
        there is honoured.
    listen : callable, optional
        Is handed every record, for a progress bar or a test.

    Returns
    -------
    Status
        `finished`, or `stopped` where somebody asked for it.

    Raises
    ------
    ExplorerError
        What went wrong; the status says the same, and the last good checkpoint is kept.
    KeyboardInterrupt
        Ctrl+C or SIGTERM, after the step at hand; the run is `stopped`.
    """
    with run.lock(), Interruption() as interruption:
        if run.status.state == "finished":
            return run.status
        execution = _Execution(run, interruption)
        try:
            execution.prepare()
            execution.follow(listen or (lambda _record: None))
        except KeyboardInterrupt:
            execution.note_stop()
            raise
        except ExplorerError as error:
            execution.fail(str(error))
            raise
        except Exception as error:
            message = explain(error)
            execution.fail(message)
            raise RunError(message) from error
        finally:
            run.clear_stop()
            run.requests.withdraw("finish")
    if interruption.noted and execution.status.state == "stopped":
        raise KeyboardInterrupt
    return execution.status


def explain(error: Exception) -> str:
    """Say in plain words what made a run fail."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "There was not enough memory. Choose a smaller batch size or model; the last good checkpoint is kept."
    if isinstance(error, OSError):
        return f"The run could not be saved ({error.strerror or text}). Free some disk space, then resume it."
    return f"The training stopped on an unexpected problem ({type(error).__name__}: {text[:200]})."


class _Execution:
    """The writer of one run."""

    def __init__(self, run: Run, interruption: Interruption) -> None:
        self.run, self.control = run, Control(run, interruption)
        self.status = run.status.model_copy(update={"state": "running", "message": "", "images_per_second": None})
        self.last_status = self.last_state = time.monotonic()
        self.rate_start: tuple[float, int] | None = None

    def prepare(self) -> None:
        """Load everything, up to but not including the first step."""
        self.run.write_status(self.status)
        self.run.discard_unfinished()
        config = TrainConfig.parse(self.run.config)
        self.config = config
        place = self._place()
        torch.set_num_threads(place["threads"])
        self.device = devices.resolve(place["device"])
        self.state = state = TrainingState(config, self.device)
        begun = self._restore() or begin_fork(self.run, config, state)
        if not begun and (checkpoint := initial_checkpoint(config)):
            state.start_from(checkpoint)
        self.run.truncate_history(state.epoch, state.step)
        self.epochs = self.run.epochs()
        control = self.control
        control.look_now()
        if not state.step:
            control.begin_epoch(state.epoch + 1)
        self.records: Iterator[Record] = train(
            config, state, cut=control.cut, rates=control.rates, finish=control.finish
        )
        self._update(epoch=state.epoch, epochs=config.epochs, step=state.step, seconds=state.seconds)
        self._update(device=devices.title(self.device), **self._best())
        self.run.write_status(self.status)

    def follow(self, listen: Listener) -> None:
        """Write down record after record until the run is over or asked to stop."""
        if self.control.stop():
            return self.stop()
        for record in self.records:
            match record:
                case Step():
                    self._on_step(record)
                case Cut():
                    self.control.note_cut(record)
                case Epoch():
                    self._on_epoch(record)
                case Done():
                    tidy(self.run, self.status.epoch, self.status.best_epoch, self.config.snapshots)
                    self._update(state="finished", reason=record.reason, step=0, steps=0, seconds=record.seconds)
                    self.run.write_status(self.status)
            listen(record)
            if isinstance(record, Step | Epoch) and self.control.stop():
                return self.stop()
        return None

    def stop(self) -> None:
        """Save the position and say that the run stands still."""
        self._save_state()
        self.note_stop()

    def note_stop(self) -> None:
        """Say that the run stands still."""
        self._update(state="stopped", images_per_second=None)
        self.run.write_status(self.status)

    def fail(self, message: str) -> None:
        """Say what happened, even where the disk is full and only a short file may still fit."""
        self._update(state="failed", message=message, images_per_second=None)
        try:
            self.run.write_status(self.status)
        except OSError:
            return

    def _on_step(self, step: Step) -> None:
        now = time.monotonic()
        if self.rate_start is None:
            self.rate_start = (now, 0)
            self._report(step, now)
            return
        self.rate_start = (self.rate_start[0], self.rate_start[1] + step.images)
        if now - self.last_status >= STATUS_SECONDS:
            self._report(step, now)
        if now - self.last_state >= STATE_SECONDS:
            self._save_state()

    def _report(self, step: Step, now: float) -> None:
        """Put a step into the status and the history."""
        started, images = self.rate_start or (now, 0)
        loss = _finite(step.loss.item())
        self._update(
            step=step.step,
            steps=step.steps,
            loss=loss,
            seconds=self.state.seconds,
            images_per_second=images / (now - started) if images else None,
        )
        self.run.write_status(self.status)
        line = {"kind": "step", "epoch": step.epoch, "step": step.step, "steps": step.steps}
        self.run.append_history(line | {"loss": loss, "learning_rate": step.learning_rate})
        self.last_status = now

    def _on_epoch(self, epoch: Epoch) -> None:
        save_epoch(self.run, self.config, self.state.evaluated, epoch)
        times = {"learning_rate": epoch.learning_rate, "train_seconds": epoch.train_seconds, "seconds": epoch.seconds}
        line = {"kind": "epoch", "epoch": epoch.epoch} | metrics(epoch) | times
        self.run.append_history(line)
        self.epochs.append(line)
        self._save_state()
        keep_state(self.run, epoch.epoch)
        before = self.status.best_epoch or 1
        self._update(epoch=epoch.epoch, step=0, seconds=epoch.seconds, **self._best())
        self.run.write_status(self.status)
        best = self.status.best_epoch
        tidy(self.run, epoch.epoch, best, self.config.snapshots, since=min(before, epoch.epoch - 1))
        self.control.begin_epoch(epoch.epoch + 1)
        self.rate_start = None

    def _save_state(self) -> None:
        with replacing(self.run.state_file) as temporary:
            try:
                torch.save(self.state.tensors(), temporary)
            except RuntimeError as error:  # what PyTorch's own writer makes of a full disk
                raise OSError("the disk may be full") from error
        self.last_state = time.monotonic()

    def _restore(self) -> bool:
        """Go back to the saved state, if there is one."""
        if not self.run.state_file.exists():
            return False
        try:
            self.state.restore(torch.load(self.run.state_file, map_location="cpu", weights_only=True))
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError):
            raise RunError(
                f"The saved state of run {self.run.id} is damaged, so it cannot go on. Its checkpoints are kept; "
                "start a new run with the same configuration."
            ) from None
        return True

    def _best(self) -> dict[str, Any]:
        """Return what the status says of the epochs so far."""
        best = best_epoch(self.epochs)
        accuracies = [line["validation_accuracy"] for line in self.epochs]
        return {"best_epoch": best, "best_accuracy": max(accuracies, default=None), "curve": curve(self.epochs)}

    def _place(self) -> dict[str, Any]:
        """Return device and threads: those that the run began with, so that it ends with the same bits."""
        starts = [event for event in self.run.events() if event["kind"] == "start"]
        if starts:
            return starts[0]
        device = devices.resolve(self.config.device).type
        start = {"kind": "start", "device": device, "threads": self.config.threads or devices.cores()}
        self.run.append_event(start | {"versions": library_versions()})
        return start

    def _update(self, **changes: Any) -> None:
        self.status = self.status.model_copy(update=changes)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
