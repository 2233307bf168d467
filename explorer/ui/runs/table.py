"""The table of all runs: one line a run, any number of them to be chosen."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import streamlit as st

from explorer.store import summaries
from explorer.store.runs import ACTIVE, RUN_ID
from explorer.store.summaries import Summary
from explorer.ui.kit import address, numbers, run_text
from explorer.ui.kit.figure import Cell, csv_text
from explorer.ui.kit.text import choice, markdown, plain, shorten

FIND, STATE, DATASET, MODEL, TAG = "runs-find", "runs-state", "runs-dataset", "runs-model", "runs-tag"
CHOSEN = "chosen"
_LINKED = "runs:linked"


@dataclass(frozen=True)
class RunFilters:
    """Which runs are shown; what is empty or None lets all pass."""

    find: str = ""
    state: str | None = None
    dataset: str | None = None
    model: str | None = None
    tag: str | None = None

    def matches(self, run: Summary) -> bool:
        """Whether a run is shown: every word of `find` stands in its name, note, tags or id."""
        text = "\n".join((run.name, run.note, *run.tags, run.id)).casefold()
        return (
            all(word in text for word in self.find.casefold().split())
            and self.state in (None, state_of(run))
            and self.dataset in (None, run.dataset)
            and self.model in (None, run.model)
            and (self.tag is None or self.tag in run.tags)
        )


def state_of(run: Summary) -> str:
    """Return the state by which a run is filtered."""
    return "damaged" if run.problem else run.status.state


def show(found: Sequence[Summary]) -> RunFilters:
    """Show the filters and return what they say."""
    states = {state_of(run): run_text.state(run) for run in found}
    datasets = {run.dataset: run_text.dataset(run.dataset) for run in found}
    models = {run.model: run.model for run in found}
    tags = {tag: tag for run in found for tag in run.tags}
    with st.container(horizontal=True, gap="small"):
        return RunFilters(
            _text(),
            _choice(STATE, "State", "All states", states),
            _choice(DATASET, "Data set", "All data sets", datasets),
            _choice(MODEL, "Model", "All models", models),
            _choice(TAG, "Tag", "All tags", tags),
        )


def clear() -> None:
    """Let all runs pass again; as a callback."""
    for key in (STATE, DATASET, MODEL, TAG):
        address.put(key, None)
    address.put(FIND, "")


def chosen_ids() -> tuple[str, ...]:
    """Return the ids of the chosen runs, in the order in which they were chosen; they may not exist."""
    asked = address.is_new(CHOSEN)
    ids, _ = address.adopt_several(CHOSEN, lambda name: RUN_ID.fullmatch(name) is not None)
    if asked:
        st.session_state[_LINKED] = ids
    return tuple(ids)


def linked_ids() -> tuple[str, ...]:
    """Return the runs that a link has chosen: they stand first, as nobody would look for them further down."""
    return tuple(st.session_state.get(_LINKED, ()))


def choose_ids(ids: Iterable[str]) -> None:
    """Choose other runs; in a callback."""
    address.put_several(CHOSEN, ids)


def _text() -> str:
    address.adopt_text(FIND)
    value = st.text_input(
        "Find",
        key=FIND,
        placeholder="Name, note, tag, id",
        icon=":material/search:",
        label_visibility="collapsed",
        width=200,
        on_change=address.touched,
        args=(FIND,),
    )
    address.keep({FIND: value}, {FIND: ""})
    return str(value)


def _choice(key: str, title: str, anything: str, titles: Mapping[str, str]) -> str | None:
    names = sorted(filter(None, titles))
    unknown = address.adopt(key, [None, *names], None)
    value = st.selectbox(
        title,
        names,
        index=None,
        format_func=lambda name: titles.get(str(name), str(name)),
        placeholder=anything,
        key=key,
        label_visibility="collapsed",
        width=142,
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: value}, {})
    if unknown is not None:
        st.caption(f"There is no run with the {title.lower()} “{markdown(shorten(plain(unknown)))}”.")
    return value


POLL_SECONDS = 2.0
KEY = "runs-table"
DROPOUT = f"{run_text.OPTION}dropout"
_ORDER = "runs-table:order"
LINE, EDGES, LINES = 33, 36, 8
"""Height of a line and of header and frame in pixels, and how many lines are seen at once."""


def choose(found: Sequence[Summary], filters: RunFilters) -> list[Summary]:
    """Show the runs that pass the filters, and return those that are chosen, hidden ones included.

    While a run is active, the table alone is renewed every other second.
    """
    ids = chosen_ids()
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
    status, settings = run.status, run_text.settings(run.config)
    return {
        "Name": plain(run.name),
        "State": run_text.state(run),
        "Validation": numbers.cell(status.best_accuracy),
        "Seconds": _two_digits(status.seconds),
        "Optimizer": choice(settings.get("optimizer", "")),
        "Rate": settings.get("learning_rate"),
        "Batch": settings.get("batch_size"),
        "Dropout": settings.get(DROPOUT),
        "Epochs": status.epoch,
        "of": status.epochs,
        "By epoch": [round(100 * value, 2) for value in status.curve],
        "Data set": run_text.dataset(run.dataset),
        "Model": plain(run.model),
        "Parameters": run_text.parameters(run),
        "Settings": run_text.changes(run.config),
        "Started": run.started,
        "Tags": [plain(tag) for tag in run.tags],
        "Note": plain(run.note),
    }


def as_table(found: Sequence[Summary]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows for a file: ids, full precision, and every setting of every run."""
    settings = [run_text.settings(run.config) for run in found]
    first = ("optimizer", "learning_rate", "batch_size", DROPOUT)
    names = dict.fromkeys([*first, *(name for one in settings for name in one)])
    others = [name for name in names if name not in ("dataset", "model", "epochs")]
    header = ["run", "name", "state", "best_validation_accuracy", "best_epoch", "epoch", "epochs", "dataset", "model"]
    return [*header, "parameters", "seconds", "tags", "note", *others], [
        [
            run.id,
            run.name,
            state_of(run),
            run.status.best_accuracy,
            run.status.best_epoch,
            run.status.epoch,
            run.status.epochs,
            run.dataset,
            run.model,
            run_text.parameters(run),
            run.status.seconds,
            ", ".join(run.tags),
            run.note,
            *(_cell(values.get(name)) for name in others),
        ]
        for run, values in zip(found, settings, strict=True)
    ]


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)


