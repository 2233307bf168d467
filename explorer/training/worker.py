"""What runs in a worker process."""

import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.training.compute import compute

NICENESS = 10
"""Of 19; at 10 a process gets a tenth of the time of one that nobody has made nice, and all that others leave."""

_log = logging.getLogger(__name__)


def work(run_id: str) -> None:
    """Compute a run, and those of its batch; whatever goes wrong is in its status afterwards."""
    try:
        compute(runs.get(run_id))
    except (ExplorerError, KeyboardInterrupt) as error:
        _log.warning("%s: %s", run_id, error)  # unlike `print` it goes on where the disk of the log is full


def let_others_go_first() -> None:
    """Lower the priority of this process, which has no threads yet, below that of the pages."""
    if sys.platform == "win32":
        import ctypes

        itself = ctypes.c_void_p(-1)
        ctypes.windll.kernel32.SetPriorityClass(itself, subprocess.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        with suppress(OSError):
            os.nice(NICENESS)
            os.setsid()  # Linux may share the time among sessions first, and only then among their processes
            Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")
