"""Where a duel stands: its runs at a glance, and what of it is being computed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import streamlit as st

import models
from explorer.experiments.duels import OPTION, SIDES, Difference, Duel, Side, StartingPoint
from explorer.store import groups, summaries
from explorer.store.summaries import Summary
from explorer.training.queue import requests
from explorer.ui.kit import numbers, run_text
from explorer.ui.kit.run_history import History, Reader, horizon
from explorer.ui.kit.text import label, markdown, plain, shorten

OVER = ("finished", "failed")


@dataclass(frozen=True)
class DuelProgress:
    """A duel as it was at one moment.

    Attributes
    ----------
    duel : Duel
    sides : mapping
        The runs of each side that still exist and are whole, in the order of their seeds.
    pending : sequence of str
        Ids of all runs that wait in the queue, the next one first.
    problems : sequence of str
        What is wrong with the other runs.
    """

    duel: Duel
    sides: Mapping[Side, tuple[Summary, ...]]
    pending: Sequence[str]
    problems: Sequence[str] = ()

    @property
    def runs(self) -> tuple[Summary, ...]:
        """The runs of both sides."""
        return (*self.sides["a"], *self.sides["b"])

    @property
    def seeds(self) -> int:
        """How many seeds the duel has, those included whose runs are gone."""
        return len(self.duel.runs["a"])

    @cached_property
    def lanes(self) -> list[list[Summary]]:
        """The runs by what one process computes."""
        found: dict[tuple[str, ...], list[Summary]] = {}
        for run in self.runs:
            rivals = _group(run).get("rivals")
            key = tuple(map(str, rivals)) if isinstance(rivals, list) else (run.id,)
            found.setdefault(key, []).append(run)
        return list(found.values())

    @property
    def running(self) -> list[Summary]:
        """The runs that are being computed."""
        return [run for run in self.runs if run.status.state == "running"]

    @property
    def is_active(self) -> bool:
        """Whether something of it is being computed, or will be without a further click."""
        return any(map(self.is_going, self.lanes))

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be computed."""
        return not self.is_active and all(run.status.state in OVER for run in self.runs)

    def is_going(self, lane: Sequence[Summary]) -> bool:
        """Whether a lane is being computed or waits for its turn; that a run says so of itself is not enough."""
        return any(run.status.state == "running" or run.id in self.pending for run in lane)

    @property
    def before(self) -> int:
        """How many runs wait in front of it."""
        own = {run.id for run in self.runs}
        return next((place for place, run_id in enumerate(self.pending) if run_id in own), 0)

    def pairs(self) -> Iterator[tuple[int, Summary, Summary]]:
        """Yield seed and runs of both sides, where both exist."""
        found = {run.id: run for run in self.runs}
        for one, two in zip(self.duel.runs["a"], self.duel.runs["b"], strict=True):
            if one in found and two in found:
                yield seed_of(found[one]), found[one], found[two]

    @property
    def differences(self) -> dict[int, float]:
        """The best validation accuracy of side b minus that of side a, by seed, where both are finished."""
        return {
            seed: (two.status.best_accuracy or 0.0) - (one.status.best_accuracy or 0.0)
            for seed, one, two in self.pairs()
            if one.status.state == two.status.state == "finished"
            and None not in (one.status.best_accuracy, two.status.best_accuracy)
        }


def look(duel: Duel) -> DuelProgress:
    """Look at the files of a duel; what has not changed since the last time is not read again."""
    pending = requests.pending()  # first: a run that starts meanwhile is seen twice rather than not at all
    found: dict[Side, tuple[Summary, ...]] = {}
    problems = []
    for side in SIDES:
        every = [summaries.summarise(run) for run in duel.side(side)]
        found[side] = tuple(run for run in every if not run.problem)
        problems += [run.problem for run in every if run.problem]
    return DuelProgress(duel, found, pending, problems)


def seed_of(run: Summary) -> int:
    """Return the seed of a run."""
    seed = run.config.get("seed")
    return seed if isinstance(seed, int) else 0


def is_vectorised(runs: Sequence[Summary]) -> bool:
    """Whether the seeds of a side are one computation, whose time is that of all of them."""
    return any(groups.ids(run.run) for run in runs[:1])


def end(duel_progress: DuelProgress) -> int:
    """Return the epoch at which the axes of the curves end."""
    return max((horizon(run.status) for run in duel_progress.runs), default=1)


def history(run: Summary) -> History:
    """Return what is drawn of a run's history.

    Raises
    ------
    RunError
        The file cannot be read.
    """
    return _reader(run.id, str(run.run.path)).read(horizon(run.status))


@st.cache_resource(max_entries=64, show_spinner=False)
def _reader(_run_id: str, folder: str) -> Reader:
    return Reader(Path(folder) / "history.jsonl")


