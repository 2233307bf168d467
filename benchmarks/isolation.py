"""Each contestant in a process of its own, so that what one library changes in PyTorch does not slow another."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class Isolated:
    """A contestant in another process, which sleeps while it is not its turn.

    Parameters
    ----------
    make : callable
        Returns the contestant, in the other process; importable.
    *arguments
        Of `make`.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, make, arguments), daemon=False)
        self.process.start()

    def run(self) -> float:
        """Let it run, and return the seconds that it took."""
        self.connection.send("run")
        seconds: float = self.connection.recv()
        return seconds

    def close(self) -> float:
        """End the process, and return its peak memory in MiB."""
        self.connection.send("end")
        peak: float = self.connection.recv()
        self.process.join()
        return peak


def _serve(connection: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    import resource

    contestant = make(*arguments)
    while connection.recv() == "run":
        connection.send(contestant.run())
    connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
