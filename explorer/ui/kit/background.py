"""Long computing: a button, progress with the time left, a way to stop it, and results that are kept.

The script's thread computes, a step at a time, and shows progress after each. Whatever the user presses meanwhile ends
the thread at that point; the computing is closed, and nothing of it stays. (Inside an `st.fragment` it would not: a
press there waits until the thread is done.)
"""

import threading
import time
from collections.abc import Callable, Generator, Hashable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st
from cachetools import LRUCache

from explorer.errors import ExplorerError
from explorer.ui.kit.models import computing
from explorer.ui.kit.numbers import seconds

Result = TypeVar("Result")

KEPT = 128
"""Results and jobs."""
FAILED = "This could not be computed. Reload the page to try again."
_PAUSE = 0.1
"""Seconds between two looks at the progress."""


@dataclass(frozen=True)
class WorkProgress(Generic[Result]):
    """Where some work stands.

    Attributes
    ----------
    share : float
        How much of it is done, 0 to 1.
    said : str
        What is being done; plain text.
    result
        What is known so far; that of the last step is the result.
    """

    share: float
    said: str
    result: Result


Steps = Generator[WorkProgress[Result], None, None]


_guard, _turn = threading.Lock(), threading.Lock()


@st.cache_resource(show_spinner=False)
def kept() -> "LRUCache[Hashable, Any]":
    """Return results and jobs of all sessions by what they were computed from, those that were used last."""
    return LRUCache(KEPT)


def known(key: Hashable) -> Any:
    """Return a result that is kept, None where there is none; that of `result` under its name and key."""
    with _guard:
        return kept().get(key)


def keep(key: Hashable, value: object) -> None:
    """Keep a result for all sessions."""
    with _guard:
        kept()[key] = value


def result(
    name: str,
    key: Hashable,
    label: str,
    steps: Callable[[], Steps[Result]],
    *,
    at_once: bool = False,
    primary: bool = True,
    help: str | None = None,
) -> Result | None:
    """Return a result if it is known; else compute it when the user asks for it, or at once.

    Parameters
    ----------
    name : str
        Of the work on its page; stem of the widgets' keys.
    key : hashable
        Everything that the result depends on.
    label : str
        Of the button; Markdown.
    steps : callable
        Begins the work. Each step is computed in turn with other sessions; the generator is closed when the work is
        stopped.
    at_once : bool
        Start without a button, unless the user has stopped it.
    primary : bool
        Whether the button is the one that the page is about.
    help : str, optional
        Of the button.

    Raises
    ------
    ExplorerError
        What the work raises.
    """
    whole = (name, key)
    found: Result | None = known(whole)
    if found is not None:
        return found
    slot = f"work:{name}"
    asked, said = st.session_state.get(slot, (None, False))
    wanted = said if asked == whole else at_once
    with st.container(horizontal=True, gap="small"):
        start, stop = st.empty(), st.empty()
    start.button(
        label,
        key=f"start-{name}",
        type="primary" if primary else "secondary",
        icon=":material/play_arrow:",
        help=help,
        disabled=wanted,
        on_click=_decide,
        args=(slot, whole, True),
    )
    if not wanted:
        return None
    stop.button("Stop", key=f"stop-{name}", icon=":material/stop:", on_click=_decide, args=(slot, whole, False))
    bar = st.progress(0.0, "Starting …")
    try:
        found = _run(steps(), bar.progress)
    except ExplorerError:
        st.session_state[slot] = (whole, False)
        bar.empty()
        raise
    st.session_state.pop(slot, None)
    keep(whole, found)
    for part in (start, stop, bar):
        part.empty()
    return found


def _decide(slot: str, key: Hashable, wanted: bool) -> None:
    st.session_state[slot] = (key, wanted)


def _run(steps: Steps[Result], report: Callable[[float, str], object]) -> Result:
    """Take every step and report on them now and then."""
    begun = told = time.monotonic()
    last: WorkProgress[Result] | None = None
    with closing(steps):
        while True:
            with computing():
                step = next(steps, None)
            if step is None:
                break
            last, now = step, time.monotonic()
            if now - told >= _PAUSE:
                told = now
                left = (now - begun) * (1 - step.share) / step.share if step.share > 0.02 else None
                rest = f", about {seconds(left)} left" if left is not None and left > 1 else ""
                report(min(1.0, step.share), f"{step.said}{rest}")
    if last is None:
        raise ValueError("There was nothing to do.")
    return last.result


class Job:
    """One piece of work: begun when it is made, `result` and `problem` are None until it is over."""

    def __init__(self, work: Callable[[], object]) -> None:
        """Begin."""
        self.result: object = None
        self.problem: str | None = None
        self._over = threading.Event()
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    @property
    def is_over(self) -> bool:
        """Whether there is a result or a problem."""
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return whether it has come."""
        return self._over.wait(seconds)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            with _turn:
                self.result = work()
        except ExplorerError as error:
            self.problem = str(error)
        except Exception:  # a thread's error reaches nobody: whoever asks is told that there is no answer
            self.problem = FAILED
        finally:
            self._over.set()


def job(key: Hashable, work: Callable[[], object]) -> Job:
    """Return the piece of work with this key, and begin it where it is new.

    Parameters
    ----------
    key : hashable
        Names what is computed, with everything that it depends on; shared by all sessions.
    work : callable
        Must not use Streamlit.
    """
    whole = ("job", key)
    with _guard:
        if whole not in kept():
            kept()[whole] = Job(work)
        found: Job = kept()[whole]
    return found
