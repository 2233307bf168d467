"""What the buttons of the page Runs do. Every click is answered on the page: what was done, or why it was not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError, RunError
from explorer.store import bin as runs_bin
from explorer.store import groups, runs, summaries
from explorer.store.runs import ACTIVE, Run
from explorer.store.summaries import Summary
from explorer.training.queue import steering
from explorer.ui.kit import numbers, run_text, training_form
from explorer.ui.kit.text import markdown, plain, shorten
from explorer.ui.runs import table

_NOTICE = "runs:notice"


@dataclass
class Notice:
    """What a click has done. `undo` holds the runs that went to the bin by it."""

    done: str = ""
    problems: list[str] = field(default_factory=list)
    undo: tuple[str, ...] = ()


def show_notice() -> None:
    """Show what the last click has done, once."""
    notice: Notice | None = st.session_state.pop(_NOTICE, None)
    if notice is None:
        return
    for problem in notice.problems:
        st.error(markdown(problem), icon=":material/error:")
    if notice.done:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.success(markdown(notice.done), icon=":material/check:")
            if notice.undo:
                st.button("Undo", icon=":material/undo:", key="runs-undo", on_click=restore, args=(notice.undo,))


@contextmanager
def answered() -> Iterator[Notice]:
    """Show on the page what happened in this block; for callbacks, which cannot show anything themselves."""
    notice = Notice()
    try:
        yield notice
    except ExplorerError as error:
        notice.problems.append(str(error))
    st.session_state[_NOTICE] = notice


def discard(ids: Iterable[str]) -> None:
    """Move runs to the bin; those that are being computed are stopped first."""
    with answered() as notice:
        moved = _each(ids, _discard, notice)
        notice.undo = tuple(run.id for run in moved.values())
        notice.done = f"{_name_or_count(moved)} in the bin.{_left_behind(moved)}" if moved else ""
        table.choose_ids(run_id for run_id in table.chosen_ids() if run_id not in moved)


def restore(ids: Iterable[str]) -> None:
    """Take runs out of the bin and choose them."""
    with answered() as notice:
        back = _each(ids, runs_bin.restore, notice)
        notice.done = f"{_name_or_count(back)} back among the runs." if back else ""
        table.choose_ids(run.id for run in back.values())


def empty_bin() -> None:
    """Delete for good what is in the bin."""
    with answered() as notice:
        count = runs_bin.empty()
        notice.done = f"The bin is empty; {count:,} run{'s are' if count != 1 else ' is'} deleted for good."


def use_settings(config: Mapping[str, Any]) -> None:
    """Open the page Train with its form filled in as for a run."""
    with answered():
        training_form.open_with(config)


def name_of(run: Run) -> str:
    """Return the name of a run, whatever state its files are in; not escaped."""
    try:
        return shorten(plain(run.name), 60) or run.id
    except RunError:
        return run.id


def _each(ids: Iterable[str], do: Callable[[str], Run], notice: Notice) -> dict[str, Run]:
    """Do something to each run; return those that it worked for as they are now, by their ids before."""
    found = {}
    for run_id in ids:
        try:
            found[run_id] = do(run_id)
        except ExplorerError as error:
            notice.problems.append(run_text.problem(error, Run(run_id, runs.folder() / run_id)))
    return found


def _discard(run_id: str) -> Run:
    run = runs.get(run_id)
    active = summaries.summarise(run).status.state in ACTIVE  # a damaged one has failed
    return steering.discard(run) if active else runs_bin.discard(run)


def _left_behind(moved: Mapping[str, Run]) -> str:
    """Say which seeds stand still because one that was computed together with them is gone."""
    ids = {one for run in moved.values() for one in groups.ids(run)}.difference(moved)
    states = [summaries.summarise(Run(one, runs.folder() / one)).status.state for one in ids]
    count = states.count("stopped")
    if not count:
        return ""
    return f" {count} other seed{'s' if count > 1 else ''} of the same computation stand{'s' * (count == 1)} still now."


def _name_or_count(found: Mapping[str, Run]) -> str:
    if len(found) > 1:
        return f"{len(found):,} runs are"
    return f"“{name_of(next(iter(found.values())))}” is"


def for_all(chosen: Sequence[Summary]) -> None:
    """Show the buttons for any number of chosen runs; in a horizontal container."""
    ids = tuple(run.id for run in chosen)
    st.button(
        "Delete" if len(ids) == 1 else f"Delete {numbers.many(len(ids), 'run')}",
        icon=":material/delete:",
        key="runs-delete",
        on_click=discard,
        args=(ids,),
        help="Moves them to the bin, from where they can be restored; what is being computed is stopped.",
    )
