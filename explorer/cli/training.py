"""`train` and `resume`: compute a run in this process."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from explorer.cli.output import Json, print_json
from explorer.errors import ConfigError, RunError
from explorer.store import runs
from explorer.store.runs import RESUMABLE
from explorer.ui.kit.numbers import percent

if TYPE_CHECKING:
    from explorer.training.config import TrainConfig

MAX_DIGITS = 5


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("train")(train)
    app.command("resume")(resume)
    app.command("fork")(fork)
    app.command("supervise", hidden=True)(supervise)


def train(
    config: Annotated[Path | None, typer.Option(help="A JSON file with fields of the configuration.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The data set.")] = None,
    model: Annotated[str | None, typer.Option(help="The architecture.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training set.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.")] = None,
    seeds: Annotated[int, typer.Option(help="Repeat with so many seeds, from --seed on; at once where possible.")] = 1,
    track: Annotated[list[str] | None, typer.Option(metavar="SERVICE", help="Also log to wandb.")] = None,
    name: Annotated[str, typer.Option(help="A display name for the run.")] = "",
    as_json: Json = False,
) -> None:
    """Train a model. Ctrl+C stops it; `resume` goes on."""
    from explorer import devices
    from explorer.training import tracking
    from explorer.training.config import TrainConfig
    from explorer.training.plan import make_plan
    from explorer.training.settings import apply_settings

    values = _read(config) if config else {}
    given = {"dataset": dataset, "model": model, "epochs": epochs, "seed": seed}
    values |= {key: value for key, value in given.items() if value is not None}
    parsed = TrainConfig.parse(apply_settings(values, settings or []))
    make_plan(parsed)
    devices.resolve(parsed.device)
    tracking.check(track or [])
    if seeds != 1:
        _repeat(parsed, seeds, name, track or [], as_json)
        return
    run = runs.create(parsed.model_dump(mode="json"), name)
    tracking.choose(run, track or [])
    typer.echo(f"Run {run.id}", err=True)
    _compute(run, as_json)


def _repeat(config: "TrainConfig", count: int, name: str, track: list[str], as_json: bool) -> None:
    """Train several seeds and print the document of each, and mean and spread of their accuracy."""
    from explorer.experiments import seeds
    from explorer.training import tracking

    made = seeds.create(config, count, name)
    for run in made:
        tracking.choose(run, track)
    typer.echo("Runs " + ", ".join(run.id for run in made), err=True)
    for run in made:
        _follow(run)
    documents = [result(run) for run in made]
    accuracies = [document["validation_accuracy"] for document in documents]
    spread = seeds.spread(accuracies)
    if as_json:
        figures = {"mean": spread.mean, "deviation": spread.deviation}
        print_json({"runs": documents, "validation_accuracy": figures})
        return
    for run, document in zip(made, documents, strict=True):
        typer.echo(f"Seed {run.config['seed']}: validation accuracy {percent(document['validation_accuracy'])}")
    typer.echo(
        f"Validation accuracy over {count} seeds: {percent(spread.mean)}, "
        f"standard deviation {100 * spread.deviation:.2f} points."
    )


def resume(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")],
    as_json: Json = False,
) -> None:
    """Go on with a stopped, interrupted or failed run; of a finished one, print the result."""
    run = runs.get(run_id)
    if run.status.state in RESUMABLE:
        run.clear_stop()
    _compute(run, as_json)


def fork(
    reference: Annotated[str, typer.Argument(metavar="RUN[@K]", help="A run and an epoch; its best one by default.")],
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training set, those of the run included.")] = None,
    name: Annotated[str, typer.Option(help="A display name for the fork.")] = "",
    as_json: Json = False,
) -> None:
    """Go on from an epoch of a run with other settings, in a run of its own."""
    from explorer.training.queue import forking
    from explorer.training.settings import apply_settings

    run_id, _, number = reference.partition("@")
    run = runs.get(run_id)
    epoch = _epoch(run, number)
    changes = apply_settings(run.config, [*(settings or []), *([] if epochs is None else [f"epochs={epochs}"])])
    made = forking.fork(run, epoch, changes, name)
    typer.echo(f"Run {made.id}, from epoch {epoch} of {run.id}", err=True)
    if not forking.optimizer_kept(run, epoch):
        typer.echo("The optimizer's state of that epoch was not kept; it starts fresh.", err=True)
    _compute(made, as_json)


def _epoch(run: runs.Run, number: str) -> int:
    if number and not (number.isdecimal() and len(number) <= MAX_DIGITS):
        raise RunError(f"{number[:40]!r} is not an epoch. Write RUN@K, for example {run.id}@3.")
    epoch = int(number) if number else run.status.best_epoch
    if epoch is None:
        raise RunError(f"Run {run.id} has no complete epoch to go on from.")
    return epoch


def supervise() -> None:
    """Compute the runs that the application queues; it starts this command itself."""
    from explorer.training.queue.supervisor import serve

    serve()


def _follow(run: runs.Run) -> None:
    """Compute a run, and those of its batch, with a progress bar."""
    from explorer.cli.output import TrainingProgress
    from explorer.training.queue.worker import compute

    try:
        with TrainingProgress(run) as progress:
            compute(run, progress.listen)
    except KeyboardInterrupt:
        typer.echo(f"Interrupted. To go on: python -m explorer resume {run.id}", err=True)
        raise


def _compute(run: runs.Run, as_json: bool) -> None:
    _follow(run)
    document = result(run)
    if as_json:
        print_json(document)
        return
    typer.echo(
        f"{run.status.state.capitalize()} after {document['epochs']} epochs and {document['seconds']:.1f} s: "
        f"validation accuracy {percent(document['validation_accuracy'])}, "
        f"test accuracy {percent(document['test_accuracy'])}.\n"
        f"Best epoch by validation: {document['best_epoch']}, {document['best_checkpoint']}"
    )


def result(run: runs.Run) -> dict[str, Any]:
    """Return what is known of a run at its end; the accuracies are those of its last epoch."""
    epochs, status = run.epochs(), run.status
    if not epochs or status.best_epoch is None:
        raise RunError(f"Run {run.id} was stopped before its first epoch was complete. Resume it to go on.")
    last = epochs[-1]
    return {
        "run": run.id,
        "checkpoint": str(run.weights(last["epoch"])),
        "best_checkpoint": str(run.weights(status.best_epoch)),
        "best_epoch": status.best_epoch,
        "epochs": last["epoch"],
        "seconds": status.seconds,
        "train_loss": last["train_loss"],
        "validation_accuracy": last["validation_accuracy"],
        "test_accuracy": last["test_accuracy"],
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(sys.stdin.read() if str(path) == "-" else path.read_text())
    except OSError as error:
        raise ConfigError(f"The configuration {path.name!r} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"The configuration {path.name!r} is not valid JSON.") from None
    if not isinstance(document, dict):
        raise ConfigError(f"The configuration {path.name!r} must be a JSON object of fields and values.")
    inner = document.get("config", document)  # a run's own config.json, or an exported one, holds it under this name
    return inner if isinstance(inner, dict) else document
