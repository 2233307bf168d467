"""Exporting a run as one zip file, and importing it elsewhere."""

import contextlib
import csv
import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, overload

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from explorer.analysis.evaluation.prediction_files import load_predictions
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ExplorerError, RunError
from explorer.files import replacing, write_bytes, write_json
from explorer.store import archives, runs, status
from explorer.store.archives import MB
from explorer.store.checkpoints import library_versions, load_checkpoint
from explorer.store.losses import FIELDS
from explorer.store.runs import Run, Status
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from explorer.training.queue.keeping import SPLITS, best_epoch, curve
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


FORMAT = 1
ABANDONED_SECONDS = 3600
"""An import that has not ended after so long was killed."""
MAX_DEVICE = 80
REASONS = ("epochs", "time", "patience", "user")

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class _EpochLine(_Line):
    kind: Literal["epoch"]
    epoch: Count
    train_loss: Amount | None
    train_accuracy: Share
    validation_loss: Amount
    validation_accuracy: Share
    test_accuracy: Share
    learning_rate: Amount
    train_seconds: Amount
    seconds: Amount
    train_objective: Amount | None = None
    validation_objective: Amount | None = None


class _StepLine(_Line):
    kind: Literal["step"]
    epoch: Count
    step: Count
    steps: Count
    loss: Amount | None
    learning_rate: Amount
    objective: Amount | None = None


