"""A gate that one at a time may pass."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets one thread at a time pass, in the order of coming.

    A lock knows no order: who comes back at once, as work in parts does, finds it open before those who wait.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[int] = deque()
        """Threads, the one inside first."""

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for the turn, and hold the gate until the block ends; not to be nested."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Let those who wait go first, where this thread is inside: long work does so between its parts."""
        if self._line and self._line[0] == threading.get_ident() and len(self._line) > 1:
            self._leave()
            self._enter()

    def _enter(self) -> None:
        me = threading.get_ident()
        with self._changed:
            self._line.append(me)
            self._changed.wait_for(lambda: self._line[0] == me)

    def _leave(self) -> None:
        with self._changed:
            self._line.popleft()
            self._changed.notify_all()
