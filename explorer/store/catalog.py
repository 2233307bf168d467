"""Finding checkpoints: by file, by the name of a shipped one, by run, or by run and epoch."""

import re
from pathlib import Path

from explorer.errors import CheckpointError
from explorer.paths import SHIPPED_CHECKPOINTS, home
from explorer.store import runs

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_RUN = re.compile(rf"({runs.RUN_ID.pattern})(?:@([0-9]{{1,5}}))?")


def shipped() -> list[Path]:
    """Return the checkpoints that come with the project, by name."""
    return sorted(SHIPPED_CHECKPOINTS.glob("*.safetensors"))


def imported_folder() -> Path:
    """Return where checkpoints from elsewhere are kept."""
    return home() / "checkpoints"


def imported() -> list[Path]:
    """Return the checkpoints that users brought, by name."""
    return sorted(imported_folder().glob("*.safetensors"))


def resolve(reference: str) -> Path:
    """Return the file that a reference means.

    Parameters
    ----------
    reference : str
        The path of a file; the name of a shipped or imported checkpoint; a run id (its best epoch by
        validation); or `RUN@k` for its epoch k.

    Raises
    ------
    CheckpointError, RunError
        There is no such thing, or the epoch's weights are not kept.
    """
    if found := resolve_name(reference):
        return found
    if path := _file(reference):
        return path
    known = ", ".join(file.stem for file in shipped() + imported())
    raise CheckpointError(
        f"There is no checkpoint {reference[:120]!r}. Give a file, a run id, or one of: {known or 'none yet'}."
    )


def resolve_name(reference: str) -> Path | None:
    """Return the file for a name or run, never for a path; `None` where there is none. For untrusted text."""
    if match := _RUN.fullmatch(reference):
        return _of_run(runs.get(match[1]), None if match[2] is None else int(match[2]))
    if _NAME.fullmatch(reference):
        for path in shipped() + imported():
            if path.stem == reference:
                return path
    return None


def _file(reference: str) -> Path | None:
    """Return the file at a path; `None` where there is none, or no file could have such a name."""
    try:
        path = Path(reference).expanduser()
        return path.resolve() if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _of_run(run: runs.Run, epoch: int | None) -> Path:
    wanted = run.status.best_epoch if epoch is None else epoch
    if wanted is None:
        raise CheckpointError(f"Run {run.id} has no checkpoint yet: no epoch is complete.")
    path = run.weights(wanted)
    if not path.is_file():
        kept = ", ".join(str(number) for number in run.kept_epochs()) or "none"
        raise CheckpointError(f"The weights of epoch {wanted} of run {run.id} are not kept; these are: {kept}.")
    return path
