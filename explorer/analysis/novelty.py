"""Whether an input is like anything in training: the out-of-distribution score, "none of these" beside the classes.

Four measures, for they fail at different things (`python -m benchmarks.novelty` measures each). The energy of the
logits (Liu, Wang, Owens & Li, "Energy-based out-of-distribution detection", NeurIPS 2020, with temperature 1) says how
little the model finds of any class. The distance to the fifth nearest training image (as Sun, Ming, Zhu & Li,
"Out-of-distribution detection with deep nearest neighbors", ICML 2022, but of pixels) says how unlike the picture is,
whatever the model makes of it. The same distance between outlines (histograms of oriented gradients), among the
training images of the predicted class alone, says how unlike that class it is: an A is quite like some digits, and not
at all like a 4. And what lies apart from the largest piece tells two figures from one. Each is measured from the median
of the validation images, in units of the way from there to their 99th percentile; less than the median counts as
nothing, so that a model's confidence cannot make up for a picture that is unlike all. The score is the length of all
together, and 1.5% of the validation images are beyond the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis._strangeness import NEIGHBOUR, SHARE, Memory, Usual, apart, energy
from explorer.analysis.prediction_files import load_stored
from explorer.analysis.predictions import FloatArray, Predictions, predict
from explorer.data import catalog
from explorer.data.splits import load_split, stratify
from explorer.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from explorer.store.checkpoints import Checkpoint

__all__ = ["JUDGED", "KNOWN", "NEIGHBOUR", "SHARE", "Detector", "Memory", "Novelty", "Usual", "energy", "sample"]

Gate = Callable[[], AbstractContextManager[object]]

JUDGED = 2_000
"""Validation images that say what is usual."""
KNOWN = 0.985
"""Share of them that count as known."""
LEAST = {"apart": (0.05,)}
"""Smallest range of a measure: whole figures are often in one piece, and a speck apart is not worth mentioning."""


@dataclass(frozen=True)
class Novelty:
    """How unlike the validation images an input is.

    Attributes
    ----------
    score, threshold : float
        At least 0, and the most that still counts as known; 1 is what one of the measures alone reaches in a
        hundredth of the validation images.
    percentile : float
        Percentage of the validation images with a lower score, 0 to 100.
    novel : bool
        Whether the score is above the threshold: none of these.
    values, percentiles : mapping of str to float
        Of each measure that could be taken, and the percentage of the validation images with a lower one: `energy` of
        the logits; `distance` to the fifth nearest remembered training image, pixels from 0 to 1; `outlines`, their
        distance from the fifth nearest of the predicted class; `apart`, the share of ink apart from the largest piece.
    causes : tuple of str
        Of a novel input the measures that make up at least a third of the score's square, the largest first.
    """

    score: float
    threshold: float
    percentile: float
    novel: bool
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    causes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For JSON: `score`, in units of the threshold, and `flagged`."""
        return {"score": self.score / self.threshold if self.threshold else self.score, "flagged": self.novel}


