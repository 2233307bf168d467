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

from explorer.analysis.evaluation.prediction_files import load_stored
from explorer.analysis.evaluation.predictions import FloatArray, Predictions, predict
from explorer.data import catalog
from explorer.data.splits import load_split, stratify
from explorer.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from torch import nn

    from explorer.data.splits import Split
    from explorer.store.checkpoints import Checkpoint


SHARE = 0.99
NEIGHBOUR = 5
REMEMBERED = 5_400
"""Training images whose pixels are kept; of three times as many the outlines are, which take a third of the room."""
_CHUNK = 256
_ALONE = 2
"""Up to so many images NumPy multiplies itself: the threads of a BLAS cost them more than they save, on a busy machine
ten times as much."""
_LEAST = 1e-9
"""A measure that never differs has this range, which is as good as none."""
DIRECTIONS = 8
CELLS = 7
"""Along each side."""
_INK = 64
"""Grey level from which a pixel belongs to a piece."""


def energy(logits: NDArray[Any]) -> FloatArray:
    """Return the energy, minus the logarithm of the sum of the exponentials of the logits: (N, C) to float64 (N,).

    The higher, the less of any class there is.

    Raises
    ------
    CheckpointError
        A logit is not finite.
    """
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    highest = values.max(axis=1)
    result: FloatArray = -highest - np.log(np.exp(values - highest[:, None]).sum(axis=1))
    return result