def _group(run: Summary) -> Mapping[str, Any]:
    group = run.description.get("group")
    return group if isinstance(group, dict) else {}


VALUE_LENGTH = 28
ENOUGH_SEEDS = 5
LEAST_PROGRESS = 0.02
"""Before that the time left is a guess."""
ABOUT = (
    "**A duel compares two values of one setting.** Both sides are trained with everything else alike: the same "
    "initial weights, the same batches in the same order, so that what differs at the end comes from the setting."
)


def setting(field: str) -> str:
    """Return the name of the setting that differs; not escaped."""
    return plain(label(field.removeprefix(OPTION)))


def value(field: str, what: Any) -> str:
    """Write a value of the setting that differs; not escaped."""
    return shorten(run_text.setting_value(field.removeprefix(OPTION), what), VALUE_LENGTH)


def values(duel: Duel) -> tuple[str, str]:
    """Return the values of both sides; not escaped."""
    return value(duel.field, duel.values[0]), value(duel.field, duel.values[1])


def labels(duel: Duel) -> tuple[str, str]:
    """Return the sides for a legend; not escaped."""
    one, two = values(duel)
    return f"A: {one}", f"B: {two}"


def title(duel: Duel) -> str:
    """Return a duel in one line; not escaped."""
    one, two = values(duel)
    return f"{setting(duel.field)}: {one} against {two}"


def common(duel_progress: DuelProgress) -> str:
    """Say what both sides have in common."""
    if not duel_progress.runs:
        return ""
    config = duel_progress.runs[0].config
    own = duel_progress.duel.field.removeprefix(OPTION)
    parts = [
        f"{model(str(config.get('model', '')))} on {run_text.dataset(str(config.get('dataset', '')))}",
        numbers.many(duel_progress.seeds, "seed"),
        f"{numbers.many(duel_progress.runs[0].status.epochs, 'epoch')}",
    ]
    for name, found in run_text.changed_settings(config).items():
        if name.removeprefix(run_text.OPTION) not in (own, "epochs", "seed", "device", "threads", "snapshots"):
            short = run_text.setting_value(name, found)
            parts.append(f"{label(name.removeprefix(run_text.OPTION)).lower()} {short}")
    return markdown(shorten(" · ".join(parts), 200))


def model(name: str) -> str:
    """Return the title of an architecture, its name where there is none; not escaped."""
    return models.get(name).title if name in models.names() else plain(name)


def beginning(point: StartingPoint, field: str, same_size: bool) -> str:
    """Say what the two sides have in common before the first step, and why not the rest.

    Parameters
    ----------
    point : StartingPoint
    field : str
        The setting that differs.
    same_size : bool
        Whether both networks have the same number of parameters.
    """
    weights = "they are drawn in another way" if same_size else "the networks have different shapes"
    batches = {
        "batch_size": "they are of another size",
        "subset": "one side has fewer images",
    }.get(field, "batch norm cuts them in another way")
    if point.same_weights and point.same_order:
        return "Both start from the same weights and see the images in the same order."
    if point.same_weights:
        return f"Both start from the same weights. Their batches are not the same, as {batches}."
    if point.same_order:
        return f"Both see the images in the same order. Their initial weights are not the same, as {weights}."
    return f"Their initial weights are not the same, as {weights}; nor are their batches, as {batches}."


def size(one: int, two: int) -> str:
    """Say how many parameters both sides have."""
    if one == two:
        return f"{numbers.count(one)} parameters on both sides"
    return f"{numbers.count(one)} against {numbers.count(two)} parameters"


def side(duel_progress: DuelProgress, which: Side) -> tuple[float, str]:
    """Return how far a side has got, 0 to 1, and where it stands."""
    runs = duel_progress.sides[which]
    name = f"**{markdown(labels(duel_progress.duel)[SIDES.index(which)])}**"
    if not runs:
        return 0.0, f"{name} · its runs are gone"
    best = [run.status.best_accuracy for run in runs if run.status.best_accuracy is not None]
    accuracy = numbers.percent(sum(best) / len(best) if best else None)
    text = f"{name} · {_where(duel_progress, runs)} · best accuracy {accuracy}"
    return sum(run.status.progress for run in runs) / len(runs), text


def _where(duel_progress: DuelProgress, runs: Sequence[Summary]) -> str:
    """Say which seed and which epoch is at hand."""
    states = [run.status.state for run in runs]
    if "running" in states:
        return _epoch(runs, [run for run in runs if run.status.state == "running"])
    over = [run for run in runs if run.status.state in ("finished", "failed")]
    if len(over) == len(runs):
        failed = states.count("failed")
        return "finished" if not failed else "failed" if failed == len(runs) else f"finished, {failed} failed"
    if duel_progress.is_active:
        return "waiting for its turn"
    word = "interrupted" if "interrupted" in states else "paused"
    return f"{word} in {_epoch(runs, [run for run in runs if run not in over])}"


