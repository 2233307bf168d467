"""Trackers: what else is told about a run while it is computed.

TensorBoard events are written for every run; Weights & Biases only where it was asked for. Whatever goes wrong in a
tracker is logged and never reaches the run: its own records are what counts.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from explorer.errors import ConfigError, ExplorerError
from explorer.files import write_json
from explorer.store.runs import Run
from explorer.training.tracking.tracker import TrackedState, Tracker

if TYPE_CHECKING:
    from explorer.training.config import TrainConfig
    from explorer.training.records import Epoch, Step

__all__ = ["SERVICES", "TrackedState", "Tracker", "check", "choose", "chosen", "trackers_for"]

SERVICES = ("wandb",)
"""What `choose` may add to the events for TensorBoard."""

FILE = "tracking.json"
"""In the run's directory: the services, and how each is used, so that a resumed run goes on with them."""

_log = logging.getLogger(__name__)


def check(services: Sequence[str]) -> None:
    """See whether services can be used, before a run is made.

    Raises
    ------
    ConfigError
        There is no such service, its package is missing, or nobody is logged in.
    """
    from explorer.training.tracking import wandb

    for service in services:
        if service not in SERVICES:
            raise ConfigError(f"There is no tracking service {service[:40]!r}. Choose: {', '.join(SERVICES)}.")
        wandb.check(wandb.mode())


def choose(run: Run, services: Sequence[str]) -> None:
    """Note in a run's directory which services are told of it.

    Raises
    ------
    OSError
        It cannot be written.
    """
    from explorer.training.tracking import wandb

    if services:
        write_json(run.path / FILE, {service: {"mode": wandb.mode()} for service in dict.fromkeys(services)})


def chosen(run: Run) -> dict[str, dict[str, Any]]:
    """Return the services of a run, each with how it is used; a damaged note counts as none."""
    try:
        document = json.loads((run.path / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    known = document if isinstance(document, dict) else {}
    return {name: known[name] for name in SERVICES if isinstance(known.get(name), dict)}


def trackers_for(run: Run, config: TrainConfig, state: TrackedState) -> list[Tracker]:
    """Return the trackers of a run, which begins or goes on where its state stands.

    Nothing heavy is loaded before the end of the first epoch.
    """
    found: list[Tracker] = []
    if importlib.util.find_spec("tensorboard") is None:
        _log.warning("Run %s: TensorBoard is not installed, so no events are written for it.", run.id)
    else:
        from explorer.training.tracking.tensorboard import TensorBoardTracker

        found.append(_Careful(TensorBoardTracker(run, config, state), run, "TensorBoard events"))
    for service, settings in chosen(run).items():
        from explorer.training.tracking import wandb

        mode = str(settings.get("mode", "online"))
        try:
            wandb.check(mode)
        except ExplorerError as error:
            _log.warning("Run %s is not logged to %s: %s", run.id, service, error)
        else:
            found.append(_Careful(wandb.WandbTracker(run, config, mode), run, "Weights & Biases"))
    return found


class _Careful:
    """Keeps what goes wrong in a tracker away from the run: a full disk is tried again, anything else ends it."""

    def __init__(self, tracker: Tracker, run: Run, name: str) -> None:
        self.tracker, self.run, self.name = tracker, run, name
        self.failed = self.ended = False

    def on_step(self, step: Step, loss: float) -> None:
        self._call(self.tracker.on_step, step, loss)

    def on_epoch(self, epoch: Epoch, state: TrackedState) -> None:
        self._call(self.tracker.on_epoch, epoch, state)

    def close(self) -> None:
        self._call(self.tracker.close)

    def _call(self, method: Callable[..., None], *arguments: object) -> None:
        if self.ended:
            return
        try:
            method(*arguments)
        except Exception as error:
            self.ended = not isinstance(error, OSError)
            if self.ended or not self.failed:
                _log.warning("Run %s goes on without %s: %s: %s", self.run.id, self.name, type(error).__name__, error)
            self.failed = True
