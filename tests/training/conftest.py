import copy
import io
from dataclasses import replace

import pytest
import torch

from explorer.data import splits
from explorer.devices import resolve
from explorer.training import loop
from explorer.training.config import TrainConfig
from explorer.training.records import Epoch
from explorer.training.state import TrainingState

EVALUATED = 100


@pytest.fixture
def quick(monkeypatch):
    """Evaluate on 100 images only, with one thread: what is tested is the training."""

    def load(dataset, name):
        split = splits.load_split(dataset, name)
        if name == "train":
            return split
        parts = {field: getattr(split, field)[:EVALUATED] for field in ("images", "labels", "indices")}
        return replace(split, **parts)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(loop, "load_split", load)
    monkeypatch.setattr("explorer.training.queue.keeping.load_split", load)
    monkeypatch.setattr("explorer.training.seeds.loop.load_split", load)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def configure():
    """Make a small configuration."""

    def make(**values):
        return TrainConfig.parse({"subset": 40, "batch_size": 16, "epochs": 1, "device": "cpu", "threads": 1} | values)

    return make


class Training:
    """A configuration, its state and its records; `all` runs it to the end."""

    def __init__(self, config, saved=None, **keywords):
        self.config = config
        self.state = TrainingState(config, resolve("cpu"))
        if saved is not None:
            self.state.restore(saved)
        self.records = loop.train(config, self.state, **keywords)

    def all(self):
        return list(self.records)

    def saved(self):
        """The state as it comes back from disk."""
        file = io.BytesIO()
        torch.save(self.state.tensors(), file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    def weights(self):
        return copy.deepcopy(self.state.evaluated.state_dict())


@pytest.fixture
def training():
    return Training


@pytest.fixture
def same():
    """Compare nested states bit for bit, times aside."""

    def equal(one, two):
        if isinstance(one, torch.Tensor):
            return one.dtype == two.dtype and torch.equal(one, two)
        if isinstance(one, dict):
            keys = set(one) - {"seconds", "train_seconds"}
            return keys == set(two) - {"seconds", "train_seconds"} and all(equal(one[key], two[key]) for key in keys)
        if isinstance(one, list | tuple):
            return len(one) == len(two) and all(map(equal, one, two))
        return one == two

    return equal


@pytest.fixture
def figures():
    """What the epochs of some records say, times aside."""

    def collect(records):
        names = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_accuracy")
        epochs = [record for record in records if isinstance(record, Epoch)]
        return [
            [getattr(epoch, name) for name in names] + [epoch.logits[split].tobytes() for split in sorted(epoch.logits)]
            for epoch in epochs
        ]

    return collect
