"""The state of a run on disk."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from explorer.errors import RunError
from explorer.files import write_bytes
from explorer.training.state import TrainingState


def save_state(path: Path, state: TrainingState) -> None:
    """Write a state, replacing an older one in one step.

    Raises
    ------
    StorageError
        There is no room, or the folder cannot be written to.
    """
    write_tensors(path, state.tensors())


def write_tensors(path: Path, document: Mapping[str, Any]) -> None:
    """Write nested tensors as `torch.save` does, in one step.

    PyTorch's own writer makes a nameless error of a full disk and keeps the file open, so it writes to memory here.

    Raises
    ------
    StorageError
        There is no room, or the folder cannot be written to.
    """
    content = io.BytesIO()
    torch.save(document, content)
    write_bytes(path, content.getbuffer())


def load_state(path: Path, state: TrainingState, run_id: str) -> bool:
    """Go back to a saved state, if there is one; say whether there was.

    Raises
    ------
    RunError
        It is damaged.
    """
    if not path.exists():
        return False
    try:
        state.restore(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError):
        raise RunError(
            f"The saved state of run {run_id} is damaged, so it cannot go on. Its checkpoints are kept; "
            "start a new run with the same configuration."
        ) from None
    return True
