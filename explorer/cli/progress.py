"""A progress bar on a terminal; a line an epoch elsewhere."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from explorer.store.runs import Run

if TYPE_CHECKING:
    from explorer.training.records import Record

REFRESH_SECONDS = 0.1


class TrainingProgress:
    """Shows the records of a run on standard error; for use as a context manager."""

    def __init__(self, run: Run) -> None:
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.epochs = run.status.epochs
        self.task = self.bar.add_task("", total=None, epoch="–", loss="–")
        self.shown = 0.0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def listen(self, record: "Record") -> None:
        """Show a record."""
        from explorer.training.records import Epoch, Step

        now = time.monotonic()
        if isinstance(record, Step) and (now - self.shown > REFRESH_SECONDS) and not self.bar.disable:
            self.shown = now
            total, done = self.epochs * record.steps, (record.epoch - 1) * record.steps + record.step
            loss = f"{record.loss.item():.4f}"
            self.bar.update(self.task, total=total, completed=done, epoch=f"{record.epoch}/{self.epochs}", loss=loss)
        elif isinstance(record, Epoch):
            self.console.print(
                f"epoch {record.epoch}/{self.epochs}: loss {record.train_loss:.4f}, "
                f"training accuracy {record.train_accuracy:.1%}, validation accuracy {record.validation_accuracy:.1%}, "
                f"{record.train_seconds:.1f} s",
                highlight=False,
                soft_wrap=True,
            )
