"""How a duel ended: the verdict, the difference seed by seed, and the runs behind it."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.experiments import duels
from explorer.experiments.duels import Difference, Duel
from explorer.store.summaries import Summary
from explorer.training.config import TrainConfig
from explorer.ui.charts import duel as drawings
from explorer.ui.experiments import curves, filling, progress, watch
from explorer.ui.experiments.progress import ENOUGH_SEEDS, DuelProgress, is_vectorised, seed_of
from explorer.ui.experiments.watch import discard_button
from explorer.ui.kit import numbers, state
from explorer.ui.kit.figure import figure
from explorer.ui.kit.text import markdown

DIFFERENCE = "B − A"


def heading(duel_progress: DuelProgress) -> None:
    """Say what the duel is about."""
    st.markdown(f"**{markdown(progress.title(duel_progress.duel))}**  \n:small[{progress.common(duel_progress)}]")


def verdict(duel_progress: DuelProgress) -> None:
    """Say how the duel ended, or how it stands where it stands still after some seeds."""
    finished = _finished(duel_progress)
    if duel_progress.is_active or not (finished or duel_progress.is_over):
        return
    said = progress.verdict(duel_progress.duel, duels.difference(duel_progress.duel), _means(finished))
    if said.is_clear:
        st.success(said.text, icon=":material/trophy:")
    else:
        st.info(said.text, icon=":material/balance:")
    if duel_progress.seeds < ENOUGH_SEEDS and not said.is_clear and (config := _config(duel_progress)):
        st.button(
            f"Repeat with {ENOUGH_SEEDS} seeds",
            icon=":material/repeat:",
            type="primary",
            key="duel-repeat",
            on_click=_repeat,
            args=(duel_progress.duel, config),
        )


def details(duel_progress: DuelProgress) -> None:
    """Show the difference seed by seed, and the ways to the runs."""
    found = None if duel_progress.is_active else duels.difference(duel_progress.duel)
    if found and found.n > 1:
        _plot(duel_progress.differences, found)
    if found:
        _table(duel_progress, found)
    _buttons(duel_progress)


def _finished(duel_progress: DuelProgress) -> list[tuple[Summary, Summary]]:
    done = duel_progress.differences
    return [(one, two) for seed, one, two in duel_progress.pairs() if seed in done]


def _means(pairs: Sequence[tuple[Summary, Summary]]) -> tuple[float, float]:
    """Return the mean best accuracy of both sides."""
    one, two = (fmean([pair[index].status.best_accuracy or 0.0 for pair in pairs] or [0.0]) for index in (0, 1))
    return one, two


def _repeat(duel: Duel, config: TrainConfig) -> None:
    """Start the same duel with several seeds, in a callback."""
    try:
        watch.follow(duels.start(config, duel.field, duel.values[1], ENOUGH_SEEDS))
    except ExplorerError as error:
        st.toast(markdown(str(error)), icon=":material/error:", duration="long")


def _plot(values: Mapping[int, float], found: Difference) -> None:
    figure(
        drawings.difference_plot(values, found),
        name="duel-differences",
        how_to_read=curves.differences(values, found),
        table=lambda: drawings.difference_table(values, found),
        width="stretch",
    )


def _table(duel_progress: DuelProgress, found: Difference) -> None:
    a, b = progress.labels(duel_progress.duel)
    rows: list[dict[str, Any]] = [
        {
            "Seed": str(seed),
            a: _percent(first),
            b: _percent(second),
            DIFFERENCE: _difference(duel_progress, seed, first, second),
            "Time A": numbers.seconds(first.status.seconds),
            "Time B": numbers.seconds(second.status.seconds),
        }
        for seed, first, second in duel_progress.pairs()
    ]
    if found.n > 1:
        pairs = _finished(duel_progress)
        one, two = _means(pairs)
        rows.append({"Seed": "mean", a: 100 * one, b: 100 * two, DIFFERENCE: numbers.points(one, two, 2)})
        for index, name in enumerate(("Time A", "Time B")):
            rows[-1][name] = numbers.seconds(fmean(pair[index].status.seconds for pair in pairs))
    column = st.column_config
    share = column.NumberColumn(format="%.2f%%", help="Best accuracy on the validation images.")
    time = column.TextColumn(alignment="right", help="Training time, evaluation included.")
    columns = {"Seed": column.TextColumn(width=50), a: share, b: share, "Time A": time, "Time B": time}
    columns[DIFFERENCE] = column.NumberColumn(format="%+.2f", help="Difference in percentage points.")
    st.dataframe(
        rows,
        hide_index=True,
        column_config=columns,
        width="stretch",
        height="content",
        key="duel-table",
        placeholder="–",
    )
    text = "Best validation accuracy, the difference in percentage points, and the training time."
    if any(is_vectorised(runs) for runs in duel_progress.sides.values()):
        text += " The seeds of a side were computed at once, so each time is that of all of them together."
    st.caption(text)


def _difference(duel_progress: DuelProgress, seed: int, first: Summary, second: Summary) -> float | None:
    """Return by how many points B is better, as the table shows both; None while a side goes on."""
    one, two = first.status.best_accuracy, second.status.best_accuracy
    return None if seed not in duel_progress.differences or one is None or two is None else numbers.points(one, two, 2)


def _percent(run: Summary) -> float | None:
    return None if run.status.best_accuracy is None else 100 * run.status.best_accuracy


def _buttons(duel_progress: DuelProgress) -> None:
    with st.container(horizontal=True, gap="small", key="duel-links"):
        _evaluate(duel_progress)
        if state.page_exists("runs"):
            st.button(
                "Show its runs",
                icon=":material/list:",
                key="duel-to-runs",
                on_click=state.go,
                args=("runs",),
                kwargs={"chosen": ",".join(run.id for run in duel_progress.runs)},
            )
        if config := _config(duel_progress):
            st.button(
                "Use these settings",
                icon=":material/tune:",
                key="duel-use",
                help="Fills in the form as for this duel.",
                on_click=_use,
                args=(duel_progress, config),
            )
        discard_button(duel_progress)


def _evaluate(duel_progress: DuelProgress) -> None:
    """Offer the page Evaluate for the two runs of a seed."""
    known = {
        seed: (one, two) for seed, one, two in duel_progress.pairs() if one.status.best_epoch and two.status.best_epoch
    }
    if duel_progress.is_active or not known:
        return
    seed = next(iter(known))
    if len(known) > 1:
        key = f"duel-seed-{duel_progress.duel.id}"
        seed = st.selectbox("Seed", list(known), format_func=_seed, key=key, width=110, label_visibility="collapsed")
    for name, run in zip("AB", known[seed], strict=True):
        st.button(
            f"Evaluate {name}",
            icon=":material/query_stats:",
            key=f"duel-evaluate-{name}",
            on_click=state.go,
            args=("evaluate",),
            kwargs={"checkpoint": run.id, "dataset": run.dataset},
        )


def _seed(seed: int) -> str:
    return f"Seed {seed}"


def _config(duel_progress: DuelProgress) -> TrainConfig | None:
    """Return side a's settings with the first seed; None where they are gone or of another version."""
    try:
        return TrainConfig.parse(min(duel_progress.sides["a"], key=seed_of).config)
    except (ExplorerError, ValueError):
        return None


def _use(duel_progress: DuelProgress, config: TrainConfig) -> None:
    duel = duel_progress.duel
    values = config.model_dump(mode="json", exclude={"device", "threads", "snapshots"})
    note = f"The settings of **{markdown(progress.title(duel))}** are filled in."
    filling.ask(values, note, duel.field, duel.values[1], min(duel_progress.seeds, filling.MAX_SEEDS))
