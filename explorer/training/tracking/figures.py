"""What trackers say of an epoch. The test set is not for them."""

from explorer.store.runs import Run
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch


def epoch_scalars(run: Run, config: TrainConfig, epoch: Epoch) -> dict[str, float]:
    """Return the figures of an epoch by the names under which trackers show them."""
    values = {
        "loss/train": epoch.train_loss,
        "loss/validation": epoch.validation_loss,
        "accuracy/train": epoch.train_accuracy,
        "accuracy/validation": epoch.validation_accuracy,
        "learning_rate": epoch.learning_rate,
    }
    if epoch.train_objective is not None and epoch.validation_objective is not None:
        values |= {"objective/train": epoch.train_objective, "objective/validation": epoch.validation_objective}
    if epoch.train_seconds > 0:
        values["images_per_second"] = _images(run, config, epoch.epoch) / epoch.train_seconds
    return values


def _images(run: Run, config: TrainConfig, epoch: int) -> int:
    """Count the images of an epoch, which the time budget or the user may have cut short."""
    cuts = [int(line["step"]) for line in run.events() if line["kind"] == "cut" and line["epoch"] == epoch]
    return min([config.subset, *(step * config.batch_size for step in cuts)])
