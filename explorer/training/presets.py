"""Settings to start from: the experiments of the coursework, and the recipes of the checkpoints that ship."""

import fnmatch
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.store import catalog
from explorer.store.checkpoints import Checkpoint, load_checkpoint
from explorer.training.config import TrainConfig
from explorer.training.coursework import ASSIGNMENTS, FAMILIES
from explorer.training.settings import apply_settings

COURSEWORK, SHIPPED = "Coursework", "Shipped checkpoints"

TRANSFERS = (
    (
        "transfer-mnist",
        "Transfer: clothes to digits",
        "Goes on from weights that have learnt clothes: quicker than from random ones?",
        ("fashion-mnist-lenet", "mnist"),
        {"optimizer": "adam", "learning_rate": 0.0003, "epochs": 5},
    ),
    (
        "transfer-fashion-mnist",
        "Transfer: digits to clothes",
        "Goes on from weights that have learnt digits.",
        ("mnist-lenet", "fashion-mnist"),
        {"optimizer": "adam", "learning_rate": 0.0003, "epochs": 5},
    ),
    (
        "fine-tune-mnist",
        "Transfer: fine-tuning at 0.0001",
        "The CNN that has learnt clothes, with a hundredth of its learning rate on digits.",
        ("fashion-mnist-cnn", "mnist"),
        {"optimizer": "momentum", "momentum": 0.5, "learning_rate": 0.0001},
    ),
)
"""Name, title, summary, shipped checkpoint and new data set, settings: runs that start from trained weights."""


@dataclass(frozen=True)
class Preset:
    """A configuration with a name.

    Attributes
    ----------
    name : str
        Unique, lower case.
    title : str
        A few words, the topic first.
    summary : str
        One sentence: what the run shows.
    group : str
        `COURSEWORK` or `SHIPPED`.
    config : dict
        Fields of `TrainConfig`; those that are missing have their defaults.
    """

    name: str
    title: str
    summary: str
    group: str
    config: dict[str, Any]


@dataclass(frozen=True)
class CourseworkQuestion:
    """A question of an assignment, and the names of the presets whose runs answer it, in order."""

    title: str
    presets: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """An assignment of the coursework with those of its questions that ask for runs."""

    title: str
    questions: tuple[CourseworkQuestion, ...]


@cache
def assignments() -> tuple[Assignment, ...]:
    """Return the assignments of the coursework."""
    known = [*(one.name for one in _coursework()), *(name for name, *_ in TRANSFERS)]

    def named(patterns: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in patterns.split() for name in fnmatch.filter(known, one)))

    return tuple(
        Assignment(title, tuple(CourseworkQuestion(question, named(patterns)) for question, patterns in questions))
        for title, questions in ASSIGNMENTS
    )


def presets() -> tuple[Preset, ...]:
    """Return all presets: the coursework's by topic, then the recipe of each shipped checkpoint that can be read."""
    found = {path.stem: checkpoint for path in catalog.shipped() if (checkpoint := _load(path))}
    transfers = (
        Preset(name, title, summary, COURSEWORK, _continuation(found[source], dataset) | values)
        for name, title, summary, (source, dataset), values in TRANSFERS
        if source in found
    )
    recipes = (recipe for checkpoint in found.values() if (recipe := _recipe(checkpoint)))
    return (*_coursework(), *transfers, *recipes)


@cache
def _coursework() -> tuple[Preset, ...]:
    return tuple(
        Preset(
            name,
            title,
            summary,
            COURSEWORK,
            apply_settings({"dataset": "fashion-mnist"}, [*common.split(), *settings.split()]),
        )
        for common, rows in FAMILIES
        for name, title, summary, settings in rows
    )


def _continuation(checkpoint: Checkpoint, dataset: str) -> dict[str, Any]:
    """Start from a checkpoint, hence with its model and options, on a data set."""
    start = {"dataset": dataset, "model": checkpoint.model, "options": checkpoint.options}
    return start | {"initial": checkpoint.name}


def _recipe(checkpoint: Checkpoint) -> Preset | None:
    """Return how a checkpoint was trained; None where it does not say so in terms that are understood here."""
    values = {name: value for name, value in checkpoint.config.items() if name in TrainConfig.model_fields}
    if not values:
        return None
    summary = "The settings that this checkpoint was trained with"
    if not _exists(values.get("initial", "")):
        del values["initial"]
        summary += ", from random weights instead of the run it went on from"
    try:
        config = TrainConfig.parse(values).model_dump(mode="json")
    except ExplorerError:
        return None
    accuracy = checkpoint.metrics.get("validation_accuracy")
    if isinstance(accuracy, float) and 0 <= accuracy <= 1:
        summary += f"; it reached {accuracy:.1%} on the validation images"
    return Preset(f"shipped-{checkpoint.name}", checkpoint.name, f"{summary}.", SHIPPED, config)


def _exists(initial: object) -> bool:
    """Whether a run can start from this; nothing at all means random weights."""
    try:
        return initial == "" or bool(catalog.resolve_name(str(initial)))
    except ExplorerError:
        return False


def _load(path: Path) -> Checkpoint | None:
    """Return a checkpoint, read again only when the file has changed; None where it is damaged."""
    try:
        found = path.stat()
        return _loaded(path, found.st_mtime_ns, found.st_size)
    except (ExplorerError, OSError):
        return None


@lru_cache(maxsize=64)
def _loaded(path: Path, modified: int, size: int) -> Checkpoint:
    return load_checkpoint(path)
