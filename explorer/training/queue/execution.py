"""Computing runs in this process: the loop's records, handed to their writers until they are over or told to stop."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from explorer import devices
from explorer.errors import DivergedError, ExplorerError, RunError
from explorer.store import groups
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
from explorer.training.queue.writing import RunWriter, WrittenState
from explorer.training.records import Cut, Done, Epoch, Record, SeedEpochs, Step
from explorer.training.seeds.loop import train_seeds
from explorer.training.seeds.state import SeedsState
from explorer.training.state import TrainingState
from explorer.training.threads import choose_threads

STATE_SECONDS = 30.0
"""A killed run loses at most so much work, however long its epochs are."""

Listener = Callable[[Any], None]
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

    With it come the runs of the other seeds that are computed together with it: they begin, stand still and end
    together, and share one saved state; what is asked of one is asked of all. One that was deleted on the way is
    computed on but not written. The work may be left alone between records; closing it stops the runs where they stand.
    """
    members = groups.members(run)
    with ExitStack() as stack:
        for member in members:
            stack.enter_context(member.lock())
        unfinished = [member for member in members if member.status.state != "finished"]
        if not unfinished:
            return
        execution = _Execution(unfinished, interruption, clock)
        with reporting(execution.writers):
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
    def __init__(self, members: Sequence[Run], interruption: Interruption, clock: Clock) -> None:
        self.members, self.interruption, self.clock = members, interruption, clock
        self.first, self.writers = members[0], [RunWriter(run) for run in members]
        self.last_state = time.monotonic()

    def prepare(self) -> None:
        """Load everything, up to but not including the first step."""
        for writer in self.writers:
            writer.begin()
        self.controls = [Control(run, self.interruption) for run in self.members]
        config, first = TrainConfig.parse(self.first.config), self.first
        seeds = first.description["group"]["seeds"] if groups.ids(first) else []
        place = _place(first, config, len(seeds) or 1)
        torch.set_num_threads(place["threads"])
        config = config.model_copy(update={"precision": place.get("precision", config.precision)})
        device = devices.resolve(place["device"])
        self.state = state = SeedsState(config, seeds, device) if seeds else TrainingState(config, device)
        self.state_file = groups.state_file(first) if seeds else first.state_file
        begun = load_state(self.state_file, state, first.id) or (not seeds and begin_fork(first, config, state))
        if not begun and (checkpoint := initial_checkpoint(config)):
            state.start_from(checkpoint)
        for control in self.controls:
            control.look_now()
            if not seeds and not state.step:
                control.begin_epoch(state.epoch + 1)
        self.records = self._train(config, state)
        configs = [config.model_copy(update={"seed": run.config.get("seed", config.seed)}) for run in self.members]
        self.places: list[WrittenState] = [
            state.seed(one.seed) if isinstance(state, SeedsState) else state for one in configs
        ]
        for one, writer, at in zip(configs, self.writers, self.places, strict=True):
            writer.position(one, at, devices.title(device))

    def _train(self, config: TrainConfig, state: TrainingState) -> Iterator[Record | SeedEpochs]:
        cut = next((control.cut for control in self.controls if control.cut), None)
        if isinstance(state, SeedsState):
            return train_seeds(config, state.seeds, state, cut=cut, finish=self._finish, clock=self.clock)
        return train(config, state, cut=cut, rates=self.controls[0].rates, finish=self._finish, clock=self.clock)

    def follow(self, listen: Listener) -> Iterator[float]:
        """Write down record after record until the runs are over or asked to stop."""
        if self._stop():
            return self.stop()
        for record in self.records:
            self._write(record)
            listen(record)
            if isinstance(record, Step | Epoch | SeedEpochs):
                if self._stop():
                    return self.stop()
                yield progress(record)
        return None

    def stop(self) -> None:
        """Save the position and say that the runs stand still."""
        self.save_state()
        for writer in self._going():
            writer.stop()

    def save_state(self) -> None:
        """Save the position."""
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        save_state(self.state_file, self.state)
        self.last_state = time.monotonic()

    def _write(self, record: Record | SeedEpochs) -> None:
        match record:
            case Step():
                for writer, place in zip(self.writers, self.places, strict=True):
                    if writer.status.state == "running":
                        writer.on_step(record, self.state.seconds, getattr(place, "index", None))
                if time.monotonic() - self.last_state >= STATE_SECONDS:
                    self.save_state()
            case Cut():
                for control in self.controls:
                    control.note_cut(record)
            case Epoch():
                self.writers[0].on_epoch(record, self.places[0], self.save_state)
                self.controls[0].begin_epoch(record.epoch + 1)
            case SeedEpochs():
                for writer, place in zip(self.writers, self.places, strict=True):
                    index = getattr(place, "index", 0)
                    if epoch := record.epochs[index]:
                        writer.on_epoch(epoch, place, lambda: None, kept=False)
                    elif writer.status.state == "running":
                        writer.fail(record.failures[index], diverged=True)
                self.save_state()
            case Done():
                for writer in self._going():
                    writer.on_done(record)

    def _going(self) -> list[RunWriter]:
        return [writer for writer in self.writers if writer.status.state == "running"]

    def _stop(self) -> bool:
        return any(control.stop() for control in self.controls)

    def _finish(self) -> bool:
        return any(control.finish() for control in self.controls)
