"""The training loops that are compared; each runs a number of steps and returns the seconds they took."""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers import Keras, Lightning, ScikitLearn, Skorch
from benchmarks.task import Task
from explorer.data import catalog, idx
from explorer.training.loop import train
from explorer.training.records import Epoch, Step


class Contestant(Protocol):
    """Runs the task's steps."""

    def run(self) -> float:
        """Return the seconds that the steps took."""
        ...


class ThisLoop:
    """The project's own loop."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def run(self) -> float:
        """Train until the steps are done."""
        records = train(self.task.config)
        started = time.perf_counter()
        for record in records:
            if isinstance(record, Step) and record.step == self.task.steps:
                return time.perf_counter() - started
        raise AssertionError("the epoch has fewer steps than the task")


class Evaluation:
    """The project's own evaluation after an epoch, as many images as there are for validation and test."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def run(self) -> float:
        """Return the time of one evaluation, scaled like the steps of the others."""
        config = self.task.config.model_copy(update={"subset": self.task.batch})
        for record in train(config):
            if isinstance(record, Step):
                started = time.perf_counter()
            elif isinstance(record, Epoch):
                return (time.perf_counter() - started) * self.task.steps / self.task.steps_per_epoch
        raise AssertionError("no epoch was completed")


class Floor:
    """Forward, backward and step on one resident batch."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.images = task.normalised()[: task.batch]
        self.labels = torch.from_numpy(task.split.labels[: task.batch].copy())

    def run(self) -> float:
        """Repeat the same step."""
        network, optimizer = self.task.network()
        started = time.perf_counter()
        for _ in range(self.task.steps):
            _step(network, optimizer, self.images, self.labels)
        return time.perf_counter() - started


class LoaderLoop:
    """A plain loop over a DataLoader."""

    def __init__(self, task: Task, dataset: Any, workers: int = 0) -> None:
        self.task = task
        self.loader = torch.utils.data.DataLoader(dataset, task.batch, shuffle=True, num_workers=workers)

    def run(self) -> float:
        """Loop over the loader; starting its workers is part of an epoch."""
        network, optimizer = self.task.network()
        started = time.perf_counter()
        for step, (images, labels) in enumerate(self.loader, start=1):
            _step(network, optimizer, images, labels)
            if step == self.task.steps:
                break
        return time.perf_counter() - started


class BestOf:
    """The quickest of several, decided once in the first round."""

    def __init__(self, candidates: Iterable[Contestant]) -> None:
        self.candidates = list(candidates)

    def run(self) -> float:
        """Run all the first time, and only the quickest afterwards."""
        seconds = [candidate.run() for candidate in self.candidates]
        self.candidates = [self.candidates[int(np.argmin(seconds))]]
        return min(seconds)


EVERYONE: dict[str, tuple[str | None, Callable[[Task], Contestant]]] = {
    "this loop": (None, ThisLoop),
    "this evaluation (not in the loop)": (None, Evaluation),
    "floor": (None, Floor),
    "usual PyTorch loop": (None, lambda task: BestOf(LoaderLoop(task, _torchvision(task), n) for n in (0, 2))),
    "TensorDataset and DataLoader": (None, lambda task: LoaderLoop(task, task.tensors())),
    "scikit-learn MLPClassifier": ("sklearn", ScikitLearn),
    "skorch": ("skorch", Skorch),
    "Lightning": ("lightning", Lightning),
    "Keras on PyTorch": ("keras", Keras),
}
"""By name: the package that it needs, and how it is made."""


def names(model: str, only: list[str] | None) -> list[str]:
    """Return who takes part; peers that are not installed or cannot do it are left out."""
    chosen = only or (list(EVERYONE) if model == "mlp" else list(EVERYONE)[:4])
    return [
        name
        for name, (package, _make) in EVERYONE.items()
        if name in chosen and (package is None or importlib.util.find_spec(package))
    ]


def make(name: str, model: str, batch: int, steps: int, threads: int) -> Contestant:
    """Return a contestant by name; to be called in its own process."""
    torch.set_num_threads(threads)
    return EVERYONE[name][1](Task(model, batch, steps, threads))


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()


def _torchvision(task: Task) -> torch.utils.data.Subset[Any]:
    """Return torchvision's FashionMNIST, its files unpacked into a temporary folder, cut to the training part."""
    from torchvision import datasets, transforms

    spec = catalog.get("fashion-mnist")
    folder = tempfile.TemporaryDirectory()
    raw = Path(folder.name) / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in spec.files:
        (raw / file.name.removesuffix(".gz")).write_bytes(idx.unpack(spec.folder / file.name))
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((spec.mean,), (spec.std,))])
    dataset = datasets.FashionMNIST(folder.name, train=True, transform=transform)
    folder.cleanup()
    return torch.utils.data.Subset(dataset, task.split.indices.tolist())
