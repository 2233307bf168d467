"""Exporting a run as one zip file, and importing it elsewhere."""

import csv
import io
import json
from pathlib import Path
from typing import Any, overload

import torch

from explorer.data.splits import load_split
from explorer.errors import ExplorerError, RunError
from explorer.files import replacing
from explorer.store import archives
from explorer.store.archives import MB
from explorer.store.checkpoints import library_versions, load_checkpoint
from explorer.store.losses import FIELDS
from explorer.store.runs import Run
from explorer.training._archived import COLUMNS, FORMAT, import_archive
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.keeping import SPLITS
from explorer.training.records import Cut
from explorer.training.script import plain_script

__all__ = ["export_run", "import_archive", "run_script"]

PREDICTIONS_SIZE = 20 * MB
"""Predictions of all epochs are part of an archive unless they would need more."""

ABOUT = {
    archives.CHECKPOINT: "the network after its best epoch by validation accuracy, {best}; it describes itself",
    archives.LAST: "the network after its last epoch, {last}, where that is not the best",
    archives.CONFIG: "the settings, and the name, note and tags",
    archives.TABLE: "losses and accuracies by epoch, for a spreadsheet; losses are cross entropies in nats, accuracies "
    "from 0 to 1{objective}",
    archives.HISTORY: "the same, and losses of single steps, a JSON object a line",
    archives.STATUS: "where the run stood",
    archives.SCRIPT: "a script that trains the same network from scratch, with PyTorch alone",
    archives.START: "the weights that the run began with, for the script",
    archives.INDICES: "the validation images: positions in the training file, counted from 0",
    "predictions/": "the outputs of every epoch for the validation and test images",
}


def run_script(run: Run) -> str:
    """Return a plain PyTorch script that trains what a run trained, learning rates set on the way included.

    Raises
    ------
    ConfigError, RunError
        The run's configuration is damaged, or its model cannot be written as a script.
    """
    events = run.events()
    rates = {event["epoch"]: event["value"] for event in events if event["kind"] == "learning_rate"}
    cuts = [Cut(event["epoch"], event["step"]) for event in events if event["kind"] == "cut"]
    threads = [event.get("threads", 0) for event in events if event["kind"] == "start"]
    config = TrainConfig.parse(run.config | {"threads": threads[0]} if threads else run.config)
    parent = run.description["parent"]
    return plain_script(config, rates=rates, cut=cuts[-1] if cuts else None, parent=parent)


@overload
def export_run(run: Run, target: Path, *, predictions: bool | None = None) -> Path: ...
@overload
def export_run(run: Run, target: None = None, *, predictions: bool | None = None) -> bytes: ...
def export_run(run: Run, target: Path | None = None, *, predictions: bool | None = None) -> Path | bytes:
    """Write a run as one zip file: its best and last network, settings, history, and a script that trains it anew.

    The same run gives the same bytes.

    Parameters
    ----------
    run : Run
        One that is not being computed, with at least one complete epoch.
    target : Path, optional
        The file, or a folder for a file named after the run; without it the content is returned.
    predictions : bool, optional
        Whether the outputs of every epoch are part of it; by default if they need at most 20 MB.

    Returns
    -------
    Path or bytes
        The file written, or its content.

    Raises
    ------
    RunError
        The run is being computed, has no complete epoch, is damaged, or the file cannot be written.
    ConfigError, CheckpointError
        Its configuration or a checkpoint is damaged.
    """
    try:
        files = _files(run, predictions)
        if target is None:
            stream = io.BytesIO()
            archives.pack(stream, files)
            return stream.getvalue()
        path = target / f"{run.id}.zip" if target.is_dir() else target
        with replacing(path) as temporary, temporary.open("wb") as file:
            archives.pack(file, files)
    except FileNotFoundError as error:
        raise RunError(f"{Path(error.filename or '').name} of run {run.id} is missing; nothing was exported.") from None
    except OSError as error:
        raise RunError(f"Run {run.id} cannot be exported: {error.strerror or 'writing failed'}.") from None
    return path


