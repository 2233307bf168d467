"""The buttons with which a run is steered, and those that lead on from it."""

from collections.abc import Callable, Iterable

import streamlit as st

from explorer.errors import ExplorerError
from explorer.store.runs import ACTIVE, RESUMABLE, Run, Status
from explorer.store.status import DIVERGED
from explorer.studies import seeds
from explorer.training import queue, steering
from explorer.ui import runs_actions, runs_words, state
from explorer.ui.text import markdown
from explorer.ui.watch_words import next_epoch, rate

_DISCARDED = "watch:discarded"
_STARTED = "watch:started"
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


def note_started(ids: Iterable[str]) -> None:
    """Remember that this session has started runs, so that it may discard them without being asked twice."""
    st.session_state.setdefault(_STARTED, set()).update(ids)


def may_discard(key: str, ids: Iterable[str]) -> bool:
    """Whether this session has started all of these runs; else whether the user says so, by a box shown here."""
    return st.session_state.get(_STARTED, set()).issuperset(ids) or st.checkbox(
        "It was not started in this window and may be somebody else's. Discard it nevertheless.", key=key
    )


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
        on_click=runs_actions.use_settings,
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
        sure = may_discard(f"watch-discard-sure-{run.id}", [run.id])
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
    waiting = queue.pending()
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
        st.toast(markdown(runs_words.problem(error, run)), icon=":material/error:", duration="long")
        return False
    return True


def _change_rate(run: Run, key: str) -> None:
    wanted = st.session_state.get(key)
    _act(lambda run: steering.change_learning_rate(run, float(wanted or 0.0)), run)


def _throw_away(run: Run) -> None:
    if _done(steering.discard, run):
        st.session_state[_DISCARDED] = run.id
