"""`export` and `import`: take a run to another machine, or out of this project altogether."""

from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.output import Json, print_json
from explorer.errors import RunError
from explorer.store import runs
from explorer.ui.kit.numbers import percent


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("export")(export_run)
    app.command("import")(import_run)


def export_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.")],
    output: Annotated[Path | None, typer.Option(help="The file to write, or the folder for it.")] = None,
    script: Annotated[bool, typer.Option("--script", help="Only a plain PyTorch script that trains the same.")] = False,
    predictions: Annotated[
        bool | None, typer.Option(help="Every epoch's outputs; by default if they need at most 20 MB.")
    ] = None,
) -> None:
    """Write a run as one zip file: networks, settings, history, and a script that trains it without this project."""
    from explorer.training import archives

    run = runs.get(run_id)
    if not script:
        path = archives.export_run(run, output or Path(f"{run.id}.zip"), predictions=predictions)
        typer.echo(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).", err=True)
        return
    text = archives.run_script(run)
    if output is None:
        typer.echo(text, nl=False)
        return
    path = output / "train.py" if output.is_dir() else output
    _write(path, text)
    typer.echo(f"Wrote {path} ({len(text.splitlines())} lines).", err=True)


def import_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip file that `export` wrote.")],
    as_json: Json = False,
) -> None:
    """Make a new run of an exported one. Whatever the file holds is checked first."""
    from explorer.training.archives import import_archive

    run = import_archive(file)
    status = run.status
    checkpoint = str(run.weights(status.epoch))
    if as_json:
        print_json(
            {
                "run": run.id,
                "name": run.name,
                "state": status.state,
                "epoch": status.epoch,
                "epochs": status.epochs,
                "checkpoint": checkpoint,
            }
        )
        return
    typer.echo(
        f"Imported as run {run.id}: {status.epoch} of {status.epochs} epochs, "
        f"best validation accuracy {percent(status.best_accuracy)} in epoch {status.best_epoch}."
    )


def _write(path: Path, text: str) -> None:
    from explorer.files import write_bytes

    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise RunError(f"The script cannot be written to {path.name!r}: {error.strerror}.") from None
