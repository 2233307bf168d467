"""What a run keeps of its epochs: predictions of all, weights and states of as many as the disk budget allows."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from explorer.analysis.evaluation.prediction_files import round_predictions, save_predictions
from explorer.analysis.evaluation.predictions import Predictions
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.files import link_or_copy
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, load_checkpoint, save_checkpoint
from explorer.store.losses import FIELDS
from explorer.store.runs import Run
from explorer.store.status import CURVE_POINTS
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch

SPLITS = ("validation", "test")


def metrics(epoch: Epoch) -> dict[str, float | None]:
    """Return the figures of an epoch, without times; the objective's only where it is not the cross entropy."""
    objectives = {name: getattr(epoch, name) for name in FIELDS["epoch"]}
    return {
        "train_loss": epoch.train_loss if math.isfinite(epoch.train_loss) else None,
        "train_accuracy": epoch.train_accuracy,
        "validation_loss": epoch.validation_loss,
        "validation_accuracy": epoch.validation_accuracy,
        "test_accuracy": epoch.test_accuracy,
    } | {name: value for name, value in objectives.items() if value is not None}


def best_epoch(epochs: Sequence[dict[str, Any]]) -> int | None:
    """Return the first epoch with the highest validation accuracy, from lines of a history."""
    best = max(epochs, key=lambda line: line["validation_accuracy"], default=None)
    return None if best is None else int(best["epoch"])


def curve(epochs: Sequence[dict[str, Any]]) -> tuple[float, ...]:
    """Return the validation accuracy by epoch, thinned evenly to what a small picture shows; the last one stays."""
    values = [float(line["validation_accuracy"]) for line in epochs]
    stride = -(-len(values) // CURVE_POINTS) or 1
    return tuple(values[::-1][::stride][::-1])


def kept(epoch: int) -> str:
    """Say what is left of a run that has failed after so many complete epochs."""
    return f"The checkpoint of epoch {epoch} is kept." if epoch else "No epoch was complete, so there is no checkpoint."


def save_epoch(run: Run, config: TrainConfig, network: nn.Module, epoch: Epoch) -> None:
    """Write the checkpoint and the predictions of an epoch, both in full precision."""
    spec = catalog.get(config.dataset)
    metadata = Metadata(
        format=FORMAT,
        model=config.model,
        options=config.options,
        classes=spec.classes,
        mean=spec.mean,
        std=spec.std,
        config=config.model_dump(mode="json"),
        metrics={"epoch": epoch.epoch} | metrics(epoch),
        versions=library_versions(),
    )
    path = run.weights(epoch.epoch)
    save_checkpoint(path, network, metadata)
    digest = load_checkpoint(path).digest
    for name in SPLITS:
        split = load_split(config.dataset, name)
        predictions = Predictions(
            epoch.logits[name], split.labels, split.indices, spec.classes, digest, split.dataset, split.name
        )
        save_predictions(run.predictions(name, epoch.epoch), predictions, full=True)


def tidy(run: Run, epochs: int, best: int | None, budget: float, since: int = 1) -> None:
    """Drop weights and states that the budget does not allow, and round the predictions of other epochs.

    Parameters
    ----------
    run : Run
    epochs : int
        How many are complete.
    best : int or None
        The best of them.
    budget : float
        Megabytes for weights and states of epochs other than the first, the best and the last.
    since : int
        Look at the predictions from this epoch on.
    """
    always = {1, best, epochs}
    left = _thin([run.weights(epoch) for epoch in range(1, epochs + 1)], always, budget * 1e6)
    _thin([run.saved_state(epoch) for epoch in range(1, epochs + 1)], {epochs}, left)
    for epoch in range(since, epochs):
        if epoch != best:
            for split in SPLITS:
                round_predictions(run.predictions(split, epoch))


def _thin(files: Sequence[Path], always: Collection[int | None], budget: float) -> float:
    """Delete files of epochs (the first is that of epoch 1) until the rest is evenly spread and fits the budget.

    Every second, fourth, eighth, ... epoch stays, so that what is dropped now is never missed when more epochs
    come. Returns what is left of the budget, in bytes.
    """
    sizes = {epoch: path.stat().st_size for epoch, path in enumerate(files, start=1) if path.exists()}
    size = max(sizes.values(), default=0)
    stride, wanted = 1, [epoch for epoch in range(1, len(files) + 1) if epoch not in always]
    while len(wanted) * size > budget:
        stride *= 2
        wanted = [epoch for epoch in wanted if (epoch - 1) % stride == 0 and stride <= len(files)]
    for epoch in sizes:
        if epoch not in always and epoch not in wanted:
            files[epoch - 1].unlink(missing_ok=True)
    return budget - len(wanted) * size


def keep_state(run: Run, epoch: int) -> None:
    """Keep the state saved last as that of an epoch; without room it is left out, for it is only a convenience."""
    kept = run.saved_state(epoch)
    try:
        kept.parent.mkdir(exist_ok=True)
        kept.unlink(missing_ok=True)
        link_or_copy(run.state_file, kept)
    except OSError:
        kept.unlink(missing_ok=True)
