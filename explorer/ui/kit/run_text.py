"""What the page Runs says of a run: its state, its times, its settings, and the words of its user."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from explorer.data import catalog
from explorer.errors import ConfigError, DataError, ExplorerError
from explorer.store.runs import Run, Status
from explorer.store.status import State
from explorer.store.summaries import Summary
from explorer.ui.kit import numbers
from explorer.ui.kit.run_history import History
from explorer.ui.kit.text import choice, label, markdown, plain, shorten

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
NAMELESS = ("model", "dataset", "optimizer", "schedule", "loss")
"""Settings whose values say by themselves what they are."""
TECHNICAL = ("seed", "device", "threads", "snapshots")
"""Settings that do not decide what a network can learn."""
LABEL = 44
"""Characters of a label in a legend; more only where runs could not be told apart otherwise."""


def title(run: Summary, length: int = 40) -> str:
    """Return a run's name for a heading or a legend, cut where it is too long; not escaped."""
    return shorten(plain(run.name), length) or run.id


def problem(error: ExplorerError, run: Run) -> str:
    """Return a message with the name of the run that it is about in place of its id; not escaped."""
    try:
        name = shorten(plain(run.name), 60)
    except ExplorerError:
        return str(error)
    return str(error).replace(f"Run {run.id}", f"“{name}”").replace(f"run {run.id}", f"“{name}”")


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


def differing(runs: Sequence[Summary]) -> dict[str, list[str]]:
    """Return the settings in which runs differ: their value in each run as text, a dash where it has no such setting.

    What tells most stands first: data set, model, optimizer, learning rate; what is technical last.
    """
    found = [settings(run.config) for run in runs]
    names = dict.fromkeys(name for one in found for name in one)
    texts = {name: [setting_value(name, one[name]) if name in one else "–" for one in found] for name in names}
    first = ("model", "dataset", "optimizer", "learning_rate", "batch_size")
    order = sorted(texts, key=lambda name: (name in TECHNICAL, name not in first, not name.startswith(OPTION)))
    return {name: texts[name] for name in order if len(set(texts[name])) > 1}


def phrase(name: str, text: str) -> str:
    """Say a setting and its value, as text, in as few words as are understood: `learning rate 0.01`, `Adam`."""
    if name in NAMELESS or text == "–":
        return "" if text == "–" else text
    words = setting_label(name).removeprefix("Model: ")
    words = words if words[:2].isupper() else words[:1].lower() + words[1:]
    return {"yes": words, "no": f"no {words}"}.get(text, f"{words} {text}")


def labels(runs: Sequence[Summary]) -> list[str]:
    """Name runs by what they differ in, so that no two names are alike; for legends, tables and texts, not escaped.

    The names that people have given stand in front. The settings follow that tell the runs apart, and the others as
    long as there is room; runs of the same settings have the time at which they were started.
    """
    texts = {name: [phrase(name, text) for text in values] for name, values in differing(runs).items()}
    own = ["" if is_automatic(run) else title(run, 28) for run in runs]

    def joined(names: Collection[str]) -> list[str]:
        columns = [own, *(values for name, values in texts.items() if name in names)]
        return [_joined(*parts) for parts in zip(*columns, strict=True)]

    told: list[str] = []
    for name in texts:
        if len(set(joined([*told, name]))) > len(set(joined(told))):
            told.append(name)
    for name in texts:
        if name not in TECHNICAL and max(map(len, joined([*told, name]))) <= LABEL:
            told.append(name)
    found = [one or title(run, 28) for one, run in zip(joined(told), runs, strict=True)]
    for more in (lambda run: f"{run.started:%H:%M:%S}" if run.started else "", lambda run: run.id[-6:]):
        found = [_joined(one, more(run)) if found.count(one) > 1 else one for one, run in zip(found, runs, strict=True)]
    return found


def is_automatic(run: Summary) -> bool:
    """Whether nobody has given the run a name of its own."""
    usual = re.escape(f"{run.model} on {run.dataset}")
    return bool(re.fullmatch(rf"{usual}(, seed \d+)?", run.name))


def changes(config: Mapping[str, Any]) -> str:
    """Say on one line which settings of a run are not the usual ones; not escaped."""
    found = (phrase(name, setting_value(name, value)) for name, value in changed_settings(config).items())
    return ", ".join(filter(None, found))


