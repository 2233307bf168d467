"""The buttons with which a whole duel is steered."""

from collections.abc import Callable, Iterable

import streamlit as st

from explorer.errors import ExplorerError, RunError
from explorer.store.runs import ACTIVE, Run
from explorer.training import steering, supervisor
from explorer.ui.duel_standing import Standing, look
from explorer.ui.text import markdown
from explorer.ui.watch_steering import may_discard

Action = Callable[[Standing], None]


def controls(standing: Standing) -> None:
    """Show what can be done with a duel as it stands."""
    with st.container(horizontal=True, gap="small", width="content", key="duel-controls"):
        if standing.is_active:
            asked = any(run.run.requests.asked("stop") or run.run.requests.asked("finish") for run in standing.running)
            _button(
                "Pause", "pause", pause, standing, "All its runs stand still, and can be resumed there.", disabled=asked
            )
            _button(
                "Stop and keep",
                "stop",
                finish,
                standing,
                "The runs at hand end after this step, are evaluated and count as finished; seeds that wait do not "
                "begin.",
                disabled=asked or not standing.running,
            )
        elif any(run.status.state != "finished" for run in standing.runs):
            _button("Resume", "play_arrow", resume, standing, "It goes on where it stood still.", primary=True)


def pause(standing: Standing) -> None:
    """Let all runs of a duel stand still.

    Raises
    ------
    RunError
        None of them is active any more.
    """
    active = [run.run for run in standing.runs if run.status.state in ACTIVE]
    waiting = [run for run in active if run.id in standing.pending]
    _each(steering.pause, [*waiting, *(run for run in active if run not in waiting)])


def finish(standing: Standing) -> None:
    """Let the running runs of a duel end here and be kept; those that wait leave the queue.

    Raises
    ------
    RunError
        None of them is running any more.
    """
    running = [run for lane in standing.lanes for run in lane if any(one.status.state == "running" for one in lane)]
    ids = {run.id for run in running}
    waiting = [run.run for run in standing.runs if run.status.state in ACTIVE and run.id not in ids]
    if waiting:
        _each(steering.pause, waiting)
    _each(steering.finish, [run.run for run in running if run.status.state == "running"])


def resume(standing: Standing) -> None:
    """Put into the queue what of a duel is not finished: once for all that one process computes.

    Raises
    ------
    RunError
        A run cannot be queued.
    """
    for lane in standing.lanes:
        unfinished = [run.run for run in lane if run.status.state != "finished"]
        if unfinished and not standing.is_going(lane):
            for run in unfinished:
                run.clear_stop()  # of a request that came when it had just stopped
            supervisor.submit(unfinished[0])


def discard(standing: Standing) -> None:
    """Stop all runs of a duel and put them into the bin; those that are there already do not matter.

    Raises
    ------
    RunError
        A run is still at its last step.
    """
    if standing.is_active:
        pause(standing)
    for run in standing.runs:
        steering.discard(run.run)


def discard_button(standing: Standing) -> None:
    """Offer to throw a duel away; a further click confirms it."""
    with st.popover("Discard", icon=":material/delete:", key="duel-discard-popover"):
        st.markdown("All its runs stop and go to the bin, from where the page Runs can bring them back.")
        ids = [run.run.id for run in standing.runs]
        sure = may_discard(f"duel-discard-sure-{standing.duel.id}", ids)
        _button("Discard this duel", None, discard, standing, disabled=not sure, primary=True)


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
    standing: Standing,
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
        args=(action, standing),
    )


def _act(action: Action, standing: Standing) -> None:
    """Do something in a callback, to the duel as it stands now; what goes wrong is said beside the page."""
    try:
        action(look(standing.duel))
    except ExplorerError as error:
        st.toast(markdown(str(error)), icon=":material/error:", duration="long")
