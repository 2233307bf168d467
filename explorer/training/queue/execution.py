"""Computing a run in this process: the loop's records, handed to the run's writer until it is over or told to stop."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from explorer import devices
from explorer.errors import DivergedError, ExplorerError, RunError
from explorer.store.checkpoints import library_versions
from explorer.store.runs import Run, Status
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.loop import train
from explorer.training.precision import resolve_precision
from explorer.training.queue.control import Control, Interruption
from explorer.training.queue.forking import begin_fork
from explorer.training.queue.keeping import kept
from explorer.training.queue.saved import load_state, save_state
from explorer.training.queue.writing import RunWriter
from explorer.training.records import Cut, Done, Epoch, Record, SeedEpochs, Step
from explorer.training.state import TrainingState
from explorer.training.threads import choose_threads

STATE_SECONDS = 30.0
"""A killed run loses at most so much work, however long its epochs are."""

Listener = Callable[[Record], None]
Clock = Callable[[], float]
Work = Generator[float, None, None]
"""Computing in pieces; yields the progress in epochs after each."""


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
        What went wrong; the status says the same, and the checkpoints of complete epochs are kept.
    KeyboardInterrupt
        Ctrl+C or SIGTERM, after the step at hand; the run is `stopped`.
    """
    with Interruption() as interruption:
        for _progress in computing(run, interruption, listen):
            pass
    status = run.status
    if interruption.noted and status.state == "stopped":
        raise KeyboardInterrupt
    return status


def computing(
    run: Run, interruption: Interruption, listen: Listener | None = None, clock: Clock = time.perf_counter
) -> Work:
    """Compute a run as `execute` does, and yield its progress in epochs after every record.

    It may be left alone between records; closing it stops the run where it stands.
    """
    with run.lock():
        if run.status.state == "finished":
            return
        execution = _Execution(run, interruption, clock)
        writer = execution.writer
        with reporting([writer]):
            execution.prepare()
            yield from execution.follow(listen or (lambda _record: None))


@contextmanager
def reporting(writers: Sequence[RunWriter]) -> Iterator[None]:
    """Put into the status of runs what goes wrong in the block, and close their writers at its end.

    Raises
    ------
    RunError
        In place of an error that is not meant for users.
    """
    going = [writer for writer in writers if writer.status.state == "running"]
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        for writer in going:
            writer.stop()
        raise
    except Exception as error:
        message = explain(error, min((writer.status.epoch for writer in going), default=0))
        for writer in going:
            writer.fail(message, diverged=isinstance(error, DivergedError))
        if message == str(error):
            raise
        raise RunError(message) from error
    finally:
        for writer in writers:
            writer.close()


def explain(error: Exception, epoch: int = 0) -> str:
    """Say in plain words what made a run fail after so many complete epochs."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return f"There was not enough memory. Choose a smaller batch size or model. {kept(epoch)}"
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError):
        return f"The run could not be saved ({cause.strerror or text}). Free some disk space, then resume it."
    if isinstance(error, ExplorerError):
        return text
    return f"The training stopped on an unexpected problem ({type(error).__name__}: {text[:200]})."


def progress(record: Step | Epoch | SeedEpochs) -> float:
    """Return how many epochs are done."""
    return record.epoch - 1 + record.step / record.steps if isinstance(record, Step) else float(record.epoch)


def take_place(run: Run, config: TrainConfig, seeds: int = 1) -> tuple[TrainConfig, torch.device]:
    """Set the threads and return the configuration with its precision resolved, and the device.

    They are those that the run began with, so that it ends with the same bits.
    """
    place = _place(run, config, seeds)
    torch.set_num_threads(place["threads"])
    precision = place.get("precision", config.precision)
    return config.model_copy(update={"precision": precision}), devices.resolve(place["device"])


def _place(run: Run, config: TrainConfig, seeds: int) -> dict[str, Any]:
    starts = [event for event in run.events() if event["kind"] == "start"]
    if starts:
        return starts[0]
    device = devices.resolve(config.device).type
    threads = choose_threads(config, seeds)
    torch.set_num_threads(threads)
    start = {"kind": "start", "device": device, "threads": threads, "precision": resolve_precision(config)}
    run.append_event(start | {"versions": library_versions()})
    return start


class _Execution:
    def __init__(self, run: Run, interruption: Interruption, clock: Clock) -> None:
        self.run, self.interruption, self.writer, self.clock = run, interruption, RunWriter(run), clock
        self.last_state = time.monotonic()

    def prepare(self) -> None:
        """Load everything, up to but not including the first step."""
        self.writer.begin()
        self.control = control = Control(self.run, self.interruption)
        config, device = take_place(self.run, TrainConfig.parse(self.run.config))
        self.state = state = TrainingState(config, device)
        begun = load_state(self.run.state_file, state, self.run.id) or begin_fork(self.run, config, state)
        if not begun and (checkpoint := initial_checkpoint(config)):
            state.start_from(checkpoint)
        control.look_now()
        if not state.step:
            control.begin_epoch(state.epoch + 1)
        self.records = train(
            config, state, cut=control.cut, rates=control.rates, finish=control.finish, clock=self.clock
        )
        self.writer.position(config, state, devices.title(device))

    def follow(self, listen: Listener) -> Iterator[float]:
        """Write down record after record until the run is over or asked to stop."""
        if self.control.stop():
            return self.stop()
        for record in self.records:
            match record:
                case Step():
                    self.writer.on_step(record, self.state.seconds)
                    if time.monotonic() - self.last_state >= STATE_SECONDS:
                        self.save_state()
                case Cut():
                    self.control.note_cut(record)
                case Epoch():
                    self.writer.on_epoch(record, self.state, self.save_state)
                    self.control.begin_epoch(record.epoch + 1)
                case Done():
                    self.writer.on_done(record)
            listen(record)
            if isinstance(record, Step | Epoch):
                if self.control.stop():
                    return self.stop()
                yield progress(record)
        return None

    def stop(self) -> None:
        """Save the position and say that the run stands still."""
        self.save_state()
        self.writer.stop()

    def save_state(self) -> None:
        """Save the position."""
        save_state(self.run.state_file, self.state)
        self.last_state = time.monotonic()