def described(run: Summary, length: int = 60) -> str:
    """Return a run's name, with the settings that are not the usual ones where nobody has named it; not escaped."""
    name = plain(run.name)
    if is_automatic(run):
        config = run.config | ({"seed": 0} if ", seed " in name else {})
        name = _joined(name, changes(config))
    return shorten(name, length) or run.id


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


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


ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/model_training:",
    "stopped": ":material/pause_circle:",
    "interrupted": ":material/power_off:",
    "finished": ":material/check_circle:",
    "failed": ":material/error:",
}
_STANDING = {"stopped": "Paused", "interrupted": "Interrupted", "failed": "Failed"}


def describe(status: Status, config: Mapping[str, Any] | None = None, before: int = 0) -> str:
    """Say in one line where a run stands.

    Parameters
    ----------
    status : Status
    config : mapping, optional
        The run's configuration, for its time budget and patience.
    before : int
        Runs that wait in front of it.

    Returns
    -------
    str
        Markdown without words of the user.
    """
    config = config or {}
    if status.state == "queued":
        return "**Waiting** for its turn" + (f"; {numbers.many(before, 'run')} before it" if before else "")
    if status.state == "finished":
        return f"**Finished** after {_end(status, config)} · {numbers.seconds(status.seconds)}"
    epoch = f"epoch {numbers.count(min(status.epoch + 1, status.epochs))} of {numbers.count(status.epochs)}"
    if status.state != "running":
        return f"**{_STANDING[status.state]}** in {epoch}"
    parts = [f"**Training**: {epoch}"]
    if status.steps:
        parts.append(f"step {numbers.count(status.step)} of {numbers.count(status.steps)}")
    if status.images_per_second:
        parts.append(f"{numbers.count(status.images_per_second)} images per second")
    if (left := seconds_left(status, config)) is not None:
        most = "at most " if config.get("patience") else "about "
        parts.append(f"{most}{numbers.seconds(left)} left")
    return " · ".join(parts)


def seconds_left(status: Status, config: Mapping[str, Any]) -> float | None:
    """Return how long a running run will take, at the pace it has had so far and within its time budget."""
    if not status.seconds or not status.progress:
        return None
    left = status.seconds * (1 - status.progress) / status.progress
    budget = config.get("time_budget")
    return left if budget is None else max(0.0, min(left, float(budget) - status.seconds))


def figures(status: Status, history: History, pending: float | None) -> str:
    """Say in one line the learning rate, the one that is to come, and the accuracy so far."""
    parts = []
    if history.step:
        parts.append(f"Learning rate {rate(history.step['learning_rate'])}")
    if pending is not None and status.state != "finished":
        parts.append(f"**{rate(pending)} from epoch {numbers.count(next_epoch(status))} on**")
    if history.epoch and history.best:
        newest, best = history.epoch, history.best
        text = f"validation accuracy {numbers.percent(newest['validation_accuracy'])} after epoch {newest['epoch']}"
        if best["epoch"] != newest["epoch"]:
            text += f", best {numbers.percent(best['validation_accuracy'])} after epoch {best['epoch']}"
        parts.append(text)
    else:
        over = status.state == "failed"
        parts.append("no epoch was complete" if over else "the first accuracy comes at the end of epoch 1")
    text = " · ".join(parts)
    return text[0].upper() + text[1:]


def next_epoch(status: Status) -> int:
    """Return the first epoch that has not begun."""
    return status.epoch + (2 if status.step else 1)


def rate(value: float) -> str:
    """Write a learning rate with up to three digits."""
    return f"{value:.3g}"


def damaged(lines: int) -> str:
    """Say that lines of the history are left out."""
    return (
        f"{numbers.many(lines, 'damaged line')} of the history {'is' if lines == 1 else 'are'} left out of the curves."
    )


def _end(status: Status, config: Mapping[str, Any]) -> str:
    """Say after how many epochs a run ended, and why."""
    done = numbers.many(status.epoch, "epoch")
    if status.epoch < status.epochs:
        done += f" of {numbers.count(status.epochs)}"
    reason = status.reason or ("epochs" if status.epoch == status.epochs else "time")
    if reason == "time":
        budget = config.get("time_budget")
        return f"{done}; the time was up" + (f" ({numbers.seconds(float(budget))})" if budget else "")
    if reason == "patience":
        patience = config.get("patience")
        span = f"for {numbers.many(int(patience), 'epoch')}" if patience else "any more"
        return f"{done}; the validation accuracy had not risen {span}"
    return f"{done}; you ended it" if reason == "user" else done
