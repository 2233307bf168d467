"""What a user might pick instead of this project's loop; each runs the task's steps and returns their seconds."""

import logging
import os
import time
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.task import Task


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
        self.loader = torch.utils.data.DataLoader(task.tensors(), task.batch, shuffle=True)

    def run(self) -> float:
        """Fit for one epoch."""
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
