"""Computing several seeds of one configuration at once, each into its own run's directory.

They begin, stand still and end together, and share one saved state; what is asked of one is asked of all. A run that
was deleted on the way is computed on but not written.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from torch import nn

from explorer import devices
from explorer.errors import ExplorerError, RunError
from explorer.store import batches
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.control import Control
from explorer.training.ensemble import SeedEpochs, SeedRecord, train_seeds
from explorer.training.execution import STATE_SECONDS, execute, explain, take_place
from explorer.training.initial import initial_checkpoint
from explorer.training.interruption import Interruption
from explorer.training.records import Cut, Done, Step
from explorer.training.saved import load_state, save_state
from explorer.training.stacked_state import EnsembleState
from explorer.training.writing import RunWriter


def compute(run: Run, listen: Callable[[object], None] | None = None) -> None:
    """Compute a run: alone, or together with the others of its batch.

    Raises
    ------
    ExplorerError, KeyboardInterrupt
        As `explorer.training.execution.execute`.
    """
    if batches.ids(run):
        execute_together(batches.members(run), listen)
    else:
        execute(run, listen)


def execute_together(members: Sequence[Run], listen: Callable[[object], None] | None = None) -> None:
    """Compute the runs of a batch to their end, from where their saved state stands.

    Parameters
    ----------
    members : sequence of Run
        Those that exist; finished ones are left as they are.
    listen : callable, optional
        Is handed every record of `explorer.training.ensemble.train_seeds`.

    Raises
    ------
    ExplorerError
        What went wrong for all of them; each status says the same.
    KeyboardInterrupt
        Ctrl+C or SIGTERM, after the step at hand; the runs are `stopped`.
    """
    with ExitStack() as stack:
        for run in members:
            stack.enter_context(run.lock())
        interruption = stack.enter_context(Interruption())
        unfinished = [run for run in members if run.status.state != "finished"]
        if not unfinished:
            return
        execution = _Together(unfinished, interruption)
        try:
            execution.prepare()
            execution.follow(listen or (lambda _record: None))
        except KeyboardInterrupt:
            execution.stop_writers()
            raise
        except ExplorerError as error:
            execution.fail(str(error))
            raise
        except Exception as error:
            message = explain(error)
            execution.fail(message)
            raise RunError(message) from error
        finally:
            for writer in execution.writers.values():
                writer.close()
    if interruption.noted and execution.stopped:
        raise KeyboardInterrupt


@dataclass
class _Seed:
    """One seed's place in the common state, as a writer wants to see it."""

    state: EnsembleState
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
    def __init__(self, members: Sequence[Run], interruption: Interruption) -> None:
        self.interruption = interruption
        self.runs = {run.config["seed"]: run for run in members}
        self.writers = {seed: RunWriter(run) for seed, run in self.runs.items()}
        self.first = members[0]
        self.last_state = time.monotonic()
        self.stopped = False

    def prepare(self) -> None:
        """Load everything, up to but not including the first step."""
        for writer in self.writers.values():
            writer.begin()
        self.controls = [Control(run, self.interruption) for run in self.runs.values()]
        config = TrainConfig.parse(self.first.config)
        device = take_place(self.first, config)
        seeds = self.first.description["group"]["seeds"]
        self.state = state = EnsembleState(config, seeds, device)
        begun = load_state(batches.state_file(self.first), state, self.first.id)
        if not begun and (checkpoint := initial_checkpoint(config)):
            state.start_from(checkpoint)
        for control in self.controls:
            control.look_now()
        cut = next((control.cut for control in self.controls if control.cut), None)
        self.records = train_seeds(config, state.seeds, state, cut=cut, finish=self._finish)
        self.seeds = {seed: _Seed(state, state.seeds.index(seed)) for seed in self.writers}
        for seed, writer in self.writers.items():
            writer.position(config.model_copy(update={"seed": seed}), self.seeds[seed], devices.title(device))

    def follow(self, listen: Callable[[object], None]) -> None:
        """Write down record after record until the runs are over or asked to stop."""
        if self._stop():
            return self.stop()
        for record in self.records:
            self._write(record)
            listen(record)
            if isinstance(record, Step | SeedEpochs) and self._stop():
                return self.stop()
        return None

    def stop(self) -> None:
        """Save the position and say that the runs stand still."""
        self._save_state()
        self.stop_writers()

    def stop_writers(self) -> None:
        """Say that the runs stand still."""
        self.stopped = True
        for writer in self._going():
            writer.stop()

    def fail(self, message: str) -> None:
        """Say what went wrong for all that have not failed before."""
        for writer in self._going():
            writer.fail(message)

    def _write(self, record: SeedRecord) -> None:
        match record:
            case Step():
                for seed, writer in self.writers.items():
                    if writer.status.state == "running":
                        loss = record.loss[self.seeds[seed].index]
                        writer.on_step(record, loss.item, self.state.seconds)
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
                writer.fail(record.failures[index])

    def _save_state(self) -> None:
        path = batches.state_file(self.first)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_state(path, self.state)
        self.last_state = time.monotonic()

    def _going(self) -> list[RunWriter]:
        return [writer for writer in self.writers.values() if writer.status.state == "running"]

    def _stop(self) -> bool:
        return any(control.stop() for control in self.controls)

    def _finish(self) -> bool:
        return any(control.finish() for control in self.controls)
