"""What a run keeps of its epochs: checkpoints of the first, the best and the last, predictions of all."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from explorer.analysis.prediction_files import round_predictions, save_predictions
from explorer.analysis.predictions import Predictions
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, load_checkpoint, save_checkpoint
from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch

SPLITS = ("validation", "test")


def metrics(epoch: Epoch) -> dict[str, float]:
    """Return the figures of an epoch, without times."""
    return {
        "train_loss": epoch.train_loss,
        "train_accuracy": epoch.train_accuracy,
        "validation_loss": epoch.validation_loss,
        "validation_accuracy": epoch.validation_accuracy,
        "test_accuracy": epoch.test_accuracy,
    }


def best_epoch(epochs: Sequence[dict[str, Any]]) -> int | None:
    """Return the first epoch with the highest validation accuracy, from lines of a history."""
    best = max(epochs, key=lambda line: line["validation_accuracy"], default=None)
    return None if best is None else int(best["epoch"])


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


def tidy(run: Run, epochs: int, best: int | None, since: int = 1) -> None:
    """Drop weights that are not kept, and round the predictions of such epochs to half precision.

    Parameters
    ----------
    run : Run
    epochs : int
        How many are complete.
    best : int or None
        The best of them.
    since : int
        Look at the predictions from this epoch on.
    """
    for epoch in run.kept_epochs():
        if epoch not in (1, best, epochs):
            run.weights(epoch).unlink(missing_ok=True)
    for epoch in range(since, epochs):
        if epoch != best:
            for split in SPLITS:
                round_predictions(run.predictions(split, epoch))
