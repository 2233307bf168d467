"""The state of a run on disk."""

import pickle
from pathlib import Path

import torch

from explorer.errors import RunError
from explorer.files import replacing
from explorer.training.state import TrainingState


def save_state(path: Path, state: TrainingState) -> None:
    """Write a state, replacing an older one in one step.

    Raises
    ------
    OSError
        There is no room.
    """
    with replacing(path) as temporary:
        try:
            torch.save(state.tensors(), temporary)
        except RuntimeError as error:  # what PyTorch's own writer makes of a full disk
            raise OSError("the disk may be full") from error


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
