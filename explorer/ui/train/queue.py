"""The queue: what is computed now, what waits for its turn, and how much is computed at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from explorer import devices
from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.store.runs import Run
from explorer.training.queue import requests
from explorer.ui.kit import numbers
from explorer.ui.kit.text import markdown, shorten

POLL_SECONDS = 1.0
MOST_ROWS = 20
_SLOTS = "queue-slots"
_PROBLEM = "queue:problem"


def show() -> None:
    """Show the runs that are computed and that wait, in their order; while there are any this part alone is renewed."""
    active = bool(requests.pending()) or bool(requests.running())
    st.fragment(_show, run_every=POLL_SECONDS if active else None)(active)


def _show(was_active: bool) -> None:
    running, waiting = requests.running(), requests.pending()
    if was_active and not running and not waiting:
        st.rerun()
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(markdown(problem), icon=":material/error:")
    if running or waiting:
        for run in running[:MOST_ROWS]:
            _running(run)
        for position, run_id in enumerate(waiting[:MOST_ROWS]):
            _waiting(run_id, position)
        if (more := len(waiting) - MOST_ROWS) > 0:
            st.caption(f"and {numbers.count(more)} more that wait")
    else:
        st.caption("Nothing is being computed, and nothing waits.")
    _slots()


def _running(run: Run) -> None:
    try:
        status, name = run.status, run.name
    except ExplorerError:
        return
    where = f"epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}, {numbers.percent(status.progress)}"
    with _row(":material/model_training:", name, where):
        _button("Pause", ":material/pause:", _stop, run.id, disabled=run.stop_requested)


def _waiting(run_id: str, position: int) -> None:
    try:
        name = runs.get(run_id).name
    except ExplorerError:
        return
    where = "waits, the next one" if position == 0 else f"waits behind {position}"
    with _row(":material/hourglass_empty:", name, where):
        _button("Cancel", ":material/close:", _stop, run_id)
        if position:
            _button("To the front", ":material/vertical_align_top:", _move_first, run_id)


@contextmanager
def _row(icon: str, name: str, where: str) -> Iterator[None]:
    """Show a run in two lines, so that it fits beside a form; its buttons stand in the second one."""
    with st.container(gap=None):
        st.markdown(f"{icon} **{markdown(shorten(name, 50))}**")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(where, width="content")
            yield


def _slots() -> None:
    """Show how many runs are computed at once; the file is what counts, as another tab may have changed it."""
    most = devices.cores()
    st.session_state[_SLOTS] = requests.slots()
    st.number_input(
        "Runs at once",
        1,
        most,
        key=_SLOTS,
        on_change=_set_slots,
        disabled=most == 1,
        help=f"How many runs are computed at the same time, up to {most}, one for each core; two that share the cores "
        "are each slower than one alone.",
        width=180,
    )


def _button(title: str, icon: str, action: Callable[[str], None], run_id: str, disabled: bool = False) -> None:
    key = f"queue-{title}-{run_id}"
    st.button("", icon=icon, key=key, help=title, type="tertiary", on_click=action, args=(run_id,), disabled=disabled)


def _stop(run_id: str) -> None:
    _attempt(lambda: requests.stop(runs.get(run_id)))


def _move_first(run_id: str) -> None:
    _attempt(lambda: requests.move_first(run_id))


def _set_slots() -> None:
    _attempt(lambda: requests.set_slots(st.session_state[_SLOTS]))


def _attempt(action: Callable[[], None]) -> None:
    """Do what a button says and keep what went wrong for the next drawing."""
    try:
        action()
    except ExplorerError as error:
        st.session_state[_PROBLEM] = str(error)
