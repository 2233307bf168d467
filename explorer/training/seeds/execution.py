"""Computing several seeds of one configuration at once, each into its own run's directory.

They begin, stand still and end together, and share one saved state; what is asked of one is asked of all. A run that
was deleted on the way is computed on but not written.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from torch import nn

from explorer import devices
from explorer.store import groups
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.queue.control import Control, Interruption
from explorer.training.queue.execution import STATE_SECONDS, Clock, Work, progress, reporting, take_place
from explorer.training.queue.saved import load_state, save_state
from explorer.training.queue.writing import RunWriter
from explorer.training.records import Cut, Done, SeedEpochs, Step
from explorer.training.seeds.loop import SeedRecord, train_seeds
from explorer.training.seeds.state import SeedsState


def computing_together(
    members: Sequence[Run],
    interruption: Interruption,
    listen: Callable[[object], None] | None = None,
    clock: Clock = time.perf_counter,
) -> Work:
    """Compute the runs of a batch, and yield their progress in epochs after every record.

    Parameters
    ----------
    members : sequence of Run
        Those that exist; finished ones are left as they are.
    interruption : Interruption
        Noted signals stop the runs after the step at hand.
    listen : callable, optional
        Is handed every record of `explorer.training.seeds.loop.train_seeds`.
    clock : callable, optional
        Returns seconds.

    Raises
    ------
    ExplorerError
        What went wrong for all of them; each status says the same.
    """
    with ExitStack() as stack:
        for run in members:
            stack.enter_context(run.lock())
        unfinished = [run for run in members if run.status.state != "finished"]
        if not unfinished:
            return
        execution = _Together(unfinished, interruption, clock)
        with reporting(list(execution.writers.values())):
            execution.prepare()
            yield from execution.follow(listen or (lambda _record: None))


@dataclass
class _Seed:
    """One seed's place in the common state, as a writer wants to see it."""

    state: SeedsState
    index: int

    @property
    def epoch(self) -> int:
        return self.state.epoch

    @property
    def step(self) -> int:
        return self.state.step

    @property
    def seconds(self) -> float:
        return self.state.seconds

    @property
    def network(self) -> nn.Module:
        return self.evaluated

    @property
    def evaluated(self) -> nn.Module:
        return self.state.network_of(self.index)


class _Together:
    def __init__(self, members: Sequence[Run], interruption: Interruption, clock: Clock) -> None:
        self.interruption, self.clock = interruption, clock
        self.runs = {run.config["seed"]: run for run in members}
        self.writers = {seed: RunWriter(run) for seed, run in self.runs.items()}
        self.first = members[0]
        self.last_state = time.monotonic()

    def prepare(self) -> None:
        """Load everything, up to but not including the first step."""
        for writer in self.writers.values():
            writer.begin()
        self.controls = [Control(run, self.interruption) for run in self.runs.values()]
        config = TrainConfig.parse(self.first.config)
        seeds = self.first.description["group"]["seeds"]
        config, device = take_place(self.first, config, len(seeds))
        self.state = state = SeedsState(config, seeds, device)
        begun = load_state(groups.state_file(self.first), state, self.first.id)
        if not begun and (checkpoint := initial_checkpoint(config)):
            state.start_from(checkpoint)
        for control in self.controls:
            control.look_now()
        cut = next((control.cut for control in self.controls if control.cut), None)
        self.records = train_seeds(config, state.seeds, state, cut=cut, finish=self._finish, clock=self.clock)
        self.seeds = {seed: _Seed(state, state.seeds.index(seed)) for seed in self.writers}
        for seed, writer in self.writers.items():
            writer.position(config.model_copy(update={"seed": seed}), self.seeds[seed], devices.title(device))

    def follow(self, listen: Callable[[object], None]) -> Iterator[float]:
        """Write down record after record until the runs are over or asked to stop."""
        if self._stop():
            return self.stop()
        for record in self.records:
            self._write(record)
            listen(record)
            if isinstance(record, Step | SeedEpochs):
                if self._stop():
                    return self.stop()
                yield progress(record)
        return None

    def stop(self) -> None:
        """Save the position and say that the runs stand still."""
        self._save_state()
        for writer in self._going():
            writer.stop()

    def _write(self, record: SeedRecord) -> None:
        match record:
            case Step():
                for seed, writer in self.writers.items():
                    if writer.status.state == "running":
                        writer.on_step(record, self.state.seconds, self.seeds[seed].index)
                if time.monotonic() - self.last_state >= STATE_SECONDS:
                    self._save_state()
            case Cut():
                for control in self.controls:
                    control.note_cut(record)
            case SeedEpochs():
                self._on_epochs(record)
                self._save_state()
            case Done():
                for writer in self._going():
                    writer.on_done(record)

    def _on_epochs(self, record: SeedEpochs) -> None:
        for seed, writer in self.writers.items():
            index = self.seeds[seed].index
            if epoch := record.epochs[index]:
                writer.on_epoch(epoch, self.seeds[seed], lambda: None, kept=False)
            elif writer.status.state == "running":
                writer.fail(record.failures[index], diverged=True)

    def _save_state(self) -> None:
        path = groups.state_file(self.first)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_state(path, self.state)
        self.last_state = time.monotonic()

    def _going(self) -> list[RunWriter]:
        return [writer for writer in self.writers.values() if writer.status.state == "running"]

    def _stop(self) -> bool:
        return any(control.stop() for control in self.controls)

    def _finish(self) -> bool:
        return any(control.finish() for control in self.controls)
