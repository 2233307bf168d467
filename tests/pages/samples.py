"""A home with small, real checkpoints: softmax regression after a few steps of gradient descent."""

from functools import lru_cache
from pathlib import Path

import torch
from torch.nn import functional

import models
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.store.checkpoints import FORMAT, Metadata, library_versions, save_checkpoint
from explorer.store.runs import Run, Status, create

NAME = "small"
RUN_NAME = "Ann's *first* [try](http://x) <b>"
OPTIONS = {"hidden": []}


def fill(dataset: str = "fashion-mnist") -> Run:
    """Put an imported checkpoint and a finished run with two kept epochs into `EXPLORER_HOME`; return the run."""
    from explorer.store.catalog import imported_folder

    early, late = _train(dataset, (4, 40))
    _save(imported_folder() / f"{NAME}.safetensors", late, dataset, 0.75)
    run = create({"model": "mlp", "dataset": dataset, "epochs": 2}, RUN_NAME)
    _save(run.weights(1), early, dataset, 0.5)
    _save(run.weights(2), late, dataset, 0.75)
    run.write_status(Status(state="finished", epoch=2, epochs=2, best_epoch=2))
    return run


@lru_cache
def _train(dataset: str, stops: tuple[int, ...]) -> list[torch.nn.Module]:
    """Return copies of the model after so many steps on 2,000 images."""
    torch.manual_seed(0)
    spec, split = catalog.get(dataset), load_split(dataset, "train")
    pixels = (to_pixels(split.images[:2000]) - spec.mean) / spec.std
    labels = torch.tensor(split.labels[:2000])
    network = models.build("mlp", OPTIONS)
    kept = []
    for step in range(1, max(stops) + 1):
        loss = functional.cross_entropy(network(pixels), labels)
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter -= 0.02 * gradient
        if step in stops:
            copy = models.build("mlp", OPTIONS)
            copy.load_state_dict(network.state_dict())
            kept.append(copy)
    return kept


def _save(path: Path, network: torch.nn.Module, dataset: str, accuracy: float) -> None:
    spec = catalog.get(dataset)
    metadata = Metadata(
        format=FORMAT,
        model="mlp",
        options=OPTIONS,
        classes=spec.classes,
        mean=spec.mean,
        std=spec.std,
        config={"dataset": dataset},
        metrics={"validation_accuracy": accuracy, "test_accuracy": accuracy},
        versions=library_versions(),
    )
    save_checkpoint(path, network, metadata)
