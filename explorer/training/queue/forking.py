"""Forks: going on from an epoch of a run with other settings."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from explorer.errors import ConfigError, RunError
from explorer.files import link_or_copy
from explorer.store import runs
from explorer.store.checkpoints import load_checkpoint
from explorer.store.losses import inherited
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.queue.keeping import SPLITS
from explorer.training.queue.saved import write_tensors
from explorer.training.state import TrainingState

FIXED = ("dataset", "model", "options")
"""What the weights of the epoch belong to."""


def fork(run: Run, epoch: int, changes: Mapping[str, Any], name: str = "") -> Run:
    """Make a run that goes on from an epoch of another with other settings; it is not queued.

    It has copies of all that it needs, so the first run may be deleted. Its epochs go on counting, and its history
    begins with that of the first. Where the state of training of that epoch was kept and the optimizer is the same
    one, its momenta go on too, and a fork that changes nothing ends bit for bit where the first run ended.

    Parameters
    ----------
    run : Run
    epoch : int
        One whose weights are kept.
    changes : mapping
        Fields of `TrainConfig`.
    name : str
        For display; made from the first one's name by default.

    Raises
    ------
    ConfigError
        A setting is out of range, belongs to the weights, or leaves no epoch to train.
    RunError
        The epoch's weights are not kept, or the disk is full.
    """
    if not run.weights(epoch).is_file():
        kept = ", ".join(map(str, run.kept_epochs())) or "none"
        raise RunError(f"The weights of epoch {epoch} of run {run.id} are not kept; these are: {kept}.")
    config = _config(run, epoch, changes)
    parent = {"run": run.id, "epoch": epoch}
    made = runs.create(config.model_dump(mode="json"), name or f"{run.name[:100]}, from epoch {epoch}", parent=parent)
    try:
        _copy(run, made, epoch)
    except OSError as error:
        shutil.rmtree(made.path, ignore_errors=True)
        raise RunError(f"The fork cannot be saved ({error.strerror}). Free some disk space, then try again.") from None
    return made


def optimizer_kept(run: Run, epoch: int) -> bool:
    """Whether a fork of this epoch can go on with the optimizer as it was then."""
    return run.saved_state(epoch).is_file()


def begin_fork(run: Run, config: TrainConfig, state: TrainingState) -> bool:
    """Put a fresh state where a fork begins; False if the run is no fork.

    The event `fork` says whether the optimizer goes on or starts fresh.
    """
    parent = run.description["parent"]
    if "epoch" not in parent:
        return False
    state.epoch = epoch = int(parent["epoch"])
    restored = _restore(run, config, state)
    state.start_epoch()
    state.seconds = 0.0
    for line in run.epochs():
        if line["validation_accuracy"] > state.best_accuracy:
            state.best_accuracy, state.best_epoch = line["validation_accuracy"], line["epoch"]
    if config.patience and epoch - state.best_epoch >= config.patience:
        state.best_epoch = epoch  # a fork of a run that ended for lack of progress gets its patience anew
    run.append_event({"kind": "fork", **parent, "optimizer": "restored" if restored else "fresh"})
    return True


def _restore(run: Run, config: TrainConfig, state: TrainingState) -> bool:
    """Load the weights of the epoch, and the optimizer's state where it is kept and of use; say whether it was."""
    if not (run.path / "fork.pt").is_file():
        state.start_from(load_checkpoint(run.weights(state.epoch)))
        return False
    saved = torch.load(run.path / "fork.pt", map_location="cpu", weights_only=True)
    same_optimizer = saved.pop("optimizer_name") == config.optimizer
    if not same_optimizer:
        saved["optimizer"] = state.optimizer.state_dict()
    if saved["average"] is None:
        saved["average"] = saved["network"]
    elif not config.ema:
        saved["network"] = saved["average"]
    groups = state.optimizer.param_groups
    settings = [{key: value for key, value in group.items() if key != "params"} for group in groups]
    state.restore(saved | {"best_accuracy": -1.0, "best_epoch": 0})
    for group, fresh in zip(state.optimizer.param_groups, settings, strict=True):
        group.update(fresh)
    return bool(same_optimizer)


def _config(run: Run, epoch: int, changes: Mapping[str, Any]) -> TrainConfig:
    before = TrainConfig.parse(run.config)
    rates = [event for event in run.events() if event["kind"] == "learning_rate" and event["epoch"] <= epoch]
    inherited = {"initial": ""} | ({"learning_rate": rates[-1]["value"]} if rates else {})
    config = TrainConfig.parse(before.model_dump(mode="json") | inherited | dict(changes))
    for field in FIXED:
        if getattr(config, field) != getattr(before, field):
            raise ConfigError(
                f"Field {field!r} belongs to the weights, so a fork keeps it. To start from these weights with another "
                f"data set, train a new run with 'initial' set to {run.id}@{epoch}."
            )
    if config.epochs <= epoch:
        raise ConfigError(f"Field 'epochs' must be more than {epoch}, as the fork goes on from epoch {epoch}.")
    return config


def _copy(run: Run, made: Run, epoch: int) -> None:
    files = [run.weights(kept) for kept in run.kept_epochs() if kept <= epoch]
    files += [run.predictions(split, past) for past in run.predicted_epochs() if past <= epoch for split in SPLITS]
    files += [path for past in range(1, epoch + 1) if (path := run.saved_state(past)).is_file()]
    for path in files:
        _take(path, made.path / path.relative_to(run.path))
    if run.saved_state(epoch).is_file():
        saved = torch.load(run.saved_state(epoch), map_location="cpu", weights_only=True)
        write_tensors(made.path / "fork.pt", saved | {"optimizer_name": run.config["optimizer"]})
    for line in run.history():
        if line["epoch"] <= epoch:
            made.append_history(inherited(line, run.objective, made.objective))


def _take(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    link_or_copy(source, target)
