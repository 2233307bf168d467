"""The training loops that are compared; each runs a number of steps and returns the seconds they took."""

import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.data import catalog, idx
from explorer.data.splits import Split, load_split
from explorer.training.config import TrainConfig
from explorer.training.loop import train
from explorer.training.plan import make_plan
from explorer.training.records import Epoch, Step
from explorer.training.state import TrainingState


@dataclass(frozen=True)
class Task:
    """What all do: `steps` steps of a model with Adam at `batch` images."""

    model: str
    batch: int
    steps: int
    threads: int

    @cached_property
    def config(self) -> TrainConfig:
        """The same task as a configuration of this project."""
        return TrainConfig(model=self.model, batch_size=self.batch, threads=self.threads, epochs=1)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of a whole epoch."""
        return make_plan(self.config).steps

    @cached_property
    def split(self) -> Split:
        """The training images."""
        return load_split("fashion-mnist", "train")

    def network(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return a fresh network and its optimizer, as this project makes them."""
        state = TrainingState(self.config, torch.device("cpu"))
        return state.network.train(), state.optimizer

    def normalised(self) -> Tensor:
        """Return all training images as normalised floats (54000, 1, 28, 28)."""
        spec = catalog.get("fashion-mnist")
        images = torch.from_numpy(self.split.images.copy()).unsqueeze(1).float().div_(255)
        return images.sub_(spec.mean).div_(spec.std)


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


class ScikitLearn:
    """scikit-learn's MLPClassifier."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.images = task.normalised().flatten(1).numpy()

    def run(self) -> float:
        """Fit for one epoch."""
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        model = MLPClassifier((100,), batch_size=self.task.batch, max_iter=1, tol=0.0, alpha=0.0)
        with threadpool_limits(self.task.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            started = time.perf_counter()
            model.fit(self.images, self.task.split.labels)
            return time.perf_counter() - started


class Skorch:
    """skorch's NeuralNetClassifier without its evaluation."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.images = task.normalised().numpy()

    def run(self) -> float:
        """Fit for one epoch."""
        from skorch import NeuralNetClassifier

        network, _ = self.task.network()
        model = NeuralNetClassifier(
            network,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            optimizer__fused=True,
            lr=self.task.config.learning_rate,
            batch_size=self.task.batch,
            max_epochs=1,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
            callbacks__print_log=None,
        ).initialize()
        started = time.perf_counter()
        model.partial_fit(self.images, self.task.split.labels)
        return time.perf_counter() - started


class Lightning:
    """Lightning's Trainer without logging, checkpoints and bars."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loader = torch.utils.data.DataLoader(_tensors(task), task.batch, shuffle=True)

    def run(self) -> float:
        """Fit for one epoch."""
        import logging

        import lightning

        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        network, optimizer = self.task.network()

        class Module(lightning.LightningModule):  # type: ignore[misc]
            def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
                return F.cross_entropy(network(batch[0]), batch[1])

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return optimizer

        module = Module()
        module.network = network
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = lightning.Trainer(
                max_epochs=1,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            started = time.perf_counter()
            trainer.fit(module, self.loader)
            return time.perf_counter() - started


class Keras:
    """Keras with PyTorch as its backend."""

    def __init__(self, task: Task) -> None:
        import os

        os.environ["KERAS_BACKEND"] = "torch"
        self.task = task
        self.images = task.normalised().flatten(1).numpy()

    def run(self) -> float:
        """Fit for one epoch."""
        import keras

        layers = [keras.Input((784,)), keras.layers.Dense(100, "relu"), keras.layers.Dense(10)]
        model = keras.Sequential(layers)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(self.task.config.learning_rate), loss)
        started = time.perf_counter()
        model.fit(self.images, self.task.split.labels, self.task.batch, epochs=1, verbose=0)
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


def make(task: Task, only: list[str] | None) -> dict[str, Contestant]:
    """Return the contestants for a task by name; peers that are not installed or cannot do it are left out."""
    everyone: dict[str, tuple[str | None, Callable[[], Contestant]]] = {
        "this loop": (None, lambda: ThisLoop(task)),
        "this evaluation (not in the loop)": (None, lambda: Evaluation(task)),
        "floor": (None, lambda: Floor(task)),
        "usual PyTorch loop": (None, lambda: BestOf(LoaderLoop(task, _torchvision(task), n) for n in (0, 2))),
        "TensorDataset and DataLoader": (None, lambda: LoaderLoop(task, _tensors(task))),
        "scikit-learn MLPClassifier": ("sklearn", lambda: ScikitLearn(task)),
        "skorch": ("skorch", lambda: Skorch(task)),
        "Lightning": ("lightning", lambda: Lightning(task)),
        "Keras on PyTorch": ("keras", lambda: Keras(task)),
    }
    chosen = only or (list(everyone) if task.model == "mlp" else list(everyone)[:4])
    return {
        name: build()
        for name, (package, build) in everyone.items()
        if name in chosen and (package is None or importlib.util.find_spec(package))
    }


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()


def _tensors(task: Task) -> torch.utils.data.TensorDataset:
    return torch.utils.data.TensorDataset(task.normalised(), torch.from_numpy(task.split.labels.copy()))


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
