"""What somebody asks of the process that computes a run: a small file in the run's directory each."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explorer.files import write_bytes

Request = Literal["stop", "finish", "rate"]


@dataclass(frozen=True)
class Requests:
    """The requests to one run.

    `stop` pauses it after its current step, `finish` ends it there and keeps what it has, `rate` changes the learning
    rate from the next epoch on.
    """

    path: Path

    def ask(self, what: Request, value: float | None = None) -> None:
        """Make a request, replacing an earlier one of its kind."""
        write_bytes(self.path / what, b"" if value is None else repr(value).encode())

    def withdraw(self, what: Request) -> None:
        """Take a request back, if there is one."""
        (self.path / what).unlink(missing_ok=True)

    def asked(self, what: Request) -> bool:
        """Whether the request stands."""
        return (self.path / what).exists()

    def value(self, what: Request) -> float | None:
        """Return the number that a request carries; None where there is no request, or no number in it."""
        try:
            value = float((self.path / what).read_text())
        except (OSError, ValueError):
            return None
        return value if math.isfinite(value) else None
