"""The table of all runs: one line a run, any number of them to be chosen."""

import json
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import streamlit as st

from explorer.store import summaries
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.ui import formats, runs_filters, runs_words
from explorer.ui.export import Cell, csv_text
from explorer.ui.field_names import choice
from explorer.ui.runs_filters import Filters
from explorer.ui.text import plain

POLL_SECONDS = 2.0
KEY = "runs-table"
DROPOUT = f"{runs_words.OPTION}dropout"
_ORDER = "runs-table:order"
LINE, EDGES, LINES = 33, 36, 8
"""Height of a line and of header and frame in pixels, and how many lines are seen at once."""


def choose(found: Sequence[Summary], filters: Filters) -> list[Summary]:
    """Show the runs that pass the filters, and return those that are chosen, hidden ones included.

    While a run is active, the table alone is renewed every other second.
    """
    ids = runs_filters.chosen()
    active = any(run.status.state in ACTIVE for run in found)
    st.fragment(_table, run_every=POLL_SECONDS if active else None)(filters, ids, active)
    known = {run.id: run for run in found}
    return [known[run_id] for run_id in ids if run_id in known]


def tick(found: Sequence[Summary], key: str) -> list[Summary]:
    """Show these runs and return those that are ticked."""
    content = zlib.crc32("".join(run.id for run in found).encode())  # a tick belongs to a run, not to a line
    state = _dataframe(found, f"{key}-{content}", "rerun", "Runs in the bin")
    return [found[row] for row in state["selection"]["rows"] if row < len(found)]


