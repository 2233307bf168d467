"""What `gradients` computes and prints: for each checkpoint the inputs whose gradient varies most over the images."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from explorer.analysis.gradients.files import save_gradients
from explorer.analysis.gradients.statistics import TOP, GradientStatistics, GradientTrials, Moments, RankedInput
from explorer.cli.output import print_table
from explorer.data import catalog
from explorer.data.splits import Split
from explorer.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from explorer.analysis.gradients.bulk import Of
    from explorer.store.checkpoints import Checkpoint

__all__ = ["TOP", "compute", "show"]

PLACE = ("input>", "row>", "column>")


def compute(
    checkpoints: "Sequence[tuple[str, Checkpoint]]",
    split: Split,
    of: str,
    csv: Path | None,
    parquet: Path | None,
    problems: dict[str, str],
) -> GradientTrials:
    """Differentiate every image with every checkpoint, and write the files that are asked for on the way.

    What is wrong with one of several checkpoints is added to `problems`, under its name.

    Raises
    ------
    ExplorerError
        There is no such class, no checkpoint can be used, or a file cannot be written.
    """
    what = _of(of, split.dataset)
    console = Console(stderr=True)
    trials: list[GradientStatistics] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for name, checkpoint in checkpoints:
            task = progress.add_task("gradients", total=len(split))
            moments = Moments()
            try:
                classifier = checkpoint.classifier()
                for done in save_gradients(classifier, split, csv=csv, parquet=parquet, of=what, listen=moments.add):
                    progress.update(task, completed=done)
                trials.append(moments.statistics(name, what))
            except CheckpointError as error:
                problems[name] = str(error)
    if not trials:
        raise CheckpointError(" ".join(problems.values()))
    return GradientTrials.of(trials)


def show(trials: GradientTrials, count: int) -> None:
    """Print a table for each trial, and one for all where there are several."""
    for trial in trials.trials:
        rows = [_cells(one, one.value) for one in trial.top(count)]
        print_table(f"{trial.name}, {trial.n:,} images", (*PLACE, "standard deviation of the gradient>"), rows)
    if len(trials.trials) > 1:
        columns = (*PLACE, "mean standard deviation>", "spread over the trials>")
        rows = [_cells(one, one.value, one.spread) for one in trials.top(count)]
        print_table(f"All {len(trials.trials)} trials", columns, rows)


def _of(text: str, dataset: str) -> "Of":
    classes = catalog.get(dataset).classes
    match text:
        case "loss" | "predicted" | "true":
            return text
        case _ if text.isdecimal() and int(text) < len(classes):
            return int(text)
        case _ if text in classes:
            return classes.index(text)
    named = ", ".join(f"{number} ({name})" for number, name in enumerate(classes))
    raise ConfigError(
        f"There is nothing called {text[:80]!r} to differentiate. Choose loss, predicted, true or a class: {named}."
    )


def _cells(one: RankedInput, *figures: float) -> tuple[str, ...]:
    return (f"{one.input}", f"{one.row}", f"{one.column}", *(f"{figure:.4g}" for figure in figures))