@dataclass(frozen=True, eq=False)
class Detector:
    """What the measures of validation images are, and from where on an input is novel.

    Attributes
    ----------
    usual : mapping of str to Usual
        Each measure of the validation images.
    scores : Usual
        Of the validation images.
    threshold : float
        The score that the chosen share of the validation images does not exceed.
    memory : Memory or None
    """

    usual: Mapping[str, Usual]
    scores: Usual
    threshold: float
    memory: Memory | None = None

    @classmethod
    def from_predictions(
        cls,
        validation: Predictions,
        images: NDArray[np.uint8] | None = None,
        memory: Memory | None = None,
        share: float = KNOWN,
    ) -> Detector:
        """Take the measure of the validation images.

        Parameters
        ----------
        validation : Predictions
            Of the validation split.
        images : ndarray, optional
            uint8, shape (N, H, W): the same images, to measure them too; of more than 2,000, so many of every class
            in proportion are judged.
        memory : Memory, optional
            Training images to measure distances from; without them the energy alone is judged.
        share : float
            How many of the validation images are to count as known.

        Raises
        ------
        DataError
            There are no validation images.
        CheckpointError
            A logit is not finite.
        """
        if not validation.n:
            raise DataError("There are no validation images to learn from what is usual.")
        if images is None or memory is None:
            measured = {"energy": energy(validation.logits)}
            memory = None
        else:
            rows = _judged(validation.labels)
            measured = _measured(validation.logits[rows], images[rows], memory)
        usual = {name: Usual.of(values, *LEAST.get(name, ())) for name, values in measured.items()}
        scores = _scores(usual, measured)
        threshold = float(np.quantile(scores, share, method="higher"))
        return cls(usual, Usual.of(scores), threshold, memory)

    @classmethod
    def of(cls, checkpoint: Checkpoint, dataset: str, classifier: nn.Module | None = None) -> Detector:
        """Return the detector of a checkpoint on a data set.

        Parameters
        ----------
        checkpoint : Checkpoint
        dataset : str
            The set that its inputs are prepared like.
        classifier : nn.Module, optional
            The checkpoint's, where it is already loaded.

        Raises
        ------
        ExplorerError
            The checkpoint or the data set cannot be used.
        """
        found, images = sample(checkpoint, dataset, classifier)
        return cls.from_predictions(found, images, memory(dataset))

    def judge(self, logits: NDArray[Any], image: NDArray[np.uint8]) -> Novelty:
        """Judge one input.

        Parameters
        ----------
        logits : ndarray
            Shape (C,).
        image : ndarray
            uint8, shape (H, W).

        Raises
        ------
        CheckpointError
            A logit is not finite.
        """
        measured = self.measure(logits[None], image[None])
        score = float(_scores(self.usual, measured)[0])
        values = {name: float(value[0]) for name, value in measured.items()}
        parts = {name: float(self.usual[name].excess(value)[0]) for name, value in measured.items()}
        novel = score > self.threshold
        causes = sorted((name for name in parts if novel and 3 * parts[name] ** 2 >= score**2), key=lambda n: -parts[n])
        return Novelty(
            score=score,
            threshold=self.threshold,
            percentile=self.scores.percentile(score),
            novel=novel,
            values=values,
            percentiles={name: self.usual[name].percentile(value) for name, value in values.items()},
            causes=tuple(causes),
        )

    def novel(self, logits: NDArray[Any], images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Say of many inputs whether they are novel: logits (N, C) and uint8 images (N, H, W) to bool (N,)."""
        result: NDArray[np.bool_] = _scores(self.usual, self.measure(logits, images)) > self.threshold
        return result

    def measure(self, logits: NDArray[Any], images: NDArray[np.uint8]) -> dict[str, FloatArray]:
        """Return each measure of many inputs, float64 (N,): logits (N, C) and uint8 images (N, H, W)."""
        return _measured(logits, images, self.memory)


def sample(
    checkpoint: Checkpoint, dataset: str, classifier: nn.Module | None = None, gate: Gate = nullcontext
) -> tuple[Predictions, NDArray[np.uint8]]:
    """Return what a checkpoint says of 2,000 validation images, of every class in proportion, and these images.

    Parameters
    ----------
    checkpoint, dataset, classifier
        As for `Detector.of`.
    gate : callable
        Returns a context manager for the computation, where predictions are not stored.

    Raises
    ------
    ExplorerError
        The checkpoint or the data set cannot be used.
    """
    whole = load_split(dataset, "validation")
    rows = _judged(whole.labels)
    images, stored = whole.images[rows], load_stored(checkpoint, whole)
    if stored is not None:
        logits = stored.logits[rows]
    else:
        network = classifier or checkpoint.classifier()
        with gate():
            logits = predict(network, images)
    classes = tuple(checkpoint.classes)
    labels = whole.labels[rows]
    return Predictions(logits, labels, whole.indices[rows], classes, checkpoint.digest, dataset, whole.name), images


def memory(dataset: str) -> Memory:
    """Return the training images to compare with, the same for all models."""
    return _memory(dataset, catalog.get(dataset).checksum)


@lru_cache(maxsize=2)
def _memory(dataset: str, checksum: str) -> Memory:
    return Memory.of(load_split(dataset, "train"))


def _judged(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return stratify(labels, JUDGED)[1] if len(labels) > JUDGED else np.arange(len(labels))


def _measured(logits: NDArray[Any], images: NDArray[np.uint8], memory: Memory | None) -> dict[str, FloatArray]:
    found = {"energy": energy(logits)}
    if memory is not None:
        found["distance"] = memory.distances(images)
        found["outlines"] = memory.unlikeness(images, logits.argmax(axis=1))
        found["apart"] = apart(images)
    return found


def _scores(usual: Mapping[str, Usual], measured: Mapping[str, FloatArray]) -> FloatArray:
    result: FloatArray = np.sqrt(sum(usual[name].excess(values) ** 2 for name, values in measured.items()))
    return result
