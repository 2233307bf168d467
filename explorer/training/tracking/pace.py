"""How often costly things are written, so that watching a run does not slow it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.01


class Pace:
    """Says in which epochs something is written: every one of a short run, evenly fewer of a long one.

    Besides `free` seconds, at most `SHARE` of the time since the start goes into it. The first and the last epoch of
    the configuration are always written.

    Parameters
    ----------
    epochs : int
        Epochs of the whole run.
    most : int
        Write in about so many of them at most.
    free : float
        Seconds that may be spent however short the run is.
    clock : callable, optional
        Returns seconds.
    """

    def __init__(
        self, epochs: int, most: int, free: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.epochs, self.stride, self.free = epochs, max(1, -(-epochs // most)), free
        self.clock, self.start, self.spent = clock, clock(), 0.0

    def due(self, epoch: int) -> bool:
        """Whether to write in this epoch."""
        if epoch in (1, self.epochs):
            return True
        allowed = self.free + SHARE * (self.clock() - self.start)
        return epoch % self.stride == 0 and self.spent < allowed

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Add the time of a block to what has been spent."""
        begun = self.clock()
        try:
            yield
        finally:
            self.spent += self.clock() - begun
