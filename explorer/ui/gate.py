"""A gate that one at a time may pass."""

import heapq
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets those with haste through before others, who have `patience` seconds, and else all in the order of coming.

    A lock knows no order: who comes back at once, as work in small parts does, finds it open before those who wait.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int]] = []
        self._tickets = itertools.count()
        self._taken = False

    @contextmanager
    def passing(self, haste: bool = False) -> Iterator[None]:
        """Wait for the turn, and hold the gate until the block ends; not to be nested."""
        with self._changed:
            turn = (time.monotonic() + (0.0 if haste else self.patience), next(self._tickets))
            heapq.heappush(self._waiting, turn)
            self._changed.wait_for(lambda: not self._taken and self._waiting[0] == turn)
            heapq.heappop(self._waiting)
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()
