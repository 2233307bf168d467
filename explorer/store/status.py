"""Where a run stands."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["queued", "running", "stopped", "interrupted", "finished", "failed"]
ACTIVE: tuple[State, ...] = ("queued", "running")
RESUMABLE: tuple[State, ...] = ("stopped", "interrupted", "failed")
CURVE_POINTS = 60
DIVERGED = "diverged"


class Status(BaseModel):
    """Where a run stands.

    `epoch` counts the completed epochs, `step` and `steps` the unfinished one. `seconds` is the time from the
    first step to the last record, interruptions not counted. `curve` is the validation accuracy by epoch, thinned
    to at most `CURVE_POINTS` values; `reason` says why a finished run ended: `epochs`, `time`, `patience` or `user`;
    `diverged` that a failed one would fail again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State = "queued"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    best_epoch: int | None = None
    best_accuracy: float | None = None
    curve: tuple[float, ...] = ()
    reason: str = ""
    images_per_second: float | None = None
    seconds: float = 0.0
    parameters: int | None = None
    device: str = ""
    message: str = ""

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0 to 1."""
        if self.state == "finished":
            return 1.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + within) / self.epochs) if self.epochs else 0.0