def _table(filters: RunFilters, ids: tuple[str, ...], was_active: bool) -> None:
    found = summaries.listing()
    active = any(run.status.state in ACTIVE for run in found)
    if active != was_active or chosen_ids() != ids:
        st.rerun()
    first = linked_ids()
    shown = sorted(filter(filters.matches, found), key=lambda run: run.id not in first)
    chosen = {run.id for run in found}.intersection(ids)
    _head(found, shown, chosen)
    if not shown:
        st.info("No run passes the filters.")
        if st.button("Show all runs", on_click=clear, key="runs-clear"):
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
    order, before = st.session_state[_ORDER], chosen_ids()
    ticked = [order[row] for row in st.session_state[KEY]["selection"]["rows"] if row < len(order)]
    kept = [run_id for run_id in before if run_id in ticked or run_id not in order]
    choose_ids([*kept, *(run_id for run_id in ticked if run_id not in kept)])


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
                on_click=choose_ids,
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
    text = f"{numbers.count(len(found))} run{'s' * (len(found) != 1)}"
    if len(shown) < len(found):
        text = f"{numbers.count(len(shown))} of {text}"
    if not chosen:
        return f"{text}. Tick the ones to look at or compare."
    hidden = len(chosen - {run.id for run in shown})
    aside = f", {numbers.count(hidden)} of them hidden by the filters" if hidden else ""
    return f"{text}, {numbers.count(len(chosen))} chosen{aside}."


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
