"""Runs side by side: their curves, the settings in which they differ, their size against their accuracy."""

from collections.abc import Sequence

import streamlit as st

from explorer.store import summaries
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.ui import formats, runs_words
from explorer.ui.charts import comparison
from explorer.ui.charts.comparison import MAX_RUNS, Curve, Point, Quantity
from explorer.ui.text import markdown, plain
from explorer.ui.widgets import figure

POLL_SECONDS = 2.0


def labels(runs: Sequence[Summary]) -> list[str]:
    """Return names for a legend, told apart by a number in front."""
    return [f"{number} · {runs_words.title(run, 28)}" for number, run in enumerate(runs, start=1)]


def curves(runs: Sequence[Summary]) -> None:
    """Show the accuracy and the loss of up to `MAX_RUNS` runs, renewed while one of them is active."""
    if len(runs) > MAX_RUNS:
        st.caption(f"Only the first {MAX_RUNS} of the {len(runs)} chosen runs are drawn. Untick some to see others.")
    shown = list(runs[:MAX_RUNS])
    active = any(run.status.state in ACTIVE for run in shown)
    st.fragment(_curves, run_every=POLL_SECONDS if active else None)(shown)


def differences(runs: Sequence[Summary]) -> None:
    """Show the settings that are not the same in all runs, a column a run."""
    shown = list(runs[:MAX_RUNS])
    found = differing_settings(shown)
    if not found:
        st.info("These runs have the same settings, the seed included.")
        return
    headings = labels(shown)
    table = [
        {"Setting": runs_words.setting_label(name)} | dict(zip(headings, texts, strict=True))
        for name, texts in found.items()
    ]
    best = [formats.percent(run.status.best_accuracy) for run in shown]
    table.append({"Setting": "Best validation accuracy"} | dict(zip(headings, best, strict=True)))
    st.dataframe(table, hide_index=True, width="stretch", height="content", key="runs-differences")
    if len(runs) > MAX_RUNS:
        st.caption(f"Only the first {MAX_RUNS} of the {len(runs)} chosen runs are compared.")


def differing_settings(runs: Sequence[Summary]) -> dict[str, list[str]]:
    """Return the settings in which runs differ: their value in each run, as text."""
    found = [runs_words.settings(run.config) for run in runs]
    names = dict.fromkeys(name for settings in found for name in settings)
    texts = {
        name: [runs_words.setting_value(name, one[name]) if name in one else "–" for one in found] for name in names
    }
    return {name: values for name, values in texts.items() if len(set(values)) > 1}


def size_and_accuracy(shown: Sequence[Summary], chosen: Sequence[Summary]) -> None:
    """Show number of parameters against best validation accuracy, the chosen runs marked."""
    points = [point for run in shown if (point := _point(run))]
    if not points:
        st.caption("A chart of size and accuracy comes with the first complete epoch of a run.")
        return
    marked = dict(zip((run.id for run in chosen), labels(chosen), strict=True))
    known = {point.run for point in points}
    marked = {run_id: label for run_id, label in list(marked.items())[:MAX_RUNS] if run_id in known}
    figure(
        comparison.size_and_accuracy(points, marked),
        name="size-and-accuracy",
        how_to_read=_read_sizes(points),
        table=lambda: comparison.size_table(points),
    )


def _curves(shown: Sequence[Summary]) -> None:
    found = [Curve(label, summaries.epochs(run.run)) for run, label in zip(shown, labels(shown), strict=True)]
    drawn = [curve for curve in found if curve.epochs]
    if not drawn:
        st.caption("The curves begin with the first complete epoch.")
        return
    planned = [run.status.epochs for run in shown if run.status.state in ACTIVE]
    until = max([*planned, *(curve.epochs[-1]["epoch"] for curve in drawn)])
    left, right = st.columns(2)
    with left:
        _curve(drawn, "accuracy", until, _read_accuracy(drawn))
    with right:
        _curve(drawn, "loss", until, _read_loss(drawn))
    if missing := [curve.label for curve in found if not curve.epochs]:
        st.caption(f"No complete epoch yet: {markdown('; '.join(missing))}.")


def _curve(drawn: Sequence[Curve], quantity: Quantity, until: int, how_to_read: str) -> None:
    figure(
        comparison.overlaid_curves(drawn, quantity, until),
        name=f"runs-{quantity}",
        how_to_read=how_to_read,
        table=lambda: comparison.curves_table(drawn),
        width="stretch",
    )


def _read_accuracy(drawn: Sequence[Curve]) -> str:
    tops = [(max(line["validation_accuracy"] for line in curve.epochs), curve.label) for curve in drawn]
    best, worst = max(tops), min(tops)
    text = "Solid lines are the validation images, dashed ones those it trains on. "
    text += f"At its best **{markdown(best[1])}** names {formats.percent(best[0])} of the validation images correctly"
    if len(drawn) == 1:
        return text + "."
    return (
        f"{text}, {formats.points(worst[0], best[0]):.1f} points more than **{markdown(worst[1])}** "
        f"({formats.percent(worst[0])}). "
        "A difference as small as that between two seeds of the same settings says nothing."
    )


def _read_loss(drawn: Sequence[Curve]) -> str:
    last = [(curve, curve.epochs[-1]) for curve in drawn if curve.epochs[-1]["train_loss"] is not None]
    ends = [(end["validation_loss"] - end["train_loss"], curve) for curve, end in last]
    if not ends:
        return "Lower is better. It is the cross entropy, whatever a run minimises."
    gap, curve = max(ends, key=lambda end: end[0])
    validation, train = (formats.loss(curve.epochs[-1][f"{name}_loss"]) for name in ("validation", "train"))
    figures = f"**{markdown(curve.label)}**: {validation} on the validation images, {train} on those it trains on"
    if gap <= 0 or validation == train:
        higher = "no loss is higher" if len(ends) > 1 else "the loss is not higher"
        closest = "; closest to it is " if len(ends) > 1 else ", "
        return f"Lower is better. At the end {higher} on the validation images than in training{closest}{figures}."
    return (
        f"Lower is better. The {'widest ' if len(ends) > 1 else ''}gap at the end is that of {figures}. "
        "A gap that keeps growing means that the network learns its images by heart."
    )


def _point(run: Summary) -> Point | None:
    accuracy, size = run.status.best_accuracy, runs_words.parameters(run)
    if accuracy is None or not size:
        return None
    name, dataset = runs_words.title(run, 60), runs_words.dataset(run.dataset)
    return Point(run.id, name, dataset, plain(run.model), size, accuracy)


def _read_sizes(points: Sequence[Point]) -> str:
    best = max(points, key=lambda point: point.accuracy)
    which = (
        f"The best of {len(points)}, **{markdown(best.name)}**," if len(points) > 1 else f"**{markdown(best.name)}**"
    )
    text = (
        f"Each mark is a run: to the right are larger networks, up are better ones. {which} names "
        f"{formats.percent(best.accuracy)} of the validation images correctly with "
        f"{formats.count(best.parameters)} parameters. "
    )
    if len(points) == 1:
        return text.strip()
    sets = {point.dataset for point in points}
    if len(sets) > 1:
        return text + "Only runs on the same data set can be compared; choose one in the filters."
    smaller = [point for point in points if point.accuracy >= best.accuracy - 0.01]
    smallest = min(smaller, key=lambda point: point.parameters)
    if smallest.parameters < best.parameters:
        return text + (
            f"**{markdown(smallest.name)}** comes within a point of it with {formats.count(smallest.parameters)}."
        )
    return text + "A larger network is not always a better one."
