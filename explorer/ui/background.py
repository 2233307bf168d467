"""Work that goes on beside the page: asked for again and again, answered when it is done.

It runs in a thread of its own, one piece at a time, and waits for its turn in `loaded.computing`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

from explorer.errors import ExplorerError

T = TypeVar("T")

KEPT = 24
FAILED = "This could not be computed. Reload the page to try again."

_turn = threading.Lock()


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
    kept = _jobs()
    with _guard:
        if key not in kept:
            kept[key] = Job(work)
            while len(kept) > KEPT:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key]


_guard = threading.Lock()


@st.cache_resource(show_spinner=False)
def _jobs() -> "OrderedDict[Hashable, Job]":
    return OrderedDict()
