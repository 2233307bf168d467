"""Where a run stands, in words."""

from collections.abc import Mapping
from typing import Any

from explorer.store.runs import Status
from explorer.ui import formats
from explorer.ui.watch_history import History

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
        return "**Waiting** for its turn" + (f"; {formats.many(before, 'run')} before it" if before else "")
    if status.state == "finished":
        return f"**Finished** after {_end(status, config)} · {formats.seconds(status.seconds)}"
    epoch = f"epoch {formats.count(min(status.epoch + 1, status.epochs))} of {formats.count(status.epochs)}"
    if status.state != "running":
        return f"**{_STANDING[status.state]}** in {epoch}"
    parts = [f"**Training**: {epoch}"]
    if status.steps:
        parts.append(f"step {formats.count(status.step)} of {formats.count(status.steps)}")
    if status.images_per_second:
        parts.append(f"{formats.count(status.images_per_second)} images per second")
    if (left := seconds_left(status, config)) is not None:
        most = "at most " if config.get("patience") else "about "
        parts.append(f"{most}{formats.seconds(left)} left")
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
        parts.append(f"**{rate(pending)} from epoch {formats.count(next_epoch(status))} on**")
    if history.epoch and history.best:
        newest, best = history.epoch, history.best
        text = f"validation accuracy {formats.percent(newest['validation_accuracy'])} after epoch {newest['epoch']}"
        if best["epoch"] != newest["epoch"]:
            text += f", best {formats.percent(best['validation_accuracy'])} after epoch {best['epoch']}"
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
        f"{formats.many(lines, 'damaged line')} of the history {'is' if lines == 1 else 'are'} left out of the curves."
    )


def _end(status: Status, config: Mapping[str, Any]) -> str:
    """Say after how many epochs a run ended, and why."""
    done = formats.many(status.epoch, "epoch")
    if status.epoch < status.epochs:
        done += f" of {formats.count(status.epochs)}"
    reason = status.reason or ("epochs" if status.epoch == status.epochs else "time")
    if reason == "time":
        budget = config.get("time_budget")
        return f"{done}; the time was up" + (f" ({formats.seconds(float(budget))})" if budget else "")
    if reason == "patience":
        patience = config.get("patience")
        span = f"for {formats.many(int(patience), 'epoch')}" if patience else "any more"
        return f"{done}; the validation accuracy had not risen {span}"
    return f"{done}; you ended it" if reason == "user" else done