def outlines(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe where outlines run in which direction: uint8 (N, H, W) to float32 (N, 392), each of length 1.

    Histograms of oriented gradients (Dalal & Triggs, CVPR 2005) of 7 x 7 overlapping cells and 8 directions, as one
    block. They say little of a stroke's width and hardly anything of its contrast.
    """
    size = images.shape[1]
    places, centres = np.arange(size), (np.arange(CELLS) + 0.5) * size / CELLS - 0.5
    pool = np.maximum(0, 1 - np.abs(places - centres[:, None]) * CELLS / size / 1.5).astype(np.float32)
    smooth = np.maximum(0, 2 - np.abs(places - places[:, None])).astype(np.float32) / 4
    slope = (np.eye(size, k=1) - np.eye(size, k=-1)).astype(np.float32) / 2
    found = np.empty((len(images), DIRECTIONS, CELLS, CELLS), np.float32)
    for start in range(0, len(images), _CHUNK):
        pixels = smooth @ (images[start : start + _CHUNK].astype(np.float32) / np.float32(255)) @ smooth.T
        down, right = slope @ pixels, pixels @ slope.T
        strength, turn = np.hypot(down, right), np.arctan2(down, right) % np.pi * np.float32(DIRECTIONS / np.pi)
        for direction in range(DIRECTIONS):
            apart = np.abs(turn - direction)
            near = np.maximum(0, 1 - np.minimum(apart, DIRECTIONS - apart))
            found[start : start + _CHUNK, direction] = pool @ (strength * near) @ pool.T
    flat = found.reshape(len(images), -1)
    result: NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.float32(_LEAST))
    return result


def apart(images: NDArray[np.uint8]) -> FloatArray:
    """Return the share of ink that lies apart from the largest piece: uint8 (N, H, W) to float64 (N,).

    Pieces are apart where more than two pixels of ground lie between them.
    """
    from scipy import ndimage

    shares = np.zeros(len(images))
    around = np.ones((3, 3))
    for row, image in enumerate(images):
        ink = image >= _INK
        pieces, count = ndimage.label(ndimage.binary_dilation(ink, around), around)
        if count > 1:
            weights = np.bincount(pieces[ink], image[ink], count + 1)
            shares[row] = 1 - weights.max() / weights.sum()
    return shares


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """Training images to compare with.

    Attributes
    ----------
    points : ndarray
        float32, shape (M, P): their pixels in [0, 1].
    squares : ndarray
        float32, shape (M,): squared length of each.
    shapes : ndarray
        float32, shape (S, 392): the `outlines` of these and others.
    labels : ndarray
        int64, shape (S,): the classes of the latter.
    """

    points: NDArray[np.float32]
    squares: NDArray[np.float32]
    shapes: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, training: Split, count: int = REMEMBERED) -> ReferenceSet:
        """Keep so many images of a split, of every class in proportion, the same ones every time."""
        if not len(training):
            raise DataError("There are no training images to compare with.")
        points = _points(training.images[_some(training, count)])
        rows = _some(training, 3 * count)
        shapes = outlines(training.images[rows])
        return cls(points, np.einsum("ij,ij->i", points, points), shapes, training.labels[rows])

    def unlikeness(self, images: NDArray[np.uint8], predicted: NDArray[np.int64]) -> FloatArray:
        """Return how far outlines are from those of the fifth nearest one of the predicted class: (N,) to float64 (N,).

        The Euclidean distance between `outlines`, from 0 to 1.42; of a class without images, among all.
        """
        found, shapes = np.empty(len(images)), outlines(images)
        for label in np.unique(predicted):
            rows, same = predicted == label, self.labels == label
            among = self.shapes[same] if same.any() else self.shapes
            rank = min(NEIGHBOUR, len(among))
            likeness = np.partition(shapes[rows] @ among.T, -rank, axis=1)[:, -rank]
            found[rows] = np.sqrt(np.maximum(2 - 2 * likeness.astype(np.float64), 0))
        return found

    def distances(self, images: NDArray[np.uint8]) -> FloatArray:
        """Return each image's Euclidean distance to the fifth nearest one: uint8 (N, H, W) to float64 (N,)."""
        rank = min(NEIGHBOUR, len(self.points)) - 1
        found = np.empty(len(images))
        for start in range(0, len(images), _CHUNK):
            rows = slice(start, start + _CHUNK)
            queries = _points(images[rows])
            alone = len(queries) <= _ALONE
            products = np.einsum("qp,mp->qm", queries, self.points) if alone else queries @ self.points.T
            squares = self.squares - 2 * products
            nearest = np.partition(squares, rank, axis=1)[:, rank] + np.einsum("ij,ij->i", queries, queries)
            found[rows] = np.sqrt(np.maximum(nearest, 0))
        return found


@dataclass(frozen=True, eq=False)
class UsualScores:
    """What values of a score are usual.

    Attributes
    ----------
    values : ndarray
        float64, shape (V,): those of the validation images, sorted.
    least : float
        The smallest range from their median to their 99th percentile that counts as one.
    """

    values: FloatArray
    least: float = _LEAST

    @classmethod
    def of(cls, values: FloatArray, least: float = _LEAST) -> UsualScores:
        """Take note of the values of the validation images, in any order."""
        return cls(np.sort(values), least)

    def excess(self, values: FloatArray) -> FloatArray:
        """Return 0 up to the median, 1 at the 99th percentile, and on in proportion: (N,) to (N,)."""
        middle, high = np.quantile(self.values, [0.5, SHARE])
        excess: FloatArray = np.maximum(values - middle, 0) / max(high - middle, self.least)
        return excess

    def percentile(self, value: float) -> float:
        """Return the percentage of the validation images that have a lower value."""
        return 100 * float(np.searchsorted(self.values, value, side="left")) / len(self.values)


def _some(training: Split, count: int) -> NDArray[np.int64]:
    """Return the rows of so many images, the same ones every time."""
    return stratify(training.labels, count)[1] if len(training) > count else np.arange(len(training))


def _points(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


__all__ = [
    "JUDGED",
    "KNOWN",
    "NEIGHBOUR",
    "SHARE",
    "OutOfDistribution",
    "OutOfDistributionDetector",
    "ReferenceSet",
    "UsualScores",
    "energy",
    "sample",
]

Gate = Callable[[], AbstractContextManager[object]]

JUDGED = 2_000
"""Validation images that say what is usual."""
KNOWN = 0.985
"""Share of them that count as known."""
LEAST = {"apart": (0.05,)}
"""Smallest range of a measure: whole figures are often in one piece, and a speck apart is not worth mentioning."""


@dataclass(frozen=True)
class OutOfDistribution:
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
class OutOfDistributionDetector:
    """What the measures of validation images are, and from where on an input is novel.

    Attributes
    ----------
    usual : mapping of str to UsualScores
        Each measure of the validation images.
    scores : UsualScores
        Of the validation images.
    threshold : float
        The score that the chosen share of the validation images does not exceed.
    memory : ReferenceSet or None
    """

    usual: Mapping[str, UsualScores]
    scores: UsualScores
    threshold: float
    memory: ReferenceSet | None = None

    @classmethod
    def from_predictions(
        cls,
        validation: Predictions,
        images: NDArray[np.uint8] | None = None,
        memory: ReferenceSet | None = None,
        share: float = KNOWN,
    ) -> OutOfDistributionDetector:
        """Take the measure of the validation images.

        Parameters
        ----------
        validation : Predictions
            Of the validation split.
        images : ndarray, optional
            uint8, shape (N, H, W): the same images, to measure them too; of more than 2,000, so many of every class
            in proportion are judged.
        memory : ReferenceSet, optional
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
        usual = {name: UsualScores.of(values, *LEAST.get(name, ())) for name, values in measured.items()}
        scores = _scores(usual, measured)
        threshold = float(np.quantile(scores, share, method="higher"))
        return cls(usual, UsualScores.of(scores), threshold, memory)

    @classmethod
    def of(cls, checkpoint: Checkpoint, dataset: str, classifier: nn.Module | None = None) -> OutOfDistributionDetector:
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

    def judge(self, logits: NDArray[Any], image: NDArray[np.uint8]) -> OutOfDistribution:
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
        return OutOfDistribution(
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
        As for `OutOfDistributionDetector.of`.
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


def memory(dataset: str) -> ReferenceSet:
    """Return the training images to compare with, the same for all models."""
    return _memory(dataset, catalog.get(dataset).checksum)


@lru_cache(maxsize=2)
def _memory(dataset: str, checksum: str) -> ReferenceSet:
    return ReferenceSet.of(load_split(dataset, "train"))


def _judged(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return stratify(labels, JUDGED)[1] if len(labels) > JUDGED else np.arange(len(labels))


def _measured(logits: NDArray[Any], images: NDArray[np.uint8], memory: ReferenceSet | None) -> dict[str, FloatArray]:
    found = {"energy": energy(logits)}
    if memory is not None:
        found["distance"] = memory.distances(images)
        found["outlines"] = memory.unlikeness(images, logits.argmax(axis=1))
        found["apart"] = apart(images)
    return found


def _scores(usual: Mapping[str, UsualScores], measured: Mapping[str, FloatArray]) -> FloatArray:
    result: FloatArray = np.sqrt(sum(usual[name].excess(values) ** 2 for name, values in measured.items()))
    return result
