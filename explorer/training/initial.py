"""Starting from the weights of a checkpoint: fine-tuning, transfer to another data set, a second cycle."""

from collections.abc import Mapping
from typing import Any

import models
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
    classes = len(catalog.get(config.dataset).classes)
    if not fits(checkpoint, config.model, config.options, len(checkpoint.classes)):
        raise ConfigError(
            f"Field 'initial': {config.initial!r} is a {checkpoint.model!r} with the options {checkpoint.options}; "
            "choose the same model and options to start from its weights."
        )
    if len(checkpoint.classes) != classes:
        raise ConfigError(
            f"Field 'initial': {config.initial!r} tells {len(checkpoint.classes)} classes apart, "
            f"and {config.dataset!r} has {classes}."
        )
    return checkpoint


def fits(checkpoint: Checkpoint, model: str, options: Mapping[str, Any], classes: int) -> bool:
    """Whether a network of a model with these options, complete and validated, can start from a checkpoint."""
    if (checkpoint.model, len(checkpoint.classes)) != (model, classes):
        return False
    return models.get(model).validate(checkpoint.options).model_dump(mode="json") == dict(options)