def rows(found: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return the table's lines."""
    return [_row(run) for run in found]


@lru_cache(maxsize=summaries.KEPT)
def _row(run: Summary) -> dict[str, Any]:
    status, settings = run.status, runs_words.settings(run.config)
    return {
        "Name": plain(run.name),
        "State": runs_words.state(run),
        "Validation": formats.cell(status.best_accuracy),
        "Seconds": _two_digits(status.seconds),
        "Optimizer": choice(settings.get("optimizer", "")),
        "Rate": settings.get("learning_rate"),
        "Batch": settings.get("batch_size"),
        "Dropout": settings.get(DROPOUT),
        "Epochs": status.epoch,
        "of": status.epochs,
        "By epoch": [round(100 * value, 2) for value in status.curve],
        "Data set": runs_words.dataset(run.dataset),
        "Model": plain(run.model),
        "Parameters": runs_words.parameters(run),
        "Settings": runs_words.changes(run.config),
        "Started": run.started,
        "Tags": [plain(tag) for tag in run.tags],
        "Note": plain(run.note),
    }


def as_table(found: Sequence[Summary]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows for a file: ids, full precision, and every setting of every run."""
    settings = [runs_words.settings(run.config) for run in found]
    first = ("optimizer", "learning_rate", "batch_size", DROPOUT)
    names = dict.fromkeys([*first, *(name for one in settings for name in one)])
    others = [name for name in names if name not in ("dataset", "model", "epochs")]
    header = ["run", "name", "state", "best_validation_accuracy", "best_epoch", "epoch", "epochs", "dataset", "model"]
    return [*header, "parameters", "seconds", "tags", "note", *others], [
        [
            run.id,
            run.name,
            runs_filters.state_of(run),
            run.status.best_accuracy,
            run.status.best_epoch,
            run.status.epoch,
            run.status.epochs,
            run.dataset,
            run.model,
            runs_words.parameters(run),
            run.status.seconds,
            ", ".join(run.tags),
            run.note,
            *(_cell(values.get(name)) for name in others),
        ]
        for run, values in zip(found, settings, strict=True)
    ]


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def _table(filters: Filters, ids: tuple[str, ...], was_active: bool) -> None:
    found = summaries.listing()
    active = any(run.status.state in ACTIVE for run in found)
    if active != was_active or runs_filters.chosen() != ids:
        st.rerun()
    first = runs_filters.first()
    shown = sorted(filter(filters.matches, found), key=lambda run: run.id not in first)
    chosen = {run.id for run in found}.intersection(ids)
    _head(found, shown, chosen)
    if not shown:
        st.info("No run passes the filters.")
        if st.button("Show all runs", on_click=runs_filters.clear, key="runs-clear"):
            st.rerun()  # the filters stand outside of this part of the page
        return
    positions = [index for index, run in enumerate(shown) if run.id in chosen]
    _move_ticks(positions)
    st.session_state[_ORDER] = [run.id for run in shown]
    _dataframe(shown, KEY, _selected, "All runs that pass the filters", positions)


def _dataframe(found: Sequence[Summary], key: str, on_select: Any, alt: str, positions: Sequence[int] = ()) -> Any:
    return st.dataframe(
        rows(found),
        hide_index=True,
        column_config=_columns(),
        height=EDGES + LINE * min(LINES, len(found)),
        key=key,
        on_select=on_select,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": list(positions)}},
        placeholder="",
        alt=alt,
    )


def _selected() -> None:
    """Take over what the user has ticked; chosen runs that the filters hide stay chosen."""
    order, before = st.session_state[_ORDER], runs_filters.chosen()
    ticked = [order[row] for row in st.session_state[KEY]["selection"]["rows"] if row < len(order)]
    kept = [run_id for run_id in before if run_id in ticked or run_id not in order]
    runs_filters.choose([*kept, *(run_id for run_id in ticked if run_id not in kept)])


def _move_ticks(positions: list[int]) -> None:
    """Let the ticks stand where the chosen runs stand by now; a table that is new begins with them."""
    state = st.session_state.get(KEY)
    if state and sorted(state["selection"]["rows"]) != positions:
        st.session_state[KEY] = {"selection": {"rows": positions}}


def _head(found: Sequence[Summary], shown: Sequence[Summary], chosen: set[str]) -> None:
    """Show how many runs there are and how many are chosen, and the table as a file."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_count(found, shown, chosen), width="stretch")
        if chosen:
            st.button(
                "Choose none",
                icon=":material/close:",
                key="runs-none",
                type="tertiary",
                on_click=runs_filters.choose,
                args=((),),
            )
        st.download_button(
            "Data as CSV",
            lambda: csv_text(*as_table(shown)),
            "runs.csv",
            "text/csv",
            key="runs-csv",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )


def _count(found: Sequence[Summary], shown: Sequence[Summary], chosen: set[str]) -> str:
    text = f"{formats.count(len(found))} run{'s' * (len(found) != 1)}"
    if len(shown) < len(found):
        text = f"{formats.count(len(shown))} of {text}"
    if not chosen:
        return f"{text}. Tick the ones to look at or compare."
    hidden = len(chosen - {run.id for run in shown})
    aside = f", {formats.count(hidden)} of them hidden by the filters" if hidden else ""
    return f"{text}, {formats.count(len(chosen))} chosen{aside}."


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Name": column.TextColumn(width=176, pinned=True),
        "State": column.TextColumn(width=98),
        "Validation": column.NumberColumn(
            format="%.1f%%", width=78, help="Accuracy of the best epoch on the validation images."
        ),
        "Seconds": column.NumberColumn(
            format="localized",
            width=72,
            help="Training time with evaluation, interruptions not counted; of seeds computed at once that of all.",
        ),
        "Optimizer": column.TextColumn(width=86),
        "Rate": column.NumberColumn(format="%g", width=64, help="Learning rate."),
        "Batch": column.NumberColumn(format="localized", width=58, help="Images per step."),
        "Dropout": column.NumberColumn(format="%g", width=68, help="Share of units that are switched off."),
        "Epochs": column.NumberColumn(format="localized", width=60, help="Epochs that are complete."),
        "of": column.NumberColumn(format="localized", width=42, help="Epochs that were asked for."),
        "By epoch": column.LineChartColumn(width=95, help="Validation accuracy, epoch by epoch."),
        "Settings": column.TextColumn(width=240, help="Those that are not the usual ones."),
        "Parameters": column.NumberColumn(format="localized", width=86, help="Number of weights and biases."),
        "Started": column.DatetimeColumn(format="D MMM YYYY, HH:mm", width=140),
        "Tags": column.ListColumn(width=140),
        "Note": column.TextColumn(width=260),
    }


def _two_digits(seconds: float) -> float:
    """Round a time to what is worth reading."""
    return float(f"{seconds:.2g}") if seconds < 100 else float(f"{seconds:.3g}")
