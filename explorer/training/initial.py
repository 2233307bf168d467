"""Starting from the weights of a checkpoint: fine-tuning, transfer to another data set, a second cycle."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import models
from explorer.data import catalog
from explorer.errors import ConfigError
from explorer.store.catalog import resolve_name
from explorer.store.checkpoints import Checkpoint, load_checkpoint
from explorer.training.config import TrainConfig
from models.registry import build_meta


def inherited(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return configuration values with the model and options of the checkpoint they start from, where none are given.

    Raises
    ------
    ConfigError, CheckpointError, RunError
        There is no such checkpoint, or it cannot be used.
    """
    initial, options = values.get("initial"), values.get("options", {})
    if not initial or not isinstance(initial, str) or not isinstance(options, Mapping):
        return dict(values)
    model = values.get("model")
    if isinstance(model, str) and models.get(model).options.model_fields.keys() <= options.keys():
        return dict(values)
    checkpoint = _load(initial)
    if model not in (None, checkpoint.model):
        return dict(values)
    return {**values, "model": checkpoint.model, "options": {**checkpoint.options, **options}}


def initial_checkpoint(config: TrainConfig) -> Checkpoint | None:
    """Return the checkpoint that a configuration starts from; None where it starts from random weights.

    Raises
    ------
    ConfigError
        There is no such checkpoint, or its weights do not fit the model, its options or the number of classes.
    CheckpointError, RunError
        It cannot be used.
    """
    if not config.initial:
        return None
    checkpoint = _load(config.initial)
    classes = len(catalog.get(config.dataset).classes)
    if not fits((checkpoint.model, checkpoint.options), config.model, config.options):
        raise ConfigError(
            f"Field 'initial': the weights of {config.initial!r} are those of a {checkpoint.model!r} with the options "
            f"{checkpoint.options}; choose a model and options with weights of the same shapes."
        )
    if len(checkpoint.classes) != classes:
        raise ConfigError(
            f"Field 'initial': {config.initial!r} tells {len(checkpoint.classes)} classes apart, "
            f"and {config.dataset!r} has {classes}."
        )
    return checkpoint


def fits(source: tuple[str, Mapping[str, Any]], model: str, options: Mapping[str, Any]) -> bool:
    """Whether a network can start from the weights of another one, given as its model and options.

    What has no weights, such as dropout, may differ.

    Raises
    ------
    ConfigError
        A network cannot be built.
    """
    return source[0] == model and (source[1] == options or _weights(*source) == _weights(model, options))


def _weights(model: str, options: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return _shapes(model, json.dumps(dict(options), sort_keys=True))


@lru_cache(maxsize=256)
def _shapes(model: str, options: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return kind and shape of all weights in their order; dropout only moves the numbers of their names."""
    weights = build_meta(model, json.loads(options), probe=False).state_dict()
    return tuple((name.rpartition(".")[2], tuple(tensor.shape)) for name, tensor in weights.items())


def _load(initial: str) -> Checkpoint:
    path = resolve_name(initial)
    if path is None:
        raise ConfigError(
            f"Field 'initial': there is no checkpoint {initial!r}. Give the name of one, a run id or RUN@k."
        )
    return load_checkpoint(path)
