"""What commands print."""

import json
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from explorer.store.runs import Run
from explorer.ui.kit.numbers import percent

if TYPE_CHECKING:
    from explorer.training.records import Epoch


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def print_json(document: Any) -> None:
    """Print one strict JSON document (undefined numbers must already be null)."""
    sys.stdout.write(json.dumps(document, allow_nan=False, indent=2) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; a column whose name ends in `>` is aligned to the right."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False).print(table)


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

    def listen(self, record: object) -> None:
        """Show a record; of several seeds computed at once, the means."""
        from explorer.training.records import Epoch, SeedEpochs, Step

        now = time.monotonic()
        if isinstance(record, Step) and (now - self.shown > REFRESH_SECONDS) and not self.bar.disable:
            self.shown = now
            total, done = self.epochs * record.steps, (record.epoch - 1) * record.steps + record.step
            loss = f"{record.loss.mean().item():.4f}"
            self.bar.update(self.task, total=total, completed=done, epoch=f"{record.epoch}/{self.epochs}", loss=loss)
        elif isinstance(record, Epoch):
            self._print([record])
        elif isinstance(record, SeedEpochs):
            self._print([epoch for epoch in record.epochs if epoch])

    def _print(self, epochs: "Sequence[Epoch]") -> None:
        """Print a line for an epoch, of one seed or the mean of several."""

        def mean(name: str) -> float:
            return float(statistics.mean(getattr(epoch, name) for epoch in epochs))

        seeds = f" of {len(epochs)} seeds" if len(epochs) > 1 else ""
        line = (
            f"epoch {epochs[0].epoch}/{self.epochs}{seeds}: loss {mean('train_loss'):.4f}, "
            f"training accuracy {percent(mean('train_accuracy'))}, "
            f"validation accuracy {percent(mean('validation_accuracy'))}, "
            f"{mean('train_seconds'):.1f} s"
        )
        with suppress(OSError):  # what cannot be shown, as the disk of the log is full, is no fault of the run
            self.console.print(line, highlight=False, soft_wrap=True)
