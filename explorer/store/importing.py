"""Keeping weights from elsewhere as a checkpoint like any other, under `EXPLORER_HOME/checkpoints`."""

import re
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from pydantic import ValidationError
from torch import Tensor

import models
from explorer.data import catalog as datasets
from explorer.errors import CheckpointError, ConfigError
from explorer.files import write_bytes
from explorer.store import catalog, runs
from explorer.store.checkpoints import FORMAT, Checkpoint, Classifier, Metadata, encode_checkpoint, load_checkpoint
from explorer.store.conversion import read_weights
from explorer.store.recognition import compare, shapes
from models.registry import InputShape, describe

NAME_LENGTH = 60
SIZE = InputShape().size


def import_described(data: bytes, name: str) -> Checkpoint:
    """Keep a checkpoint of this project that was made elsewhere.

    Raises
    ------
    CheckpointError
        Its description is damaged or does not fit its weights, or it cannot be saved.
    """
    read_weights(data, "checkpoint.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{slug(name)}.safetensors"
        path.write_bytes(data)
        _checked(load_checkpoint(path).classifier())
    return _keep(data, name)


def import_checkpoint(
    weights: Mapping[str, Tensor],
    *,
    model: str,
    options: Mapping[str, Any],
    dataset: str,
    mean: float,
    std: float,
    name: str,
) -> Checkpoint:
    """Save weights from elsewhere as a checkpoint.

    Parameters
    ----------
    weights : mapping of str to Tensor
        From `read_weights`.
    model, options
        The architecture; `guessing.guess` proposes some.
    dataset : str
        The data set whose classes are the outputs, in its order.
    mean, std : float
        What the network expects its pixels in [0, 1] to be normalised with.
    name : str
        Any text; the file is named after its letters and digits.

    Raises
    ------
    CheckpointError
        Tensors do not fit the architecture (each is listed), or the file cannot be written.
    ConfigError, DataError
        The options are impossible; the data set is unknown.
    """
    classifier = assemble(weights, model=model, options=options, dataset=dataset, mean=mean, std=std)
    described = {
        "format": FORMAT,
        "model": model,
        "options": models.get(model).validate(options).model_dump(mode="json"),
        "classes": datasets.get(dataset).classes,
        "mean": mean,
        "std": std,
        "config": {"dataset": dataset},
    }
    try:
        metadata = Metadata.model_validate(described)
    except ValidationError as error:
        raise ConfigError(describe(error, "the checkpoint", "field", Metadata)) from None
    return _keep(encode_checkpoint(classifier.network, metadata), name)


def assemble(
    weights: Mapping[str, Tensor], *, model: str, options: Mapping[str, Any], dataset: str, mean: float, std: float
) -> Classifier:
    """Build the classifier that weights from elsewhere make, in evaluation mode.

    Raises
    ------
    CheckpointError
        Tensors do not fit the architecture (each is listed), or the network answers with NaN.
    ConfigError, DataError
        The options are impossible; the data set is unknown.
    """
    classes = len(datasets.get(dataset).classes)
    comparison = compare(shapes(weights), model, options, classes)
    if comparison.problems:
        raise CheckpointError(f"The weights do not fit the model {model!r}: {'; '.join(comparison.problems)}.")
    network = models.build(model, options, InputShape(classes=classes))
    network.load_state_dict({ours: weights[theirs] for theirs, ours in comparison.renaming.items()})
    return _checked(Classifier(network, mean, std).eval())


def slug(name: str) -> str:
    """Return a safe file name (letters a to z, digits, hyphens) for any text, never one that means a run."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    short = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:NAME_LENGTH].strip("-") or "imported"
    return f"imported-{short}" if runs.RUN_ID.fullmatch(short) else short


def _checked(classifier: Classifier) -> Classifier:
    """Refuse a network that does not answer with numbers."""
    with torch.inference_mode():
        logits = classifier(torch.linspace(0, 1, 2 * SIZE**2).reshape(2, 1, SIZE, SIZE))
    if not torch.isfinite(logits).all():
        raise CheckpointError("The network answers with NaN: its weights are damaged (such as a negative variance).")
    return classifier


def _keep(content: bytes, name: str) -> Checkpoint:
    """Write the file under a name that is still free."""
    folder = catalog.imported_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            path = folder / f"{_free(slug(name))}.safetensors"
            write_bytes(path, content)
        return load_checkpoint(path)
    except OSError as error:
        raise CheckpointError(f"The checkpoint cannot be saved: {error.strerror}. Free some space.") from None


def _free(stem: str) -> str:
    taken = {path.stem for path in catalog.shipped() + catalog.imported()}
    number, free = 1, stem
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    return free
