"""What the page Runs says of a run: its state, its times, its settings, and the words of its user."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from explorer.data import catalog
from explorer.errors import ConfigError, DataError, ExplorerError
from explorer.store.status import State
from explorer.store.summaries import Summary
from explorer.ui.field_names import choice, label
from explorer.ui.text import markdown, plain, shorten

STATES: dict[State, str] = {
    "queued": "○ Waiting",
    "running": "▶ Training",
    "stopped": "‖ Paused",
    "interrupted": "◌ Interrupted",
    "finished": "✓ Finished",
    "failed": "✕ Failed",
}
DAMAGED = "✕ Damaged"
OPTION = "model."
"""In front of the names of a model's options."""


def title(run: Summary, length: int = 40) -> str:
    """Return a run's name for a heading or a legend, cut where it is too long; not escaped."""
    return shorten(plain(run.name), length) or run.id


def note(run: Summary) -> str:
    """Return a run's note as Markdown that shows its lines as they were written."""
    return "  \n".join(markdown(plain(line)) for line in run.note.splitlines())


def state(run: Summary) -> str:
    """Return where a run stands, with a sign in front."""
    return DAMAGED if run.problem else STATES[run.status.state]


def dataset(name: str) -> str:
    """Return the title of a data set, own drawings among them; its name where it is not installed."""
    try:
        return plain(catalog.get(name).title)
    except DataError:
        return plain(name)


def moment(when: datetime | None) -> str:
    """Write a date and time: 3 March 2026, 14:05."""
    return "at an unknown time" if when is None else f"{when.day} {when:%B %Y, %H:%M}"


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a run, those it does not name at their defaults, the model's options among the others."""
    from explorer.training.config import TrainConfig

    try:
        values = TrainConfig.parse(config).model_dump(mode="json")
    except ConfigError:  # of another version, or from elsewhere
        values = dict(config)
    options = values.pop("options", None) or {}
    return values | {f"{OPTION}{name}": value for name, value in options.items()}


def changed_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that are not at their defaults, data set and model left out."""
    found = settings(config)
    known = {name: found.get(name) for name in ("dataset", "model")}
    usual = settings(known) | known
    return {name: value for name, value in found.items() if value != usual.get(name)}


def setting_label(name: str) -> str:
    """Return the name of a setting as people write it."""
    if name.startswith(OPTION):
        return f"Model: {plain(label(name.removeprefix(OPTION))).lower()}"
    return "Data set" if name == "dataset" else plain(label(name))


def setting_value(name: str, value: Any) -> str:
    """Write the value of a setting."""
    if name in ("model", "initial") and value:
        return plain(str(value))
    if name == "dataset":
        return dataset(str(value))
    if value is None or value == "" or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting_value(name, part) for part in value)
    return plain(choice(str(value)))[:200]


def parameters(run: Summary) -> int | None:
    """Return how many weights and biases a run's model has, None where that cannot be told."""
    recorded = getattr(run.status, "parameters", None)
    if isinstance(recorded, int) or run.problem:
        return recorded
    return _count(run.dataset, run.model, json.dumps(run.config.get("options", {}), sort_keys=True))


@lru_cache(maxsize=4096)
def _count(dataset: str, model: str, options: str) -> int | None:
    from models.registry import InputShape, build_meta

    try:
        spec = catalog.get(dataset)
        shape = InputShape(spec.channels, spec.size, len(spec.classes))
        network = build_meta(model, json.loads(options), shape, probe=False)
    except (ExplorerError, TypeError, ValueError):  # of another version, or nonsense from elsewhere
        return None
    return sum(parameter.numel() for parameter in network.parameters())
