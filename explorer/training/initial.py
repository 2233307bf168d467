"""Starting from the weights of a checkpoint: fine-tuning, transfer to another data set, a second cycle."""

from explorer.data import catalog
from explorer.errors import ConfigError
from explorer.store.catalog import resolve_name
from explorer.store.checkpoints import Checkpoint, load_checkpoint
from explorer.training.config import TrainConfig


def initial_checkpoint(config: TrainConfig) -> Checkpoint | None:
    """Return the checkpoint that a configuration starts from; None where it starts from random weights.

    Raises
    ------
    ConfigError
        There is no such checkpoint, or it is of another model, with other options or another number of classes.
    CheckpointError, RunError
        It cannot be used.
    """
    if not config.initial:
        return None
    path = resolve_name(config.initial)
    if path is None:
        raise ConfigError(
            f"Field 'initial': there is no checkpoint {config.initial!r}. Give the name of one, a run id or RUN@k."
        )
    checkpoint = load_checkpoint(path)
    if (checkpoint.model, checkpoint.options) != (config.model, config.options):
        raise ConfigError(
            f"Field 'initial': {config.initial!r} is a {checkpoint.model!r} with the options {checkpoint.options}; "
            "choose the same model and options to start from its weights."
        )
    classes = len(catalog.get(config.dataset).classes)
    if len(checkpoint.classes) != classes:
        raise ConfigError(
            f"Field 'initial': {config.initial!r} tells {len(checkpoint.classes)} classes apart, "
            f"and {config.dataset!r} has {classes}."
        )
    return checkpoint
