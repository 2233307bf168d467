"""Duels: two configurations that differ in one setting, from the same seeds, computed side by side."""

import json
import math
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

import models
from explorer.errors import ConfigError, ExplorerError, RunError
from explorer.experiments import seeds
from explorer.files import write_json
from explorer.paths import home
from explorer.store import runs
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.plan import input_shape, make_plan
from explorer.training.queue import supervisor
from explorer.training.randomness import seed_global
from explorer.training.seeds.loop import objection_to_vectorising

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, second minus first, and how sure it is.

    Attributes
    ----------
    n : int
        Number of pairs.
    mean : float
    deviation : float or None
        Sample standard deviation of the differences; None for a single pair.
    low, high : float or None
        95% confidence interval of the mean; None for a single pair.
    """

    n: int
    mean: float
    deviation: float | None
    low: float | None
    high: float | None

    @property
    def is_distinguishable(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return the mean of `second - first` with Student's t interval for paired samples.

    Parameters
    ----------
    first, second : sequences of float, of equal length n >= 1
        The same measure of the same seeds.

    Notes
    -----
    Student (1908), "The probable error of a mean". It takes the differences to be roughly normal, which seeds of one
    configuration are.
    """
    differences = np.subtract(second, first, dtype=np.float64)
    n, mean = len(differences), float(differences.mean())
    if n == 1:
        return Difference(1, mean, None, None, None)
    from scipy.special import stdtrit

    deviation = float(differences.std(ddof=1))
    margin = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(n)
    return Difference(n, mean, deviation, mean - margin, mean + margin)


Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
DUEL_ID = re.compile(r"duel-[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
OPTION = "options."
NOT_COMPARED = ("dataset", "model", "options", "initial", "seed", "device", "threads", "snapshots", "epochs")
"""Settings in which the sides of a duel do not differ: they would not be about the same task, or not matter."""


@dataclass(frozen=True)
class Duel:
    """Two sides, a run for each seed.

    Attributes
    ----------
    id : str
    field : str
        The setting that differs; `options.<name>` for one of the model's.
    values : tuple
        Its value on side a and on side b.
    runs : dict
        For each side the ids of its runs, one a seed, in the same order.
    """

    id: str
    field: str
    values: tuple[Any, Any]
    runs: Mapping[Side, tuple[str, ...]]

    def side(self, side: Side) -> list[Run]:
        """Return the runs of a side that still exist."""
        found = []
        for run_id in self.runs[side]:
            try:
                found.append(runs.get(run_id))
            except RunError:
                continue
        return found

    def pairs(self) -> list[tuple[Run, Run]]:
        """Return the runs of both sides, seed by seed, where both still exist."""
        found = {run.id: run for side in SIDES for run in self.side(side)}
        pairs = zip(self.runs["a"], self.runs["b"], strict=True)
        return [(found[one], found[two]) for one, two in pairs if one in found and two in found]


@dataclass(frozen=True)
class StartingPoint:
    """What the two sides of a duel have in common before the first step."""

    same_weights: bool
    same_order: bool


def fields(config: TrainConfig) -> list[str]:
    """Return the settings in which the sides may differ, the model's options first."""
    options = [OPTION + name for name in models.get(config.model).options.model_fields]
    return options + [name for name in TrainConfig.model_fields if name not in NOT_COMPARED]


def value(config: TrainConfig, field: str) -> Any:
    """Return a setting of a configuration, by its name in `fields`."""
    if field.startswith(OPTION):
        return config.options[field.removeprefix(OPTION)]
    return config.model_dump(mode="json")[field]


def rival(config: TrainConfig, field: str, other: Any) -> TrainConfig:
    """Return the configuration with one setting changed.

    Raises
    ------
    ConfigError
        There is no such setting, the value is out of range or the same, or such a network cannot be trained.
    """
    if field not in fields(config):
        raise ConfigError(f"A duel cannot be about {field!r}. Choose one of: {', '.join(fields(config))}.")
    values = config.model_dump(mode="json")
    if field.startswith(OPTION):
        values["options"] = values["options"] | {field.removeprefix(OPTION): other}
    else:
        values[field] = other
    changed = TrainConfig.parse(values)
    if changed == config:
        raise ConfigError("Both sides of the duel are the same. Choose another value for the second one.")
    make_plan(changed)
    return changed


def starting_point(one: TrainConfig, two: TrainConfig) -> StartingPoint:
    """Compare the initial weights and the batches of two configurations with one seed."""
    same = bool(one.initial) and one.initial == two.initial
    if not same:
        weights = [_initial_weights(config) for config in (one, two)]
        same = len(weights[0]) == len(weights[1]) and all(map(torch.equal, *weights))
    order = (one.batch_size, one.subset) == (two.batch_size, two.subset)
    return StartingPoint(same, order and make_plan(one).bounds == make_plan(two).bounds)


_drawing = threading.Lock()
"""The weights are drawn from PyTorch's one global generator."""


def _initial_weights(config: TrainConfig) -> list[torch.Tensor]:
    """Return them in order; names count the layers, and one without weights, such as dropout, would shift them."""
    with _drawing:
        seed_global(torch.device("cpu"), config.seed, "weights")
        return list(models.build(config.model, config.options, input_shape(config)).state_dict().values())


def start(config: TrainConfig, field: str, other: Any, count: int = 1) -> Duel:
    """Make and queue the runs of a duel: `count` seeds of the configuration against as many with one setting changed.

    Both sides are computed by one process that lets the one that is behind take the next step, so their curves grow
    side by side.

    Raises
    ------
    ConfigError
        As `rival`; or the number of seeds is impossible.
    RunError
        The runs cannot be saved or queued.
    """
    sides = (config, rival(config, field, other))
    duel_id = f"duel-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    vectorised = 1 < count <= seeds.MAX_SEEDS and all(objection_to_vectorising(one, count) is None for one in sides)
    made: dict[Side, list[Run]] = {}
    try:
        for side, one in zip(SIDES, sides, strict=True):
            name = f"{field.removeprefix(OPTION)} {text(value(one, field))}"
            made[side] = seeds.create(one, count, name, {"id": duel_id, "side": side}, vectorised=vectorised)
        first = _note_rivals(made, vectorised)
        ids = {side: tuple(run.id for run in made[side]) for side in SIDES}
        found = Duel(duel_id, field, (value(sides[0], field), value(sides[1], field)), ids)
        write_json(folder() / f"{duel_id}.json", {"field": field, "values": found.values, "runs": found.runs})
    except (ExplorerError, OSError) as error:
        seeds.remove(run for side in made.values() for run in side)
        raise error if isinstance(error, ExplorerError) else RunError(f"The duel cannot be saved: {error}.") from None
    for run in first:
        supervisor.submit(run)
    return found


def _note_rivals(made: Mapping[Side, Sequence[Run]], vectorised: bool) -> list[Run]:
    """Note in each run which runs are computed in turns with it, and return the first of each such group.

    Those are the first seeds of both sides, which stand for all seeds where these are vectorised, else the
    two sides of one seed.
    """
    pairs = list(zip(made["a"], made["b"], strict=True))
    for pair in pairs:
        for run in pair:
            rivals = [one.id for one in (pairs[0] if vectorised else pair)]
            run.set_group(run.description["group"] | {"rivals": rivals})
    return [pair[0] for pair in (pairs[:1] if vectorised else pairs)]


def folder() -> Path:
    """Return where duels are noted."""
    return home() / "duels"


def get(duel_id: str) -> Duel:
    """Return the duel with this id.

    Raises
    ------
    RunError
        The text is no such id, there is no such duel, or its note is damaged.
    """
    if not DUEL_ID.fullmatch(duel_id):
        raise RunError(f"{duel_id[:80]!r} is not the id of a duel.")
    try:
        document = json.loads((folder() / f"{duel_id}.json").read_bytes())
        one, two = document["values"]
        sides: dict[Side, tuple[str, ...]] = {side: tuple(map(str, document["runs"][side])) for side in SIDES}
        if len(sides["a"]) != len(sides["b"]):
            raise ValueError("each run has a rival")
        return Duel(duel_id, str(document["field"]), (one, two), sides)
    except FileNotFoundError:
        raise RunError(f"There is no duel {duel_id!r}.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise RunError(f"The note of duel {duel_id!r} is damaged. Start it anew.") from None


def list_duels() -> list[Duel]:
    """Return all duels of which runs still exist, newest first; damaged notes are passed over."""
    found = []
    for path in sorted(folder().glob("duel-*.json"), reverse=True):
        try:
            duel = get(path.stem)
        except ExplorerError:
            continue
        if any(duel.side(side) for side in SIDES):
            found.append(duel)
    return found


def difference(duel: Duel) -> Difference | None:
    """Compare the best validation accuracy of both sides over the seeds that both have finished."""
    known = [pair for pair in map(_accuracies, duel.pairs()) if pair]
    return paired_difference([pair[0] for pair in known], [pair[1] for pair in known]) if known else None


def _accuracies(pair: tuple[Run, Run]) -> tuple[float, float] | None:
    """Return the best validation accuracy of two runs that are finished, None where one is not, or is damaged."""
    try:
        found = [run.status for run in pair]
    except RunError:
        return None
    one, two = (status.best_accuracy if status.state == "finished" else None for status in found)
    return None if one is None or two is None else (one, two)


def text(setting: Any) -> str:
    """Return the value of a setting in words."""
    if isinstance(setting, bool):
        return "on" if setting else "off"
    if isinstance(setting, list | tuple):
        return "–".join(map(str, setting)) or "none"
    return "none" if setting is None else f"{setting:g}" if isinstance(setting, float) else str(setting)
