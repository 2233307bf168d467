"""Steering a run from another process: pause, finish, discard, another learning rate.

Each returns at once, except `discard`; what takes effect, and when, is noted in the run's events.
"""

import time

from explorer.errors import RunError
from explorer.store import bin as runs_bin
from explorer.store.runs import ACTIVE, Run
from explorer.training.config import TrainConfig
from explorer.training.queue import requests

DISCARD_SECONDS = 10.0


def pause(run: Run) -> None:
    """Let a run stand still after its current step, or take a waiting one out of the queue.

    Raises
    ------
    RunError
        It is over already.
    """
    _refuse_unless_active(run, "paused")
    requests.stop(run)


def finish(run: Run) -> None:
    """End a running run after its current step; it is evaluated and kept as a finished one.

    Raises
    ------
    RunError
        It is not running.
    """
    if run.status.state != "running":
        raise RunError(f"Run {run.id} is not running, so there is nothing to finish. Resume it first, or leave it.")
    run.requests.ask("finish")


def discard(run: Run) -> Run:
    """Stop a run, put it into the bin, and return it as it is there.

    Raises
    ------
    RunError
        Its current step takes too long; it stops nevertheless, and can be put into the bin then.
    """
    if run.status.state in ACTIVE:
        requests.stop(run)
    deadline = time.monotonic() + DISCARD_SECONDS
    while run.is_locked:
        if time.monotonic() > deadline:
            raise RunError(f"Run {run.id} is still at its last step. Try again in a moment.")
        time.sleep(0.02)
    return runs_bin.discard(run)


def change_learning_rate(run: Run, rate: float) -> None:
    """Let the learning rate be another one from the run's next epoch on; a schedule goes on from there.

    Raises
    ------
    ConfigError
        The rate is out of range.
    RunError
        The run is over.
    """
    TrainConfig.parse({"learning_rate": rate})
    if run.status.state == "finished":
        raise RunError(f"Run {run.id} is finished. Fork it to go on with another learning rate.")
    run.requests.ask("rate", rate)


def pending_rate(run: Run) -> float | None:
    """Return the learning rate that is asked for and not yet in force."""
    return run.requests.value("rate")


def _refuse_unless_active(run: Run, participle: str) -> None:
    state = run.status.state
    if state not in ACTIVE:
        raise RunError(f"Run {run.id} is {state}, so it cannot be {participle}.")
