"""The same configuration with several seeds: a run each, computed at once where that is possible."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.errors import ConfigError
from explorer.store import batches, runs
from explorer.store.runs import Run
from explorer.training import supervisor
from explorer.training.config import TrainConfig
from explorer.training.ensemble import can_stack

MAX_SEEDS = 20


def create(config: TrainConfig, count: int, name: str = "", group: Mapping[str, Any] | None = None) -> list[Run]:
    """Make a run for each of `count` seeds, from the configuration's own on; they are not queued.

    Where the configuration allows it, they are computed together as one batched computation, else one after the
    other (`explorer.training.ensemble.can_stack` says why).

    Parameters
    ----------
    config : TrainConfig
    count : int
        How many seeds, 1 to `MAX_SEEDS`.
    name : str
        For display, the seed is added to it.
    group : mapping, optional
        The comparison that the runs are a part of.

    Raises
    ------
    ConfigError
        The number of seeds, or the configuration, is impossible.
    RunError
        The disk is full.
    """
    if not 1 <= count <= MAX_SEEDS:
        raise ConfigError(f"The number of seeds must be 1 to {MAX_SEEDS}, not {count}.")
    seeds = [config.seed + number for number in range(count)]
    title = name or f"{config.model} on {config.dataset}"
    found = []
    for seed in seeds:
        values = TrainConfig.parse(config.model_dump(mode="json") | {"seed": seed}).model_dump(mode="json")
        origin = dict(group or {}) | {"seed": seed, "seeds": seeds}
        label = f"{title[: runs.MAX_NAME - 16]}, seed {seed}" if count > 1 else title
        found.append(runs.create(values, label, group=origin))
    if count > 1 and can_stack(config, count) is None:
        batches.join(found)
    return found


def submit(found: Sequence[Run]) -> None:
    """Queue runs that `create` made: once where they are computed together, else each.

    Raises
    ------
    RunError
        They cannot be queued.
    """
    for run in found[:1] if batches.ids(found[0]) else found:
        supervisor.submit(run)