def _files(run: Run, predictions: bool | None) -> dict[str, bytes | Path]:
    if run.is_locked:
        raise RunError(f"Run {run.id} is being computed. Pause it, or wait for its end, then export it.")
    description, status, lines = run.description, run.status, run.history()
    epochs = [line for line in lines if line["kind"] == "epoch"]
    if not epochs or status.best_epoch is None:
        raise RunError(f"Run {run.id} has no complete epoch yet, so there is nothing to export.")
    best, last = status.best_epoch, epochs[-1]["epoch"]
    config = TrainConfig.parse(description["config"])
    versions = load_checkpoint(run.weights(best)).versions or library_versions()
    described = {"format": FORMAT, "run": run.id} | description | {"versions": versions}
    history = _lines(lines)
    validation = load_split(config.dataset, "validation").indices
    files: dict[str, bytes | Path] = {
        archives.CHECKPOINT: run.weights(best),
        archives.CONFIG: _json(described),
        archives.STATUS: _json(status.model_dump(mode="json")),
        archives.HISTORY: history if len(history) <= archives.SIZES[archives.HISTORY] else _lines(epochs),
        archives.TABLE: _table(epochs),
        archives.SCRIPT: run_script(run).encode(),
        archives.INDICES: "".join(f"{index}\n" for index in validation).encode(),
    }
    if last != best:
        files[archives.LAST] = run.weights(last)
    files |= _start(config) | _predictions(run, predictions)
    files[archives.README] = _readme(run, files, best, last)
    return files


def _predictions(run: Run, wanted: bool | None) -> dict[str, bytes | Path]:
    paths = [run.predictions(split, epoch) for epoch in run.predicted_epochs() for split in SPLITS]
    found: dict[str, bytes | Path] = {f"predictions/{path.name}": path for path in paths if path.is_file()}
    size = sum(path.stat().st_size for path in paths if path.is_file())
    room = len(found) <= archives.MAX_FILES - len(archives.SIZES) and size <= archives.MAX_BYTES // 2
    if wanted and not room:
        raise RunError(f"The predictions of run {run.id} are too many for an archive. Export it without them.")
    return found if wanted or (wanted is None and room and size <= PREDICTIONS_SIZE) else {}


def _start(config: TrainConfig) -> dict[str, bytes | Path]:
    """Return the weights that the run began with, if it began with a checkpoint that is still there."""
    try:
        checkpoint = initial_checkpoint(config)
    except ExplorerError:
        return {}
    if checkpoint is None:
        return {}
    stream = io.BytesIO()
    torch.save(dict(checkpoint.classifier().network.state_dict()), stream)
    return {archives.START: stream.getvalue()}


def _json(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False, indent=1).encode() + b"\n"


def _lines(documents: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in documents).encode()


def _table(epochs: list[dict[str, Any]]) -> bytes:
    """Return the history as CSV; it holds numbers alone, so nothing that a spreadsheet could take for a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = [*COLUMNS, *(name for name in FIELDS["epoch"] if any(name in line for line in epochs))]
    writer.writerow(columns)
    writer.writerows([_number(name, line.get(name)) for name in columns] for line in epochs)
    return stream.getvalue().encode()


def _number(name: str, value: Any) -> float | int | None:
    return None if value is None else int(value) if name == "epoch" else float(value)


def _readme(run: Run, files: dict[str, bytes | Path], best: int, last: int) -> bytes:
    names = [name for name in ABOUT if any(file.startswith(name) for file in files)]
    width = max(map(len, names))
    objective = f"; objectives are what was minimised: {run.objective}" if run.objective else ""
    lines = [f"{name:<{width}}  {ABOUT[name].format(best=best, last=last, objective=objective)}" for name in names]
    head = [f"Run {run.id}, exported from Fashion-MNIST Explorer.", "To import it: python -m explorer import FILE", ""]
    return "".join(line + "\n" for line in [*head, *lines]).encode()
