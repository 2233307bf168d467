"""The curves of a duel: what both sides' histories come to."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from explorer.experiments.duels import SIDES, Difference, Side
from explorer.store import summaries
from explorer.store.summaries import Summary
from explorer.ui.charts.duel import Race
from explorer.ui.experiments import progress
from explorer.ui.experiments.progress import DuelProgress, end, history, points, seed_of
from explorer.ui.kit import numbers
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.run_history import History
from explorer.ui.kit.text import markdown

SEED_EPOCHS = 50
"""Epochs drawn of each seed; the mean is drawn with all that the history keeps."""
STEP_MARKS = 100
MANY_EPOCHS, HIGH = 4, 1.25
"""With so many epochs of both sides, steps whose loss is so many times that of the worst epoch are left out."""

Line = Mapping[str, Any]


def race(duel_progress: DuelProgress) -> Race:
    """Return what is drawn of a duel.

    Raises
    ------
    RunError
        A history cannot be read.
    """
    labels, last = progress.labels(duel_progress.duel), end(duel_progress)
    seeds: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    for side, label in zip(SIDES, labels, strict=True):
        runs = duel_progress.sides[side]
        found = {run.id: history(run) for run in runs}
        if len(runs) > 1:
            seeds += [{"side": label, "seed": seed_of(run)} | row for run in runs for row in _thin(found[run.id])]
        means += [{"side": label} | row for row in mean_curve(runs, found)]
        steps += [{"side": label} | row for row in _mean_steps(list(found.values()), last)]
    return Race(progress.setting(duel_progress.duel.field), labels, last, seeds, means, _low(steps, means))


def table(duel_progress: DuelProgress) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of all runs, a line an epoch."""
    names = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    values = dict(zip(SIDES, progress.values(duel_progress.duel), strict=True))
    return ["side", "value", "seed", *names], [
        [side.upper(), values[side], seed_of(run), *(line[name] for name in names)]
        for side in SIDES
        for run in duel_progress.sides[side]
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


def accuracy(race: Race, seeds: int) -> str:
    """Explain the curves of the accuracy."""
    text = "The share of validation images that are named correctly; higher is better. "
    if seeds > 1:
        text += "Thin lines are single seeds, the thick one is their mean. "
    one, two = (side_mean(race, side) for side in SIDES)
    if one is None or two is None:
        return text + "The first points come with the first complete epoch."
    a, b = (markdown(label) for label in race.labels)
    gap = abs(numbers.points(one["accuracy"], two["accuracy"]))
    now = f"After epoch {one['epoch']} **{a}** has {numbers.percent(one['accuracy'])}"
    if one["epoch"] != two["epoch"]:
        return f"{text}{now}, after epoch {two['epoch']} **{b}** has {numbers.percent(two['accuracy'])}."
    return f"{text}{now} and **{b}** {numbers.percent(two['accuracy'])}, {gap:.1f} points apart."


def loss(race: Race) -> str:
    """Explain the curves of the loss."""
    text = "How far the outputs are from the targets; lower is better. The faint lines are the loss of single batches. "
    one, two = (side_mean(race, side) for side in SIDES)
    if one is None or two is None:
        return text + "The loss on the validation images comes with the first complete epoch."
    a, b = (markdown(label) for label in race.labels)
    return (
        f"{text}On the validation images **{a}** has {numbers.loss(one['loss'])} and **{b}** "
        f"{numbers.loss(two['loss'])}; a side whose loss rises again learns its images by heart."
    )


def differences(values: Mapping[int, float], found: Difference) -> str:
    """Explain the plot of the differences."""
    ahead = sum(value > 0 for value in values.values())
    text = f"Each dot is one seed: how much better B is than A in its best epoch. B is ahead in {ahead} of {found.n}. "
    if found.low is None or found.high is None:
        return text + "With a single seed nobody can tell how much of that is chance."
    zero = "leaves out" if found.is_distinguishable else "holds"
    meaning = (
        "a difference that chance alone would hardly make" if found.is_distinguishable else "chance may explain it"
    )
    return (
        f"{text}The bar is the 95% interval of the mean, from {points(found.low, '')} to {points(found.high)} "
        f"(Student's t for {numbers.many(found.n, 'pair')}): it {zero} 0, {meaning}."
    )
