"""The curves of a duel: what both sides' histories come to."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from explorer.store import summaries
from explorer.store.summaries import Summary
from explorer.studies.duels import SIDES, Side
from explorer.ui import duel_words
from explorer.ui.charts.duel import Race
from explorer.ui.duel_standing import Standing, end, history, seed_of
from explorer.ui.export import Cell
from explorer.ui.watch_history import History

SEED_EPOCHS = 50
"""Epochs drawn of each seed; the mean is drawn with all that the history keeps."""
STEP_MARKS = 100
MANY_EPOCHS, HIGH = 4, 1.25
"""With so many epochs of both sides, steps whose loss is so many times that of the worst epoch are left out."""

Line = Mapping[str, Any]


def race(standing: Standing) -> Race:
    """Return what is drawn of a duel.

    Raises
    ------
    RunError
        A history cannot be read.
    """
    labels, last = duel_words.labels(standing.duel), end(standing)
    seeds: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for side, label in zip(SIDES, labels, strict=True):
        runs = standing.sides[side]
        found = {run.id: history(run) for run in runs}
        if len(runs) > 1:
            seeds += [{"side": label, "seed": seed_of(run)} | row for run in runs for row in _thin(found[run.id])]
        means += [{"side": label} | row for row in mean_curve(runs, found)]
        steps += [{"side": label} | row for row in _mean_steps(list(found.values()), last)]
    return Race(duel_words.setting(standing.duel.field), labels, last, seeds, means, _low(steps, means))


def table(standing: Standing) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all runs, a line an epoch."""
    names = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    values = dict(zip(SIDES, duel_words.values(standing.duel), strict=True))
    return ["side", "value", "seed", *names], [
        [side.upper(), values[side], seed_of(run), *(line[name] for name in names)]
        for side in SIDES
        for run in standing.sides[side]
        for line in summaries.epochs(run.run)
    ]


def mean_curve(runs: Sequence[Summary], histories: Mapping[str, History]) -> list[dict[str, Any]]:
    """Return the mean over seeds by epoch, as far as all of them have got.

    Where seeds are computed one after the other it is over the finished ones, lest it jump when the next one begins;
    those that have failed count only where there is nothing else.
    """
    epochs = {run.id: {line["epoch"]: line for line in _epochs(histories[run.id])} for run in runs}
    begun = [run for run in runs if epochs[run.id]]
    choices: tuple[tuple[str, ...], ...] = (("finished",), ("finished", "queued", "running", "stopped", "interrupted"))
    groups = [[run for run in begun if run.status.state in states] for states in choices]
    chosen = next(filter(None, [*groups, begun]), [])
    if not chosen:
        return []
    common = set.intersection(*(set(epochs[run.id]) for run in chosen))
    return [_mean(epoch, [epochs[run.id][epoch] for run in chosen]) for epoch in sorted(common)]


def side_mean(rows: Race, side: Side) -> dict[str, Any] | None:
    """Return the newest epoch of a side's mean, None before the first."""
    label = rows.labels[SIDES.index(side)]
    return max((row for row in rows.means if row["side"] == label), key=lambda row: row["epoch"], default=None)


def _low(steps: list[dict[str, Any]], means: Sequence[Line]) -> list[dict[str, Any]]:
    """Leave out the first steps, whose loss is so high that the curves of the epochs would all look flat."""
    if len(means) < MANY_EPOCHS:
        return steps
    most = HIGH * max(row["loss"] for row in means)
    return [row for row in steps if row["loss"] <= most]


def _mean(epoch: int, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "accuracy": fmean(line["validation_accuracy"] for line in lines),
        "loss": fmean(line["validation_loss"] for line in lines),
    }


def _epochs(found: History) -> list[Line]:
    return [line for line in found.lines if line["kind"] == "epoch"]


def _thin(found: History) -> Iterator[dict[str, Any]]:
    lines = _epochs(found)
    kept = lines[:: -(-len(lines) // SEED_EPOCHS) or 1]
    if kept and kept[-1] is not lines[-1]:
        kept[-1] = lines[-1]
    for line in kept:
        yield {"epoch": line["epoch"], "accuracy": line["validation_accuracy"], "loss": line["validation_loss"]}


def _mean_steps(found: Sequence[History], last: int) -> Iterator[dict[str, Any]]:
    """Average the loss of single batches over the seeds, in each of `STEP_MARKS` parts of the axis."""
    parts: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for one in found:
        for line in one.lines:
            if line["kind"] == "step" and line["loss"] is not None:
                place = line["epoch"] - 1 + line["step"] / line["steps"]
                parts[math.floor(place * STEP_MARKS / last)].append((place, line["loss"]))
    for part in sorted(parts):
        yield {"epoch": fmean(place for place, _ in parts[part]), "loss": fmean(loss for _, loss in parts[part])}
