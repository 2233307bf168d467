"""`data`, `checkpoints` and `runs`: what there is."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import typer

from explorer.cli.output import Json, print_json, print_table
from explorer.data import catalog as datasets
from explorer.errors import ExplorerError
from explorer.store import catalog, runs
from explorer.ui.kit.numbers import percent

Item = TypeVar("Item")


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("data")(list_data)
    app.command("checkpoints")(list_checkpoints)
    app.command("runs")(list_runs)


def list_data(as_json: Json = False) -> None:
    """List the data sets, their sizes and where they come from."""
    specs = [datasets.get(name) for name in datasets.names()]
    if as_json:
        print_json([_dataset(spec) for spec in specs])
        return
    rows = [(s.name, f"{s.train:,}", f"{s.validation:,}", f"{s.test:,}", s.licence, s.source) for s in specs]
    print_table("Data sets", ("name", "train>", "validation>", "test>", "licence", "source"), rows)


def _dataset(spec: datasets.DatasetSpec) -> dict[str, Any]:
    names = ("name", "channels", "train", "validation", "test", "checksum", "licence")
    return {name: getattr(spec, name) for name in names} | {"classes": list(spec.classes)}


def list_checkpoints(as_json: Json = False) -> None:
    """List the shipped and imported checkpoints."""
    documents = _documents(catalog.shipped() + catalog.imported(), _checkpoint)
    if as_json:
        print_json(documents)
        return
    rows = [
        (
            str(d["name"]),
            str(d["dataset"] or "–"),
            str(d["model"]),
            percent(d["validation_accuracy"]),
            percent(d["test_accuracy"]),
            f"{d['parameters']:,}",
            f"{d['bytes'] / 1e6:.1f} MB",
        )
        for d in documents
    ]
    print_table("Checkpoints", ("name", "data", "model", "validation>", "test>", "parameters>", "size>"), rows)


def _checkpoint(path: Path) -> dict[str, Any]:
    from explorer.store.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(path)
    return {
        "name": checkpoint.name,
        "path": str(path),
        "dataset": checkpoint.dataset,
        "model": checkpoint.model,
        "validation_accuracy": _number(checkpoint.metrics.get("validation_accuracy")),
        "test_accuracy": _number(checkpoint.metrics.get("test_accuracy")),
        "parameters": checkpoint.parameters,
        "bytes": path.stat().st_size,
    }


def _number(value: object) -> float | None:
    """Return a figure of a checkpoint that may come from anywhere, if it is one."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def list_runs(as_json: Json = False) -> None:
    """List the runs, newest first."""
    documents = _documents(runs.list_runs(), _run)
    if as_json:
        print_json(documents)
        return
    rows = [(d["run"], d["name"], d["state"], f"{d['epoch']} / {d['epochs']}") for d in documents]
    print_table("Runs", ("run", "name", "state", "epochs>"), rows)


def _run(run: runs.Run) -> dict[str, Any]:
    status = run.status
    checkpoint = str(run.weights(status.epoch)) if status.epoch else None
    return {
        "run": run.id,
        "name": run.name,
        "state": status.state,
        "epoch": status.epoch,
        "epochs": status.epochs,
        "checkpoint": checkpoint,
    }


def _documents(items: Iterable[Item], describe: Callable[[Item], dict[str, Any]]) -> list[dict[str, Any]]:
    """Describe each item; one that is damaged is left out with a message, so that the others can be seen."""
    documents = []
    for item in items:
        try:
            documents.append(describe(item))
        except ExplorerError as error:
            typer.echo(f"Left out: {error}", err=True)
    return documents
