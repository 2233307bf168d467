"""Watching a run: its progress, its curves, its newest epoch, and the buttons to steer it."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.experiments import seeds
from explorer.store import runs, summaries
from explorer.store.runs import ACTIVE, RESUMABLE, Run, Status
from explorer.store.status import DIVERGED
from explorer.training.queue import requests, steering
from explorer.ui.kit import address, figure, messages, run_history, run_text, seed_groups, state, training_form
from explorer.ui.kit.run_text import ICONS, damaged, describe, figures, next_epoch, rate
from explorer.ui.kit.text import markdown
from explorer.ui.train.epoch import curves, newest, prepare

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
    state.note_started([run.id])
    st.session_state[_VIEW] = TRAINING
    address.put(_RUN, run.id)
    figure.look_at(PLACE)


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
    figure.look_at(PLACE)


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
        history = run_history.read(run, status)
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


def _progress(run: Run, status: Status, history: run_history.History) -> None:
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
    waiting = requests.pending() if status.state == "queued" else []
    return waiting.index(run.id) if run.id in waiting else 0


def _title(run: Run) -> str:
    """Return name, time and the end of the id: two runs of one name and second are told apart."""
    found = summaries.summarise(run)
    if found.problem:
        return f"{run.id} · damaged"
    return f"{run_text.described(found)} · {run.id[9:11]}:{run.id[11:13]} · {run.id[-6:]}"


_DISCARDED = "watch:discarded"
_RATE = "watch-rate"
_USES: tuple[tuple[state.PageName, str, str], ...] = (
    ("evaluate", "Evaluate", ":material/query_stats:"),
    ("explain", "Explain", ":material/visibility:"),
    ("draw", "Draw", ":material/draw:"),
)


def controls(run: Run, status: Status) -> None:
    """Show what can be done with a run in its state."""
    with st.container(horizontal=True, gap="small", key="watch-controls"):
        if status.state in ACTIVE:
            _end(run, status)
        elif status.reason == DIVERGED:
            _lower_rate(run)
        elif status.state in RESUMABLE:
            st.button(
                "Resume",
                icon=":material/play_arrow:",
                type="primary",
                key="watch-resume",
                on_click=_act,
                args=(_resume, run),
            )
        if status.state != "finished" and status.reason != DIVERGED:
            _learning_rate(run, status)
        if status.state not in ACTIVE and status.best_epoch:
            _uses(run)
        _discard(run)


def was_discarded(run: Run) -> bool:
    """Whether this session has just discarded the run, and has not said so yet."""
    return bool(st.session_state.get(_DISCARDED) == run.id)


def say_discarded() -> bool:
    """Say once where a run is that this session has just discarded; return whether there was one."""
    discarded = bool(st.session_state.pop(_DISCARDED, None))
    if discarded:
        st.toast("The run lies in the bin. The page Runs can bring it back.", icon=":material/delete:", duration="long")
    return discarded


def _end(run: Run, status: Status) -> None:
    pausing, ending = run.requests.asked("stop"), run.requests.asked("finish")
    st.button(
        "Pause",
        icon=":material/pause:",
        key="watch-pause",
        help="It stands still after the step at hand, and can be resumed there.",
        disabled=pausing or ending,
        on_click=_act,
        args=(_pause, run),
    )
    st.button(
        "Stop and keep",
        icon=":material/stop:",
        key="watch-finish",
        help="It ends after the step at hand, is evaluated, and counts as finished.",
        disabled=pausing or ending or status.state != "running",
        on_click=_act,
        args=(steering.finish, run),
    )


def _lower_rate(run: Run) -> None:
    """Lead on from a run that diverged: resumed, it would do the same again."""
    lower = _base_rate(run) / 10
    st.button(
        f"Try a learning rate of {rate(lower)}",
        icon=":material/tune:",
        type="primary",
        key="watch-lower-rate",
        help="Fills in the form as for this run, with a tenth of its learning rate; nothing is started yet.",
        on_click=training_form.fill,
        args=(run.config | {"learning_rate": lower},),
    )


def _learning_rate(run: Run, status: Status) -> None:
    with st.popover("Learning rate", icon=":material/speed:", key="watch-rate-popover"):
        epoch = next_epoch(status)
        if epoch > status.epochs:
            st.markdown("This is the last epoch, so another learning rate would change nothing.")
            return
        key = f"{_RATE}-{run.id}"
        first = st.session_state.setdefault(f"{key}-first", _base_rate(run))
        st.number_input(
            f"From epoch {epoch} on",
            min_value=0.0,
            max_value=100.0,
            value=first,  # set through the session, it would be lost while the popover is closed
            step=first / 10,
            format="%g",
            key=key,
            help="With a schedule, this is the rate that the schedule starts from.",
        )
        st.button("Change", key="watch-rate-change", on_click=_change_rate, args=(run, key))
        if (pending := steering.pending_rate(run)) is not None:
            st.caption(f"Noted: {rate(pending)} from epoch {epoch} on.")


def _base_rate(run: Run) -> float:
    """Return the learning rate that was set last, before any schedule."""
    changes = [event["value"] for event in run.events() if event.get("kind") == "learning_rate"]
    return float(changes[-1] if changes else run.config.get("learning_rate", 0.001))


def _uses(run: Run) -> None:
    for page, title, icon in _USES:
        if st.button(title, icon=icon, key=f"to-{page}"):
            _open(page, checkpoint=run.id)
    if state.page_exists("runs") and st.button(
        "Fork",
        icon=":material/fork_right:",
        key="to-fork",
        help="Go on from one of its epochs with other settings, as a new run.",
    ):
        _open("runs", **{"chosen": run.id, "runs-show": "Fork"})


def _open(page: state.PageName, **parameters: str | int) -> None:
    """Open another page; this part of the page is run alone, and only the whole of it follows a link."""
    state.go(page, **parameters)
    st.rerun()


def _discard(run: Run) -> None:
    with st.popover("Discard", icon=":material/delete:", key="watch-discard-popover"):
        st.markdown("The run stops and goes to the bin, from where the page Runs can bring it back.")
        sure = state.may_discard(f"watch-discard-sure-{run.id}", [run.id])
        st.button(
            "Discard this run",
            key="watch-discard",
            type="primary",
            on_click=_throw_away,
            args=(run,),
            disabled=not sure,
        )


def _pause(run: Run) -> None:
    """Let a run stand still, and the seeds that it was started with; those that wait first, lest they begin."""
    active = [one for one in seeds.siblings(run) if one.status.state in ACTIVE] or [run]
    waiting = requests.pending()
    for one in sorted(active, key=lambda one: one.id not in waiting):
        steering.pause(one)


def _resume(run: Run) -> None:
    """Let a run go on, and the seeds that it was started with."""
    seeds.submit([one for one in seeds.siblings(run) if one.status.state in RESUMABLE] or [run])


def _act(action: Callable[[Run], object], run: Run) -> None:
    """Do something in a callback."""
    _done(action, run)


def _done(action: Callable[[Run], object], run: Run) -> bool:
    """Do something and say whether it could be done; what goes wrong is said beside the page, which is soon renewed."""
    try:
        action(run)
    except ExplorerError as error:
        st.toast(markdown(run_text.problem(error, run)), icon=":material/error:", duration="long")
        return False
    return True


def _change_rate(run: Run, key: str) -> None:
    wanted = st.session_state.get(key)
    _act(lambda run: steering.change_learning_rate(run, float(wanted or 0.0)), run)


def _throw_away(run: Run) -> None:
    if _done(steering.discard, run):
        st.session_state[_DISCARDED] = run.id
