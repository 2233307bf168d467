"""What runs in a worker process."""

import sys

from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.training.compute import compute


def work(run_id: str) -> None:
    """Compute a run, and those of its batch; whatever goes wrong is in its status afterwards."""
    try:
        compute(runs.get(run_id))
    except (ExplorerError, KeyboardInterrupt) as error:
        print(f"{run_id}: {error}", file=sys.stderr)


def do_nothing() -> None:
    """Let the fork server start."""
