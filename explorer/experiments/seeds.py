"""The same configuration with several seeds: a run each, computed at once where that is possible."""

import shutil
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.errors import ConfigError, RunError
from explorer.store import groups, runs
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.queue import supervisor
from explorer.training.seeds.loop import objection_to_vectorising

MAX_SEEDS = 20


@dataclass(frozen=True)
class Spread:
    """Mean and spread of one figure over seeds; `deviation` is the sample's, with n - 1, and 0 for a single seed."""

    n: int
    mean: float
    deviation: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return mean and spread of at least one value."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(len(values), statistics.fmean(values), deviation, min(values), max(values))


def siblings(run: Run) -> list[Run]:
    """Return the runs that were started with a run as seeds of one configuration, itself included, by their seeds.

    Those that are gone are left out; a run that was started alone is its only one.
    """
    ids = run.description["group"].get("repeats") or groups.ids(run)
    found = []
    for run_id in ids if isinstance(ids, list) and run.id in ids else [run.id]:
        try:
            found.append(runs.get(str(run_id)))
        except RunError:
            continue
    return found


def create(
    config: TrainConfig, count: int, name: str = "", group: Mapping[str, Any] | None = None, *, vectorised: bool = True
) -> list[Run]:
    """Make a run for each of `count` seeds, from the configuration's own on; they are not queued.

    Where the configuration allows it, they are one vectorised computation, else one after the other
    (`explorer.training.seeds.loop.objection_to_vectorising` says why). When something goes wrong, none is left behind.

    Parameters
    ----------
    config : TrainConfig
    count : int
        How many seeds, 1 to `MAX_SEEDS`.
    name : str
        For display, the seed is added to it.
    group : mapping, optional
        The comparison that the runs are a part of.
    vectorised : bool
        False has each computed alone even where they could be computed together.

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
    configs = [TrainConfig.parse(config.model_dump(mode="json") | {"seed": seed}) for seed in seeds]
    batched = vectorised and count > 1 and objection_to_vectorising(config, count) is None
    title = name or f"{config.model} on {config.dataset}"
    found: list[Run] = []
    try:
        for seed, one in zip(seeds, configs, strict=True):
            origin = dict(group or {}) | {"seed": seed, "seeds": seeds} if group or count > 1 else {}
            label = f"{title[: runs.MAX_NAME - 16]}, seed {seed}" if count > 1 else title
            found.append(runs.create(one.model_dump(mode="json"), label, group=origin))
        for run in found if count > 1 else ():
            run.set_group(run.description["group"] | {"repeats": [one.id for one in found]})
        if batched:
            groups.join(found)
    except (RunError, OSError) as error:
        remove(found)
        raise error if isinstance(error, RunError) else RunError(f"The runs cannot be saved: {error}.") from None
    return found


def remove(found: Iterable[Run]) -> None:
    """Delete runs that were made a moment ago and are not queued."""
    for run in found:
        shutil.rmtree(run.path, ignore_errors=True)


def submit(found: Sequence[Run]) -> None:
    """Queue runs that `create` made: once where they are computed together, else each.

    Raises
    ------
    RunError
        They cannot be queued.
    """
    for run in found[:1] if groups.ids(found[0]) else found:
        supervisor.submit(run)
