"""Watching a run: its progress, its curves and the buttons to stop, resume and use it."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.store.runs import ACTIVE, RESUMABLE, Run, Status
from explorer.training import queue, supervisor
from explorer.ui import charts, formats, state
from explorer.ui.text import markdown, shorten
from explorer.ui.widgets import figure

POLL_SECONDS = 1.0
_RUN = "run"
_PROBLEM = "run:problem"
_ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/model_training:",
    "stopped": ":material/pause_circle:",
    "interrupted": ":material/power_off:",
    "finished": ":material/check_circle:",
    "failed": ":material/error:",
}


def follow(run: Run) -> None:
    """Make a run the one that is watched; before the page shows the choice of runs."""
    st.session_state[_RUN] = run.id


def choose() -> Run | None:
    """Let the user choose the run to watch; at first the one in the URL, else the newest. None without runs."""
    found = {run.id: run for run in runs.list_runs()}
    if not found:
        return None
    if st.session_state.get(_RUN) not in found:
        asked = st.query_params.get(_RUN, "")
        st.session_state[_RUN] = asked if asked in found else next(iter(found))
    st.selectbox("Run", list(found), format_func=lambda run_id: _title(found[run_id]), key=_RUN)
    run = found[st.session_state[_RUN]]
    if st.query_params.get(_RUN) != run.id:
        st.query_params[_RUN] = run.id
    return run


def watch(run: Run) -> None:
    """Show a run; while it is active, this part alone is renewed every second."""
    active = run.status.state in ACTIVE
    if active:
        supervisor.ensure()
    st.fragment(_watch, run_every=POLL_SECONDS if active else None)(run, active)


def show_problem() -> None:
    """Show what went wrong in the last click, once."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(markdown(problem), icon=":material/error:")


def remember_problem(error: ExplorerError) -> None:
    """Keep the message of an error raised in a callback for `show_problem`."""
    st.session_state[_PROBLEM] = str(error)


def _watch(run: Run, was_active: bool) -> None:
    status = run.status
    if was_active and status.state not in ACTIVE:
        st.rerun()
    _progress(status)
    with st.container(horizontal=True):
        _buttons(run, status)
    _curves(run, status)


def _progress(status: Status) -> None:
    st.progress(status.progress, text=f"{_ICONS[status.state]} {describe(status)}")
    if status.message:
        show = st.error if status.state == "failed" else st.warning
        show(markdown(status.message))


def describe(status: Status) -> str:
    """Say in one line where a run stands."""
    epoch = f"epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}"
    if status.state == "queued":
        return "**Waiting** for its turn"
    if status.state == "finished":
        early = "" if status.epoch == status.epochs else f" of {status.epochs}; the time was up"
        return f"**Finished** after {_epochs(status.epoch)}{early} · {formats.seconds(status.seconds)}"
    if status.state != "running":
        return f"**{status.state.capitalize()}** in {epoch}"
    parts = [f"**Training**: {epoch}"]
    if status.steps:
        parts.append(f"step {formats.count(status.step)} of {formats.count(status.steps)}")
    if status.images_per_second:
        parts.append(f"{formats.count(status.images_per_second)} images per second")
    if status.progress > 0 and status.seconds:
        left = status.seconds * (1 - status.progress) / status.progress
        parts.append(f"about {formats.seconds(left)} left")
    return " · ".join(parts)


def _buttons(run: Run, status: Status) -> None:
    if status.state in ACTIVE:
        st.button("Stop", icon=":material/stop:", on_click=_stop, args=(run,), disabled=run.stop_requested)
    elif status.state in RESUMABLE:
        st.button("Resume", icon=":material/play_arrow:", type="primary", on_click=_resume, args=(run,))
    if status.best_epoch and status.state not in ACTIVE:
        for page, title, icon in (
            ("evaluate", "Evaluate", ":material/query_stats:"),
            ("explain", "Explain", ":material/visibility:"),
            ("draw", "Draw", ":material/draw:"),
        ):
            st.button(
                title, icon=icon, on_click=state.go, args=(page,), kwargs={"checkpoint": run.id}, key=f"to-{page}"
            )


def _stop(run: Run) -> None:
    try:
        queue.stop(run)
    except ExplorerError as error:
        remember_problem(error)


def _resume(run: Run) -> None:
    try:
        supervisor.submit(run)
    except ExplorerError as error:
        remember_problem(error)


def _curves(run: Run, status: Status) -> None:
    history = run.history()
    if not history:
        st.caption("The curves begin with the first steps.")
        return
    epochs = [line for line in history if line["kind"] == "epoch"]
    left, right = st.columns(2)
    with left:
        figure(
            charts.loss_curve(history, status.epochs),
            name="loss",
            how_to_read=_read_loss(epochs),
            table=lambda: charts.curve_table(history),
            width="stretch",
        )
    with right:
        figure(
            charts.accuracy_curve(history, status.epochs),
            name="accuracy",
            how_to_read=_read_accuracy(epochs, status),
            table=lambda: charts.curve_table(history),
            width="stretch",
        )


def _read_loss(epochs: list[dict[str, float]]) -> str:
    text = "The loss says how far the outputs are from the targets: lower is better. "
    if not epochs:
        return text + "The thin line is the loss of single batches; the points come with the first full epoch."
    last = epochs[-1]
    return text + (
        f"After epoch {last['epoch']} it is {formats.loss(last['train_loss'])} on the images it trains on and "
        f"{formats.loss(last['validation_loss'])} on {formats.count(6000)} it does not. "
        "When the first keeps falling and the second rises, the network learns by heart."
    )


def _read_accuracy(epochs: list[dict[str, float]], status: Status) -> str:
    if not epochs or status.best_epoch is None:
        return "The share of images named correctly; the points come with the first full epoch."
    best = next(line for line in epochs if line["epoch"] == status.best_epoch)
    last = epochs[-1]
    return (
        f"The share of images named correctly: {formats.percent(last['validation_accuracy'])} of the validation "
        f"images after epoch {last['epoch']}, at best {formats.percent(best['validation_accuracy'])} in epoch "
        f"{best['epoch']}. Training accuracy is measured while the weights change, with dropout and augmentation on, "
        "so it may lie below."
    )


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count != 1 else ''}"


def _title(run: Run) -> str:
    try:
        return f"{shorten(run.name, 60)} · {run.id[9:11]}:{run.id[11:13]}:{run.id[13:15]}"
    except ExplorerError:
        return f"{run.id} · damaged"
