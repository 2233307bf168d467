"""Runs that differ in their seed alone, taken together: the mean of their curves, mean and spread of their accuracy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from explorer.experiments.seeds import Spread, spread
from explorer.store import summaries
from explorer.store.summaries import Summary
from explorer.ui.kit import numbers, run_text

FIGURES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
Group = Sequence[Summary]


@dataclass(frozen=True)
class LearningCurve:
    """The learning curve of one run, or the mean of several that differ in their seed alone.

    Attributes
    ----------
    label : str
        Name in the legend, different from that of every other run.
    epochs : sequence of dict
        Lines of the history, one an epoch.
    seeds : sequence of sequence of dict
        Those of each run that the mean is over; empty for a single run.
    """

    label: str
    epochs: Sequence[Mapping[str, Any]]
    seeds: Sequence[Sequence[Mapping[str, Any]]] = ()


def by_settings(runs: Sequence[Summary]) -> list[Group]:
    """Put together the runs that differ in their seed alone, in order; one whose seed is there already stands alone."""
    found: dict[str, dict[Any, Summary]] = {}
    for run in runs:
        settings = run_text.settings(run.config)
        seed = settings.pop("seed", None)
        key = run.id if run.problem else repr(sorted(settings.items()))
        found.setdefault(run.id if seed in found.get(key, ()) else key, {})[seed] = run
    return [list(group.values()) for group in found.values()]


def labels(groups: Sequence[Group]) -> list[str]:
    """Name groups by what they differ in, those of several seeds with their number; not escaped."""
    names = run_text.labels([group[0] for group in groups])
    return [
        name if len(group) == 1 else f"{re.sub(r', seed [0-9]+$', '', name)}, {len(group)} seeds"
        for name, group in zip(names, groups, strict=True)
    ]


def curve(group: Group, label: str) -> LearningCurve:
    """Return the curve of a run, or the mean of several as far as all of them have got.

    Where seeds are computed one after the other it is that of the finished ones, lest it jump when the next one begins.
    """
    begun = [(run, summaries.epochs(run.run)) for run in group]
    begun = [(run, lines) for run, lines in begun if lines]
    finished = [one for one in begun if one[0].status.state == "finished"]
    seeds = [lines for _, lines in finished or begun]
    if len(group) == 1 or not seeds:
        return LearningCurve(label, seeds[0] if seeds else ())
    by_epoch = [{line["epoch"]: line for line in lines} for lines in seeds]
    common = sorted(set.intersection(*map(set, by_epoch)))
    means = [_mean(epoch, [lines[epoch] for lines in by_epoch]) for epoch in common]
    return LearningCurve(label, means, [lines for _, lines in begun])


def accuracy(group: Group) -> Spread | None:
    """Return mean and spread of the best validation accuracy; None before the first epoch of any of them."""
    values = [run.status.best_accuracy for run in group if run.status.best_accuracy is not None]
    return spread(values) if values else None


def describe(found: Spread) -> str:
    """Say mean and spread of an accuracy."""
    return (
        f"{numbers.percent(found.mean)} ± {100 * found.deviation:.1f} points over {found.n} seeds "
        f"(mean ± standard deviation; {numbers.percent(found.low)} to {numbers.percent(found.high)})"
    )


def _mean(epoch: int, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"epoch": epoch}
    for name in ("seconds", *FIGURES):
        values = [line[name] for line in lines if line.get(name) is not None]
        found[name] = fmean(values) if len(values) == len(lines) else None  # of an earlier version one may not be known
    return found
