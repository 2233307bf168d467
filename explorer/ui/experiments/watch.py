"""Watching a duel: how far both sides are, and their curves racing."""

from collections.abc import Callable, Iterable

import streamlit as st

from explorer.errors import ExplorerError, RunError
from explorer.experiments import duels
from explorer.experiments.duels import Duel
from explorer.store.runs import ACTIVE, Run
from explorer.training.queue import steering, supervisor
from explorer.ui.charts import duel as drawings
from explorer.ui.experiments import curves, progress
from explorer.ui.experiments.progress import DuelProgress, is_vectorised, look
from explorer.ui.kit import address, messages, numbers, state
from explorer.ui.kit.figure import beside, figure, look_at
from explorer.ui.kit.text import markdown

__all__ = ["choose", "follow", "watch"]

POLL_SECONDS = 1.0
PLACE = "duel-watch"
"""Key of the container in which the duel that is watched stands."""
OFFERED = 100
"""Duels to choose from, the newest."""
_DUEL = "duel"


def follow(duel: Duel) -> None:
    """Make a duel the one that is watched; before the page shows the choice of duels."""
    state.note_started(run_id for side in duels.SIDES for run_id in duel.runs[side])
    address.put(_DUEL, duel.id)
    look_at(PLACE)


def choose() -> Duel | None:
    """Let the user choose the duel to watch; at first the one in the URL, else the newest. None without duels."""
    found = {duel.id: duel for duel in duels.list_duels()}
    if _DUEL in st.session_state and st.session_state[_DUEL] not in found:
        del st.session_state[_DUEL]
        st.toast("The duel that was shown has been discarded. Its runs lie in the bin.", icon=":material/delete:")
    if not found:
        return None
    newest, asked = next(iter(found)), address.is_asked(_DUEL)
    unknown = address.adopt(_DUEL, list(found), newest)
    offered = dict.fromkeys([*list(found)[:OFFERED], st.session_state[_DUEL]])
    st.selectbox(
        "Duel",
        list(offered),
        format_func=lambda duel_id: _title(found[duel_id]),
        key=_DUEL,
        on_change=address.touched,
        args=(_DUEL,),
        label_visibility="collapsed",
    )
    if unknown is not None:
        st.toast("The duel in the link is not here; this one is shown instead.", icon=":material/info:")
    duel = found[st.session_state[_DUEL]]
    # What is shown unasked is not written: that would be a step more on the way back.
    address.keep({_DUEL: duel.id}, {} if asked else {_DUEL: newest})
    return duel


def watch(duel_progress: DuelProgress) -> None:
    """Show how a duel goes. Until it is over this part alone is renewed every second.

    A paused one is looked at too: it may be resumed in another tab.
    """
    st.fragment(_watch, run_every=None if duel_progress.is_over else POLL_SECONDS)(duel_progress)


def _watch(before: DuelProgress) -> None:
    with messages.shown():
        duel_progress = look(before.duel)
        if (duel_progress.is_over, duel_progress.is_active) != (before.is_over, before.is_active):
            st.rerun()  # the whole page, once: what stands around this part depends on it
        if not duel_progress.is_over:
            _progress(duel_progress)
        if any(run.status.state != "finished" for run in duel_progress.runs):
            with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
                controls(duel_progress)
                _say_left(duel_progress)
        for problem in progress.problems(duel_progress):
            st.warning(problem, icon=":material/warning:")
        _curves(duel_progress)


def _progress(duel_progress: DuelProgress) -> None:
    with st.container(gap="xsmall"):
        for side in duels.SIDES:
            share, text = progress.side(duel_progress, side)
            st.progress(min(1.0, share), text=text)


def _say_left(duel_progress: DuelProgress) -> None:
    vectorised = any(is_vectorised(runs) for runs in duel_progress.sides.values())
    if left := progress.left(duel_progress, vectorised):
        st.caption(left, width="content")


def _curves(duel_progress: DuelProgress) -> None:
    race = curves.race(duel_progress)
    with beside("duel-curves"):
        figure(
            drawings.accuracy_race(race),
            name="duel-accuracy",
            how_to_read=curves.accuracy(race, duel_progress.seeds),
            table=lambda: curves.table(duel_progress),
            width="stretch",
        )
        figure(
            drawings.loss_race(race),
            name="duel-loss",
            how_to_read=curves.loss(race),
            table=lambda: curves.table(duel_progress),
            width="stretch",
        )


