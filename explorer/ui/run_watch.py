"""Watching a run: its progress, its curves, its newest epoch, and the buttons to steer it."""

from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.store import runs, summaries
from explorer.store.runs import ACTIVE, Run, Status
from explorer.studies import seeds
from explorer.training import queue, steering
from explorer.ui import address, messages, runs_words, seed_groups, watch_history, widgets
from explorer.ui.text import markdown
from explorer.ui.watch_curves import curves
from explorer.ui.watch_epoch import newest, prepare
from explorer.ui.watch_steering import controls, note_started, say_discarded, was_discarded
from explorer.ui.watch_words import ICONS, damaged, describe, figures

__all__ = ["choose", "choose_view", "describe", "follow", "remember_problem", "show_problem", "watch"]

POLL_SECONDS = 1.0
PLACE = "watch"
"""Key of the container in which the run that is watched stands."""
NETWORK, TRAINING, QUEUE = "Network", "Training", "Queue"
VIEWS = (NETWORK, TRAINING, QUEUE)
OFFERED = 100
"""Runs to choose from here, the newest; the page Runs shows all."""

_RUN = "run"
_VIEW = "train-view"
_PROBLEM = "run:problem"


def follow(run: Run) -> None:
    """Make a run that this session has started the one that is watched; before the page shows the choice of runs."""
    note_started([run.id])
    st.session_state[_RUN] = run.id
    st.session_state[_VIEW] = TRAINING
    address.touched(_RUN)
    widgets.look_at(PLACE)


def choose_view() -> str:
    """Let the user choose what stands beside the form: one of `VIEWS`; the training as soon as there is a run."""
    if _VIEW not in st.session_state:
        st.session_state[_VIEW] = TRAINING if runs.list_runs() else NETWORK
    view = st.segmented_control("Beside the form", VIEWS, required=True, key=_VIEW, label_visibility="collapsed")
    return view or NETWORK


def choose() -> Run | None:
    """Let the user choose the run to watch; at first the one in the URL, else the newest. None without runs."""
    discarded_here, before = say_discarded(), st.session_state.get(_RUN)
    found = {run.id: run for run in runs.list_runs()}
    is_lost = before is not None and before not in found and not discarded_here
    if is_lost:
        del st.session_state[_RUN]
        _say_lost("The run that was shown")
    if not found:
        return None
    newest_run = next(iter(found))
    asked = address.is_asked(_RUN)
    unknown = address.adopt(_RUN, list(found), newest_run)
    offered = dict.fromkeys([*list(found)[:OFFERED], st.session_state[_RUN]])
    st.selectbox(
        "Run",
        list(offered),
        format_func=lambda run_id: _title(found[run_id]),
        key=_RUN,
        on_change=address.touched,
        args=(_RUN,),
        label_visibility="collapsed",
    )
    run = found[st.session_state[_RUN]]
    if unknown is not None and not is_lost:
        _say_lost("The run in the link")
    # What is shown unasked is not written: that would be a step more on the way back.
    address.keep({_RUN: run.id}, {} if asked else {_RUN: newest_run})
    return run


def _say_lost(which: str) -> None:
    st.toast(
        f"{which} is not here; it may have been discarded. The page Runs shows what lies in the bin.",
        icon=":material/info:",
        duration="long",
    )


def watch(run: Run) -> None:
    """Show a run. Until it is finished, and its other seeds too, this part alone is renewed every second.

    A paused one is looked at too: it may be resumed in another tab.
    """
    with messages.shown():
        if run.status.state in ACTIVE:
            prepare(run)
    polling = not _is_over(run)
    st.fragment(_watch, run_every=POLL_SECONDS if polling else None)(run, polling)


def show_problem() -> None:
    """Show what went wrong in the last click on the form, once."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(markdown(problem), icon=":material/error:")


def remember_problem(error: ExplorerError) -> None:
    """Keep the message of an error raised in a callback for `show_problem`."""
    st.session_state[_PROBLEM] = str(error)
    widgets.look_at(PLACE)


def _is_over(run: Run) -> bool:
    try:
        return all(one.status.state == "finished" for one in seeds.siblings(run))
    except ExplorerError:
        return False


def _watch(run: Run, polling: bool) -> None:
    if not run.path.is_dir():
        return _gone(run)
    with messages.shown():
        status = run.status
        if polling and _is_over(run):
            st.rerun()  # once, to end the polling and to offer the checkpoint in the sidebar
        history = watch_history.read(run, status)
        group = [summaries.summarise(one) for one in seeds.siblings(run)]
        with st.container(gap="xsmall"):
            _progress(run, status, history)
            _seeds(run, group)
            controls(run, status)
            curves(history, group)
            newest(run, status, history, group)
    return None


def _gone(run: Run) -> None:
    if was_discarded(run):
        st.rerun()
    st.info("This run is no longer here: it was discarded or deleted. The page Runs shows what lies in the bin.")
    if st.button("Show the newest run", key="watch-newest"):
        st.rerun()


def _progress(run: Run, status: Status, history: watch_history.History) -> None:
    config = _config(run)
    st.progress(status.progress, text=f"{ICONS[status.state]} {describe(status, config, _before(run, status))}")
    st.caption(figures(status, history, steering.pending_rate(run)))
    if status.message:
        show = st.error if status.state == "failed" else st.warning
        show(markdown(status.message))
    if history.damaged:
        st.warning(damaged(history.damaged))


def _seeds(run: Run, group: seed_groups.Group) -> None:
    """Say what the seeds come to that a run was started with."""
    if len(group) > 1:
        found = seed_groups.accuracy(group)
        text = f"Seed {_config(run).get('seed')} is one of {len(group)} that were started together"
        st.caption(f"{text}. Best validation accuracy: **{seed_groups.describe(found)}**." if found else f"{text}.")


def _config(run: Run) -> dict[str, Any]:
    try:
        return run.config
    except ExplorerError:
        return {}


def _before(run: Run, status: Status) -> int:
    waiting = queue.pending() if status.state == "queued" else []
    return waiting.index(run.id) if run.id in waiting else 0


def _title(run: Run) -> str:
    """Return name, time and the end of the id: two runs of one name and second are told apart."""
    found = summaries.summarise(run)
    if found.problem:
        return f"{run.id} · damaged"
    return f"{runs_words.described(found)} · {run.id[9:11]}:{run.id[11:13]} · {run.id[-6:]}"
