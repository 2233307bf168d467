"""The errors that reach a user.

Each message is one plain sentence or two: what was wrong, and what to do about it. A page shows the message,
the command line prints it and exits with 1; neither shows a traceback.
"""

import errno


class ExplorerError(Exception):
    """Something the user can understand and act upon."""


class DataError(ExplorerError):
    """A data set is unknown, missing or damaged."""


class ConfigError(ExplorerError):
    """A setting is unknown, out of range or contradicts another."""


class CheckpointError(ExplorerError):
    """A checkpoint cannot be found, read or trusted."""


class RunError(ExplorerError):
    """A run cannot be found, started, resumed or finished."""


class DivergedError(RunError):
    """The loss of a run, or an output of its network, is no longer a finite number; to go on would repeat that."""


class DeviceError(ExplorerError):
    """The chosen device does not exist on this machine."""


class ImageError(ExplorerError):
    """A picture cannot be read or holds nothing to classify."""


class StorageError(ExplorerError, OSError):
    """Something cannot be written; it has the `errno` and `strerror` of the `OSError` that it is made from."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))

    def __str__(self) -> str:
        """Return what was wrong and what to do."""
        full = self.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some disk space" if full else "Make its folder writable"
        return f"This cannot be saved: {self.strerror}. {remedy}, then try again."
