"""Runs side by side: their curves, the settings in which they differ, their size against their accuracy."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import streamlit as st

from explorer.store import groups as store_groups
from explorer.store import summaries
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.ui.charts import learning_curves
from explorer.ui.charts.learning_curves import MAX_RUNS, Axis, Point, Quantity
from explorer.ui.kit import controls, numbers, run_text, seed_groups
from explorer.ui.kit.figure import beside, figure
from explorer.ui.kit.seed_groups import LearningCurve
from explorer.ui.kit.text import markdown, plain, shorten

POLL_SECONDS = 2.0
QUANTITIES: tuple[Quantity, ...] = ("accuracy", "loss")
AXES = {"epoch": "By epoch", "seconds": "By seconds"}
VALIDATION, SECONDS, TEST = "Validation", "Seconds", "Test"


def curves(runs: Sequence[Summary]) -> None:
    """Show the accuracy and the loss of up to `MAX_RUNS` runs or groups, renewed while one of them is active."""
    groups = seed_groups.by_settings(runs)
    if len(groups) > MAX_RUNS:
        st.caption(f"Only the first {MAX_RUNS} of the {len(groups)} chosen are drawn. Untick some to see others.")
    axis: Axis = "seconds" if controls.segments("Draw by", AXES, "runs-by", labelled=False) == "seconds" else "epoch"
    active = any(run.status.state in ACTIVE for group in groups[:MAX_RUNS] for run in group)
    st.fragment(_curves, run_every=POLL_SECONDS if active else None)(groups[:MAX_RUNS], axis)


def differences(runs: Sequence[Summary]) -> None:
    """Show the settings that are not the same in all runs and what came of them, a line a run."""
    found = run_text.differing(runs)
    if not found:
        st.info("These runs have the same settings, the seed included.")
    with_test = st.toggle(
        "Test accuracy (not for choosing)",
        key="runs-test",
        help="Whoever chooses by the test images has no images left that say how good the choice is. "
        "It is that of the epoch that was best on the validation images.",
    )
    table = [
        {"Run": label}
        | {run_text.setting_label(name): texts[row] for name, texts in found.items()}
        | _results(run, with_test)
        for row, (run, label) in enumerate(zip(runs, run_text.labels(runs), strict=True))
    ]
    _table(table, "runs-differences")
    _spreads([group for group in seed_groups.by_settings(runs) if len(group) > 1], with_test)


def _results(run: Summary, with_test: bool) -> dict[str, Any]:
    best = run.status.best_accuracy
    found = {
        VALIDATION: None if best is None else 100 * best,
        "Best epoch": run.status.best_epoch,
        SECONDS: run.status.seconds or None,
    }
    return found | ({TEST: _test_accuracy(run)} if with_test else {})


def _test_accuracy(run: Summary) -> float | None:
    """Return the accuracy of the best epoch on the test images, in percent."""
    for line in summaries.epochs(run.run):
        if line["epoch"] == run.status.best_epoch and isinstance(line.get("test_accuracy"), float):
            return 100 * float(line["test_accuracy"])
    return None


def _spreads(groups: Sequence[seed_groups.Group], with_test: bool) -> None:
    """Show mean and spread over the seeds of each group."""
    rows = []
    for group, label in zip(groups, seed_groups.labels(groups), strict=True):
        if found := seed_groups.accuracy(group):
            tests = [value for run in group if (value := _test_accuracy(run)) is not None]
            times = [run.status.seconds for run in group if run.status.seconds]
            row: dict[str, Any] = {
                "Group": label,
                "Mean": 100 * found.mean,
                "Standard deviation": 100 * found.deviation if found.n > 1 else None,
                "Lowest": 100 * found.low,
                "Highest": 100 * found.high,
                "Mean seconds": fmean(times) if times else None,
            }
            rows.append(row | ({"Mean test accuracy": fmean(tests) if tests else None} if with_test else {}))
    if rows:
        st.caption("**Over the seeds.** Best validation accuracy of the runs that differ in their seed alone.")
        _table(rows, "runs-spreads")
    if any(store_groups.ids(run.run) for group in groups for run in group):
        st.caption("Seeds that were computed at once have one time, that of all of them together.")


def _table(rows: Sequence[dict[str, Any]], key: str) -> None:
    column = st.column_config
    percent, seconds = column.NumberColumn(format="%.1f%%"), column.NumberColumn(format="%.1f")
    columns: dict[str, Any] = dict.fromkeys(
        (VALIDATION, TEST, "Mean", "Lowest", "Highest", "Mean test accuracy"), percent
    )
    columns |= dict.fromkeys((SECONDS, "Mean seconds"), seconds)
    columns["Standard deviation"] = column.NumberColumn(format="%.2f", help="In percentage points.")
    columns |= {name: column.TextColumn(pinned=True) for name in ("Run", "Group")}
    st.dataframe(
        list(rows), hide_index=True, width="stretch", height="content", key=key, column_config=columns, placeholder="–"
    )


def size_and_accuracy(shown: Sequence[Summary], chosen: Sequence[Summary]) -> None:
    """Show number of parameters against best validation accuracy, the chosen runs marked."""
    points = [point for run in shown if (point := _point(run))]
    if not points:
        st.caption("A chart of size and accuracy comes with the first complete epoch of a run.")
        return
    marked = dict(zip((run.id for run in chosen), run_text.labels(chosen), strict=True))
    known = {point.run for point in points}
    marked = {run_id: label for run_id, label in list(marked.items())[:MAX_RUNS] if run_id in known}
    figure(
        learning_curves.size_and_accuracy(points, marked),
        name="size-and-accuracy",
        how_to_read=_read_sizes(points),
        table=lambda: learning_curves.size_table(points),
    )


def _curves(before: Sequence[seed_groups.Group], axis: Axis) -> None:
    groups = [[summaries.summarise(run.run) for run in group] for group in before]
    labels = seed_groups.labels(groups)
    found = [seed_groups.curve(group, label) for group, label in zip(groups, labels, strict=True)]
    drawn = [curve for curve in found if curve.epochs]
    if not drawn:
        st.caption("The curves begin with the first complete epoch.")
        return
    planned = [run.status.epochs for group in groups for run in group if run.status.state in ACTIVE]
    until: float = max([*planned, *(curve.epochs[-1]["epoch"] for curve in drawn)])
    if axis == "seconds":
        until = max((line.get("seconds") or 0.0 for curve in drawn for line in curve.epochs), default=0.0) or 1.0
    with beside("runs-curves"):
        for quantity in QUANTITIES:
            _curve(drawn, quantity, until, axis)
    st.caption(f"**How to read this.** {_read_accuracy(drawn)} {_read_loss(drawn)}")
    if missing := [curve.label for curve in found if not curve.epochs]:
        st.caption(f"No complete epoch yet: {markdown('; '.join(missing))}.")


def _curve(drawn: Sequence[LearningCurve], quantity: Quantity, until: float, axis: Axis) -> None:
    figure(
        learning_curves.overlaid_curves(drawn, quantity, until, axis),
        name=f"runs-{quantity}",
        how_to_read="",
        table=lambda: learning_curves.curves_table(drawn),
        width="stretch",
    )


def _read_accuracy(drawn: Sequence[LearningCurve]) -> str:
    tops = [(max(line["validation_accuracy"] for line in curve.epochs), curve.label) for curve in drawn]
    best, worst = max(tops), min(tops)
    text = "Solid lines are the validation images, dashed ones those it trains on. "
    if any(curve.seeds for curve in drawn):
        text += "Thin lines are single seeds, thick ones their mean. "
    text += f"At its best **{markdown(best[1])}** names {numbers.percent(best[0])} of the validation images correctly"
    if len(drawn) == 1:
        return text + "."
    return (
        f"{text}, {numbers.points(worst[0], best[0]):.1f} points more than **{markdown(worst[1])}** "
        f"({numbers.percent(worst[0])}). "
        "A difference as small as that between two seeds of the same settings says nothing."
    )


def _read_loss(drawn: Sequence[LearningCurve]) -> str:
    last = [(curve, curve.epochs[-1]) for curve in drawn if curve.epochs[-1]["train_loss"] is not None]
    ends = [(end["validation_loss"] - end["train_loss"], curve) for curve, end in last]
    if not ends:
        return "Of the loss, lower is better. It is the cross entropy, whatever a run minimises."
    gap, curve = max(ends, key=lambda end: end[0])
    validation, train = (numbers.loss(curve.epochs[-1][f"{name}_loss"]) for name in ("validation", "train"))
    figures = f"**{markdown(curve.label)}**: {validation} on the validation images, {train} on those it trains on"
    if gap <= 0 or validation == train:
        higher = "no loss is higher" if len(ends) > 1 else "the loss is not higher"
        closest = "; closest to it is " if len(ends) > 1 else ", "
        end = f"At the end {higher} on the validation images than in training{closest}{figures}."
        return f"Of the loss, lower is better. {end}"
    return (
        f"Of the loss, lower is better. The {'widest ' if len(ends) > 1 else ''}gap at the end is that of {figures}. "
        "A gap that keeps growing means that the network learns its images by heart."
    )


def _point(run: Summary) -> Point | None:
    accuracy, size = run.status.best_accuracy, run_text.parameters(run)
    if accuracy is None or not size:
        return None
    name, dataset = run_text.title(run, 60), run_text.dataset(run.dataset)
    settings = run_text.changes(run.config)
    return Point(run.id, name, settings, dataset, plain(run.model), size, accuracy)


def _read_sizes(points: Sequence[Point]) -> str:
    best = max(points, key=lambda point: point.accuracy)
    which = f"The best of {len(points)}, **{_named(best)}**," if len(points) > 1 else f"**{_named(best)}**"
    text = (
        f"Each mark is a run: to the right are larger networks, up are better ones. {which} names "
        f"{numbers.percent(best.accuracy)} of the validation images correctly with "
        f"{numbers.count(best.parameters)} parameters. "
    )
    if len(points) == 1:
        return text.strip()
    sets = {point.dataset for point in points}
    if len(sets) > 1:
        return text + "Only runs on the same data set can be compared; choose one in the filters."
    smaller = [point for point in points if point.accuracy >= best.accuracy - 0.01]
    smallest = min(smaller, key=lambda point: point.parameters)
    if smallest.parameters < best.parameters:
        return text + (f"**{_named(smallest)}** comes within a point of it with {numbers.count(smallest.parameters)}.")
    return text + "A larger network is not always a better one."


def _named(point: Point) -> str:
    return markdown(point.name + (f" ({shorten(point.settings, 80)})" if point.settings else ""))
