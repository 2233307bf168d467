"""Importing an archive of a run: everything that it holds is checked before a run is made of it."""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from explorer.analysis.prediction_files import load_predictions
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ExplorerError, RunError
from explorer.files import write_bytes, write_json
from explorer.store import archives, description, runs
from explorer.store.checkpoints import load_checkpoint
from explorer.store.losses import FIELDS
from explorer.store.runs import Run, Status
from explorer.training.config import TrainConfig
from explorer.training.keeping import best_epoch, curve

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
            edited = description.edit(description.EMPTY, found.name, found.note, found.tags)
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
        texts = {"note": note if len(note) <= description.MAX_NOTE else described.note, "tags": described.tags}
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
