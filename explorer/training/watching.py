"""Watching a folder fifty times a second at the price of one look at its time of change."""

import os
import time
from pathlib import Path

SETTLED_SECONDS = 2.0
"""What was changed longer ago is not changed again without a new time of change; file systems keep coarse time."""
LOOK_SECONDS = 0.25
"""After so long a folder is listed in any case, as the clock of a file server may be another one."""


class WatchedFolder:
    """Whether a folder holds anything; it is listed only when it may have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._filled = False
        self._changed = self._looked = 0.0

    def is_filled(self) -> bool:
        """Whether there is anything in the folder; not where there is no folder."""
        try:
            changed, now = self._path.stat().st_mtime, time.time()
            settled = self._looked - changed > SETTLED_SECONDS and 0 <= now - self._looked < LOOK_SECONDS
            if changed != self._changed or not settled:
                with os.scandir(self._path) as entries:
                    self._filled = any(True for _ in entries)
                self._changed, self._looked = changed, now
        except FileNotFoundError:
            return False
        return self._filled
