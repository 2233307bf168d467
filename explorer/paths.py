"""Where things lie on disk."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The project's own folder."""

SHIPPED_CHECKPOINTS = ROOT / "checkpoints"
DATA_FILES = ROOT / "explorer" / "data" / "files"


def home() -> Path:
    """Return the folder of runs, imported checkpoints and unpacked data: `EXPLORER_HOME` or `.explorer/`."""
    chosen = os.environ.get("EXPLORER_HOME")
    return Path(chosen).expanduser().resolve() if chosen else ROOT / ".explorer"