class _Described(BaseModel):
    """The `config.json` of an archive."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    format: int = Field(ge=1)
    run: str = Field(pattern=rf"^{runs.RUN_ID.pattern}$")
    name: str
    note: str = ""
    tags: list[str] = []
    config: dict[str, Any]


COLUMNS = tuple(name for name in _EpochLine.model_fields if name not in ("kind", *FIELDS["epoch"]))
"""What every line of an epoch holds."""
_LINE: TypeAdapter[_EpochLine | _StepLine] = TypeAdapter(Annotated[_EpochLine | _StepLine, Field(discriminator="kind")])


def import_archive(source: Path | bytes) -> Run:
    """Make a new run of an archive that `export_run` wrote, here or elsewhere.

    The run has an id of its own; where it is from stands in its note and under `origin` in its description. It is
    finished: its state of training is not part of an archive, so it can be forked but not resumed.

    Parameters
    ----------
    source : Path or bytes
        The file, or its content.

    Raises
    ------
    RunError
        The archive is no archive of a run, is damaged or contradicts itself, or the run cannot be saved. Nothing of
        it is left on disk.
    """
    try:
        runs.folder().mkdir(parents=True, exist_ok=True)
        _sweep()
        with tempfile.TemporaryDirectory(dir=runs.folder(), prefix=".import-") as name:
            folder = Path(name)
            found = archives.unpack(source, folder)
            return _keep(folder, _Archive(folder, found))
    except OSError as error:
        raise RunError(f"The run cannot be saved: {error.strerror or error}. Free some disk space.") from None


def _sweep() -> None:
    """Remove what an import that was killed has left behind."""
    for left in runs.folder().glob(".import-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left)


class _Archive:
    """What an unpacked archive says, checked."""

    def __init__(self, folder: Path, found: list[str]) -> None:
        self.folder = folder
        self.described = self._description()
        self.config = self._config()
        self.lines = self._history()
        self.epochs = [line.model_dump() for line in self.lines if isinstance(line, _EpochLine)]
        self.best, self.last = best_epoch(self.epochs) or 0, len(self.epochs)
        self.weights = self._weights(found)
        self.predictions = [self._prediction(name) for name in found if archives.PREDICTIONS.fullmatch(name)]
        self.status = self._status()

    def _description(self) -> _Described:
        with _refused(archives.CONFIG):
            found = _Described.model_validate_json((self.folder / archives.CONFIG).read_bytes())
            edited = status.edit(status.EMPTY, found.name, found.note, found.tags)
        if found.format > FORMAT:
            _refuse(f"it was written by a newer version (format {found.format}); update this one")
        return found.model_copy(update={key: edited[key] for key in ("name", "note", "tags")})

    def _config(self) -> TrainConfig:
        with _refused(archives.CONFIG):
            return TrainConfig.parse(self.described.config)

    def _history(self) -> list[_EpochLine | _StepLine]:
        with _refused(archives.HISTORY):
            content = (self.folder / archives.HISTORY).read_bytes()
            lines = [_LINE.validate_json(line) for line in content.splitlines()]
        epochs = [line.epoch for line in lines if isinstance(line, _EpochLine)]
        if not epochs or epochs != list(range(1, len(epochs) + 1)) or len(epochs) > self.config.epochs:
            _refuse(f"the epochs in {archives.HISTORY} are not 1, 2, 3 and so on, up to {self.config.epochs:,}")
        if any(line.epoch > self.config.epochs for line in lines):
            _refuse(f"{archives.HISTORY} has steps of epochs that the run does not have")
        return lines

    def _weights(self, found: list[str]) -> dict[int, str]:
        """Return which file has the weights of which epoch."""
        files = {self.best: archives.CHECKPOINT}
        if archives.LAST in found:
            if self.last == self.best:
                _refuse(f"it has {archives.LAST}, although the last epoch is the best one")
            files[self.last] = archives.LAST
        for epoch, name in files.items():
            self._check_weights(name, epoch)
        return files

    def _check_weights(self, name: str, epoch: int) -> None:
        config, spec = self.config, catalog.get(self.config.dataset)
        with _refused(name):
            checkpoint = load_checkpoint(self.folder / name)
            checkpoint.classifier()
        if (checkpoint.model, checkpoint.options) != (config.model, config.options):
            _refuse(f"the network in {name} is another one than that of its settings")
        if (checkpoint.dataset, checkpoint.classes) != (config.dataset, spec.classes):
            _refuse(f"the network in {name} is of another data set than {config.dataset!r}")
        if (checkpoint.mean, checkpoint.std) != (spec.mean, spec.std):
            _refuse(f"the network in {name} expects another normalisation than that of {config.dataset!r}")
        if checkpoint.metrics.get("epoch") != epoch:
            _refuse(f"the network in {name} is not that of epoch {epoch}")

    def _prediction(self, name: str) -> str:
        split, _, number = Path(name).stem.partition("-")
        epoch = int(number)
        try:
            found = load_predictions(self.folder / name)
        except RunError:
            _refuse(f"{name} is damaged or holds no predictions")
        images = load_split(self.config.dataset, split)
        same = np.array_equal(found.labels, images.labels) and np.array_equal(found.indices, images.indices)
        if epoch > self.last or not same or (found.dataset, found.split) != (self.config.dataset, split):
            _refuse(f"{name} belongs to another run or data set")
        if found.classes != catalog.get(self.config.dataset).classes:
            _refuse(f"{name} names other classes than {self.config.dataset!r} has")
        if abs(found.accuracy - self.epochs[epoch - 1][f"{split}_accuracy"]) > 1e-9:
            _refuse(f"{name} contradicts the accuracy in {archives.HISTORY}")
        return name

    def _status(self) -> Status:
        with _refused(archives.STATUS):
            said = Status.model_validate_json((self.folder / archives.STATUS).read_bytes())
        accuracies = [line["validation_accuracy"] for line in self.epochs]
        return Status(
            state="finished",
            epoch=self.last,
            epochs=self.config.epochs,
            best_epoch=self.best,
            best_accuracy=max(accuracies),
            curve=curve(self.epochs),
            reason=said.reason if said.reason in REASONS else "user",
            seconds=self.epochs[-1]["seconds"],
            device=said.device[:MAX_DEVICE],
        )


def _keep(folder: Path, archive: _Archive) -> Run:
    """Make the run; the status, which says that it is finished, comes last."""
    described = archive.described
    run = runs.create(archive.config.model_dump(mode="json"), described.name)
    try:
        for name in ("weights", "predictions"):
            (run.path / name).mkdir()
        for epoch, name in archive.weights.items():
            (folder / name).replace(run.weights(epoch))
        for name in archive.predictions:
            (folder / name).replace(run.path / name)
        lines = [json.dumps(line.model_dump(exclude_unset=True), allow_nan=False) + "\n" for line in archive.lines]
        write_bytes(run.path / "history.jsonl", "".join(lines).encode())
        origin = f"Imported; it was run {described.run}."
        note = f"{described.note}\n\n{origin}".strip()
        texts = {"note": note if len(note) <= status.MAX_NOTE else described.note, "tags": described.tags}
        write_json(run.path / "config.json", run.description | texts | {"origin": {"run": described.run}})
        run.write_status(archive.status)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


@contextlib.contextmanager
def _refused(name: str) -> Iterator[None]:
    """Say of which file of the archive an error is."""
    try:
        yield
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))[:60]
        _refuse(f"{name} is not as it should be ({field + ': ' if field else ''}{first['msg'][:120]})")
    except ExplorerError as error:
        _refuse(f"{name}: {str(error)[:300].removesuffix('.')}")


def _refuse(reason: str) -> NoReturn:
    raise RunError(f"The archive cannot be imported: {reason}. Export the run again where it was made.")
