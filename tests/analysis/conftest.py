import numpy as np
import pytest
import torch
from torch import nn

from explorer.analysis.evaluation.predictions import Predictions
from explorer.data.splits import Split
from explorer.store.checkpoints import Classifier

CLASSES = tuple("abcdefghij")


def _network(seed=0, dropout=0.5):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4 * 12 * 12, 10),
    )


@pytest.fixture
def classifier():
    """A small smooth network with weights of ordinary size, left in training mode on purpose."""
    return Classifier(_network(), mean=0.3, std=0.35).train()


@pytest.fixture
def linear():
    """A linear classifier and its slope with respect to pixels, shape (10, 28, 28)."""
    torch.manual_seed(1)
    layer = nn.Linear(784, 10)
    model = Classifier(nn.Sequential(nn.Flatten(), layer), mean=0.3, std=0.25).eval()
    return model, (layer.weight.detach() / 0.25).reshape(10, 28, 28)


@pytest.fixture
def split():
    """Forty noisy images with every class, their positions not consecutive."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    labels = np.tile(np.arange(10), 4)
    indices = 7 + 3 * np.arange(40)
    for array in (images, labels, indices):
        array.setflags(write=False)
    return Split("fashion-mnist", "test", images, labels, indices)


@pytest.fixture
def make_predictions():
    """Predictions of given logits and labels."""

    def make(logits, labels, classes=None):
        logits = np.asarray(logits, dtype=np.float32)
        labels = np.asarray(labels, dtype=np.int64)
        names = classes or tuple(f"class {k}" for k in range(logits.shape[1]))
        return Predictions(logits, labels, np.arange(len(labels)) + 5, names, "digest", "mnist", "validation")

    return make


@pytest.fixture
def random_predictions(make_predictions):
    """Predictions of 300 images in ten classes, better than chance."""
    random = np.random.default_rng(11)
    labels = random.integers(0, 10, 300)
    logits = random.normal(0, 1.5, (300, 10))
    logits[np.arange(300), labels] += 2
    return make_predictions(logits, labels, CLASSES)