def _title(duel: Duel) -> str:
    time = duel.id[14:20]
    seeds = numbers.many(len(duel.runs["a"]), "seed")
    return f"{progress.title(duel)} · {seeds} · {time[:2]}:{time[2:4]}:{time[4:]}"


Action = Callable[[DuelProgress], None]


def controls(duel_progress: DuelProgress) -> None:
    """Show what can be done with a duel as it stands."""
    with st.container(horizontal=True, gap="small", width="content", key="duel-controls"):
        if duel_progress.is_active:
            asked = any(
                run.run.requests.asked("stop") or run.run.requests.asked("finish") for run in duel_progress.running
            )
            _button(
                "Pause",
                "pause",
                pause,
                duel_progress,
                "All its runs stand still, and can be resumed there.",
                disabled=asked,
            )
            _button(
                "Stop and keep",
                "stop",
                finish,
                duel_progress,
                "The runs at hand end after this step, are evaluated and count as finished; seeds that wait do not "
                "begin.",
                disabled=asked or not duel_progress.running,
            )
        elif any(run.status.state != "finished" for run in duel_progress.runs):
            _button("Resume", "play_arrow", resume, duel_progress, "It goes on where it stood still.", primary=True)


def pause(duel_progress: DuelProgress) -> None:
    """Let all runs of a duel stand still.

    Raises
    ------
    RunError
        None of them is active any more.
    """
    active = [run.run for run in duel_progress.runs if run.status.state in ACTIVE]
    waiting = [run for run in active if run.id in duel_progress.pending]
    _each(steering.pause, [*waiting, *(run for run in active if run not in waiting)])


def finish(duel_progress: DuelProgress) -> None:
    """Let the running runs of a duel end here and be kept; those that wait leave the queue.

    Raises
    ------
    RunError
        None of them is running any more.
    """
    running = [
        run for lane in duel_progress.lanes for run in lane if any(one.status.state == "running" for one in lane)
    ]
    ids = {run.id for run in running}
    waiting = [run.run for run in duel_progress.runs if run.status.state in ACTIVE and run.id not in ids]
    if waiting:
        _each(steering.pause, waiting)
    _each(steering.finish, [run.run for run in running if run.status.state == "running"])


def resume(duel_progress: DuelProgress) -> None:
    """Put into the queue what of a duel is not finished: once for all that one process computes.

    Raises
    ------
    RunError
        A run cannot be queued.
    """
    for lane in duel_progress.lanes:
        unfinished = [run.run for run in lane if run.status.state != "finished"]
        if unfinished and not duel_progress.is_going(lane):
            for run in unfinished:
                run.clear_stop()  # of a request that came when it had just stopped
            supervisor.submit(unfinished[0])


def discard(duel_progress: DuelProgress) -> None:
    """Stop all runs of a duel and put them into the bin; those that are there already do not matter.

    Raises
    ------
    RunError
        A run is still at its last step.
    """
    if duel_progress.is_active:
        pause(duel_progress)
    for run in duel_progress.runs:
        steering.discard(run.run)


def discard_button(duel_progress: DuelProgress) -> None:
    """Offer to throw a duel away; a further click confirms it."""
    with st.popover("Discard", icon=":material/delete:", key="duel-discard-popover"):
        st.markdown("All its runs stop and go to the bin, from where the page Runs can bring them back.")
        ids = [run.run.id for run in duel_progress.runs]
        sure = state.may_discard(f"duel-discard-sure-{duel_progress.duel.id}", ids)
        _button("Discard this duel", None, discard, duel_progress, disabled=not sure, primary=True)


def _each(action: Callable[[Run], None], found: Iterable[Run]) -> None:
    """Do something to each run; one that has just ended does not matter unless all have."""
    problem, done = RunError("This duel is not being computed any more."), 0
    for run in found:
        try:
            action(run)
            done += 1
        except RunError as error:
            problem = error
    if not done:
        raise problem


def _button(
    title: str,
    icon: str | None,
    action: Action,
    duel_progress: DuelProgress,
    about: str | None = None,
    disabled: bool = False,
    primary: bool = False,
) -> None:
    st.button(
        title,
        icon=f":material/{icon}:" if icon else None,
        key=f"duel-{action.__name__}",
        help=about,
        disabled=disabled,
        type="primary" if primary else "secondary",
        on_click=_act,
        args=(action, duel_progress),
    )


def _act(action: Action, duel_progress: DuelProgress) -> None:
    """Do something in a callback, to the duel as it stands now; what goes wrong is said beside the page."""
    try:
        action(look(duel_progress.duel))
    except ExplorerError as error:
        st.toast(markdown(str(error)), icon=":material/error:", duration="long")