def _epoch(runs: Sequence[Summary], current: Sequence[Summary]) -> str:
    """Say at which epoch the current ones of a side's runs are."""
    status = current[0].status
    text = f"epoch {numbers.count(min(status.epoch + 1, status.epochs))} of {numbers.count(status.epochs)}"
    if len(current) == len(runs):
        return text
    return f"seed {runs.index(current[0]) + 1} of {len(runs)}, {text}"


def left(duel_progress: DuelProgress, vectorised: bool) -> str:
    """Say how long the duel will take yet, or how long it waits; empty where that cannot be told.

    Parameters
    ----------
    duel_progress : DuelProgress
    vectorised : bool
        Whether the seeds of a side are one computation.
    """
    if duel_progress.is_active and not duel_progress.running:
        return (
            f"Waits for its turn; {numbers.many(duel_progress.before, 'run')} before it."
            if duel_progress.before
            else "Starts soon."
        )
    if not duel_progress.running:
        return ""
    progress = sum(run.status.progress for run in duel_progress.runs) / len(duel_progress.runs)
    one_of_each = [runs[0] for runs in duel_progress.sides.values() if runs]
    spent = sum(run.status.seconds for run in (one_of_each if vectorised else duel_progress.runs))
    if progress < LEAST_PROGRESS or not spent:
        return ""
    lanes = sum(any(run.status.state == "running" for run in lane) for lane in duel_progress.lanes)
    return f"About {numbers.seconds(spent * (1 - progress) / progress / max(1, lanes))} left."


def problems(duel_progress: DuelProgress) -> list[str]:
    """Say what went wrong with runs, each message once."""
    found: dict[str, list[str]] = {}
    for name, which in zip("AB", SIDES, strict=True):
        for run in duel_progress.sides[which]:
            if run.status.message and run.status.state in ("failed", "interrupted"):
                found.setdefault(run.status.message, []).append(f"{name}, seed {seed_of(run)}")
    texts = [f"**{'; '.join(places)}:** {markdown(message)}" for message, places in found.items()]
    texts += [markdown(problem) for problem in duel_progress.problems]
    gone = 2 * duel_progress.seeds - len(duel_progress.runs) - len(duel_progress.problems)
    if gone:
        texts.append(f"{numbers.many(gone, 'run')} of this duel {'are' if gone > 1 else 'is'} no longer here.")
    return texts


@dataclass(frozen=True)
class DuelVerdict:
    """How a duel ended, in Markdown, and whether chance alone would hardly do that."""

    text: str
    is_clear: bool


def verdict(duel: Duel, found: Difference | None, accuracies: tuple[float, float] = (0.0, 0.0)) -> DuelVerdict:
    """Say which side is better, and how sure that is.

    Parameters
    ----------
    duel : Duel
    found : Difference or None
        Of side b minus side a; None where no seed is finished on both.
    accuracies : tuple of float
        Mean best validation accuracy of both sides.
    """
    if found is None:
        return DuelVerdict("No seed is finished on both sides, so there is nothing to compare.", False)
    one, two = (markdown(f"{name} ({text})") for name, text in zip("AB", values(duel), strict=True))
    better, gap = two if found.mean >= 0 else one, numbers.points(*accuracies, 2)
    measured = (
        f"The best validation accuracy is {numbers.percent(accuracies[0], 2)} for A and "
        f"{numbers.percent(accuracies[1], 2)} for B{' on average' if found.n > 1 else ''}."
    )
    if found.low is None or found.high is None:
        lead = f"{better} is ahead by {abs(gap):.2f} points" if found.mean else "both sides are level"
        text = f"**One seed says nothing about chance**: here {lead}, with another seed it may be the other way round."
        return DuelVerdict(f"{text} {measured} Repeat with five.", False)
    if found.is_distinguishable:
        low, high = sorted((found.low, found.high) if found.mean >= 0 else (-found.high, -found.low))
        interval = f"95% interval {points(low, '')} to {points(high, '')}, {numbers.many(found.n, 'seed')}"
        return DuelVerdict(f"**{better} is better by {abs(gap):.2f} points** ({interval}). {measured}", True)
    text = f"**Not distinguishable over these {numbers.many(found.n, 'seed')}**: the difference, B minus A, is "
    text += f"{numbers.signed(gap, 2)} points, 95% interval {points(found.low, '')} to {points(found.high, '')}."
    few = " So few seeds leave a wide interval; repeat with five." if found.n < ENOUGH_SEEDS else ""
    return DuelVerdict(f"{text} {measured}{few}", False)


def points(share: float, unit: str = " points") -> str:
    """Write a difference of shares in percentage points with two decimals."""
    text = f"{100 * share:.2f}"
    return ("0.00" if float(text) == 0 else text.replace("-", "−")) + unit
