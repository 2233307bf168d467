"""What a model is used to: from when on an input is none of its classes, and how far its confidence can be trusted.

Both are learnt from 2,000 validation images beside the page.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.output import softmax
from explorer.data import catalog
from explorer.data.splits import load_split, stratify
from explorer.ui.draw import background
from explorer.ui.draw.background import Job
from explorer.ui.draw.models import Model
from explorer.ui.draw.sight import Sight
from explorer.ui.loaded import classifier, computing

if TYPE_CHECKING:
    from torch import nn

    from explorer.analysis.novelty import Detector, Memory, Novelty

JUDGED = 2_000
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
FEWEST = 20


@dataclass(frozen=True)
class Trust:
    """How often a model is right when it is about as confident as now.

    Attributes
    ----------
    low, high : float
        The range of confidence.
    right, of : int
        Of so many validation images in the range, so many were classified correctly.
    """

    low: float
    high: float
    right: int
    of: int


@dataclass(frozen=True, eq=False)
class Known:
    """What the validation images say of a model.

    Attributes
    ----------
    detector : Detector
    confidence : ndarray
        float64, shape (N,): probability of the predicted class of each of them.
    correct : ndarray
        bool, shape (N,).
    """

    detector: "Detector"
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]

    def judge(self, sight: Sight) -> "Novelty":
        """Say whether the image is unlike all that the first model knows; whoever asks again gets the same answer."""
        return _judged(self.detector, sight)

    def trust(self, confidence: float) -> Trust | None:
        """Return how often the model is right at such a confidence; None where too few images tell."""
        place = min(int(np.searchsorted(EDGES, confidence, side="right")) - 1, len(EDGES) - 2)
        low, high = EDGES[place], EDGES[place + 1]
        inside = (self.confidence >= low) & ((self.confidence < high) | (high == EDGES[-1]))
        if int(inside.sum()) < FEWEST:
            return None
        return Trust(low, high, int(self.correct[inside].sum()), int(inside.sum()))


def job(model: Model, dataset: str) -> Job:
    """Return the work that finds out, begun where it is new; its result is a `Known`."""
    checkpoint, network = model.checkpoint, classifier(model.checkpoint)
    key = ("known", checkpoint.digest, catalog.get(dataset).checksum)
    background.job("warm-up", lambda: _warm_up(network))
    return background.job(key, lambda: _learn(network, checkpoint.classes, checkpoint.digest, dataset))


def of(model: Model, dataset: str) -> Known | None:
    """Return what is known of a model; None while it is being found out, or where that failed."""
    result = job(model, dataset).result
    return result if isinstance(result, Known) else None


@lru_cache(maxsize=8)
def _judged(detector: "Detector", sight: Sight) -> "Novelty":
    return detector.judge(sight.first.logits, sight.image)


def _warm_up(network: "nn.Module") -> None:
    """Load what the first map of a drawing needs, so that no stroke waits for it."""
    import torch

    from explorer.analysis import attribution

    blank = torch.zeros(1, 1, 28, 28, device=next(network.parameters()).device)
    with computing():
        attribution.get("input-gradient").attribute(network, blank, torch.tensor([0]))


def _learn(network: "nn.Module", classes: tuple[str, ...], digest: str, dataset: str) -> Known:
    from explorer.analysis.novelty import Detector
    from explorer.analysis.predictions import Predictions, predict

    whole = load_split(dataset, "validation")
    rows = stratify(whole.labels, JUDGED)[1] if len(whole) > JUDGED else np.arange(len(whole))
    images = whole.images[rows]
    with computing():
        logits = predict(network, images)
    found = Predictions(logits, whole.labels[rows], rows, classes, digest, dataset, "validation")
    detector = Detector.from_predictions(found, images, _memory(dataset))
    shares = softmax(found.logits.astype(np.float64))
    return Known(detector, shares.max(axis=1), shares.argmax(axis=1) == found.labels)


@lru_cache(maxsize=2)
def _memory(dataset: str) -> "Memory":
    """Return the training images to compare with, the same for all models."""
    from explorer.analysis.novelty import Memory

    return Memory.of(load_split(dataset, "train"))
