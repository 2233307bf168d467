"""How much it takes to mislead a model: the smallest epsilon for one image, and accuracy against epsilon for many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from explorer.analysis.adversarial.attacks import BATCH_SIZE, METHODS, Attack
from explorer.analysis.adversarial.images import Adversarial, Method
from explorer.analysis.evaluation.intervals import Interval, wilson
from explorer.analysis.evaluation.predictions import FloatArray, IntArray
from explorer.data.splits import Split, stratify
from explorer.errors import ConfigError

if TYPE_CHECKING:
    from typing import Self

LIMIT = 0.5
GRID = 32
EPSILONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
SAMPLE = 500
BOTH = tuple(Attack(method) for method in METHODS)


@dataclass(frozen=True, eq=False)
class SmallestEpsilon:
    """The weakest attack found that flips the class of one image.

    Attributes
    ----------
    tried : Adversarial
        The image under every epsilon that was tried, in ascending order from 0: what a slider shows.
    """

    tried: Adversarial

    @classmethod
    def find(
        cls,
        classifier: nn.Module,
        image: NDArray[Any],
        attack: Attack | None = None,
        limit: float = LIMIT,
        grid: int = GRID,
    ) -> Self:
        """Try a grid of epsilons, and a finer one below the first that flips the class.

        Parameters
        ----------
        classifier : nn.Module
            As for `Attack.run`.
        image : ndarray
            Grey levels, uint8, shape (height, width), of a split or drawn; or pixels, float, (1, height, width).
        attack : Attack, optional
            By default FGSM, away from the predicted class.
        limit : float
            The largest epsilon, above 0 and at most 1.
        grid : int
            How many epsilons above 0 are tried; then as many again between the first that flips the class and the one
            before, so the answer is exact to `limit` / `grid` squared. An attack may fail again at a larger epsilon.

        Raises
        ------
        ConfigError, CheckpointError
            As for `Attack.run`.
        """
        if not 0 < limit <= 1 or grid < 2:
            raise ConfigError("The largest epsilon must lie above 0 and at most at 1, and the grid have two or more.")
        attack = attack or Attack()
        coarse = _under(attack, classifier, image, np.linspace(0, limit, grid + 1))
        place = _first(coarse)
        if not place:
            return cls(coarse)
        below, above = coarse.epsilon[place - 1 : place + 1]
        between = np.linspace(below, above, grid + 1)[1:-1]
        return cls(coarse.joined([coarse, _under(attack, classifier, image, between)]).sorted())

    @property
    def place(self) -> int | None:
        """Which of those tried is the first to flip the class; None if none does."""
        return _first(self.tried)

    @property
    def epsilon(self) -> float | None:
        """The smallest that flips the class; None if none does, and 0 if the image is at the target already."""
        return None if self.place is None else float(self.tried.epsilon[self.place])

    @property
    def image(self) -> NDArray[np.float32] | None:
        """The image under it, shape (1, height, width)."""
        return None if self.place is None else self.tried.images[self.place]


@dataclass(frozen=True)
class RobustPoint:
    """The accuracy of a model under one attack.

    Attributes
    ----------
    method : 'fgsm' or 'pgd'
    epsilon : float
    correct, n : int
        Images still classified rightly, of those attacked so far.
    of : int
        Images in all.
    """

    method: Method
    epsilon: float
    correct: int
    n: int
    of: int

    @property
    def complete(self) -> bool:
        """Whether all images have been attacked."""
        return self.n == self.of

    @property
    def accuracy(self) -> float:
        """Share classified rightly."""
        return self.correct / self.n

    @property
    def interval(self) -> Interval:
        """Of the accuracy, 95%, by Wilson."""
        return wilson(self.correct, self.n)


def robust_accuracy(
    classifier: nn.Module,
    images: NDArray[np.uint8],
    labels: IntArray,
    epsilons: Sequence[float] = EPSILONS,
    attacks: Sequence[Attack] = BOTH,
    batch_size: int = BATCH_SIZE,
) -> Iterator[RobustPoint]:
    """Attack images with every epsilon, away from their true classes.

    Parameters
    ----------
    classifier, images, batch_size
        As for `Attack.run`.
    labels : ndarray
        int64, shape (N,): the true classes.
    epsilons : sequence of float
    attacks : sequence of Attack

    Yields
    ------
    RobustPoint
        After every batch, for one epsilon and attack after the other; the last one of each is complete. Closing the
        iterator ends the computation.

    Raises
    ------
    ConfigError, CheckpointError
        As for `Attack.run`.
    """
    for epsilon in epsilons:
        for attack in attacks:
            correct = done = 0
            for part in attack.batches(classifier, images, labels, epsilon, batch_size):
                rows = slice(done, done + len(part.images))
                correct, done = correct + int((part.predicted_after == labels[rows]).sum()), rows.stop
                yield RobustPoint(attack.method, float(epsilon), correct, done, len(labels))


def sampled(split: Split, count: int = SAMPLE) -> Split:
    """Return so many images of a split, as many of each class as it has in proportion, always the same ones."""
    if count >= len(split):
        return split
    rows = stratify(split.labels, count)[1]
    return Split(split.dataset, split.name, split.images[rows], split.labels[rows], split.indices[rows])


def _under(attack: Attack, classifier: nn.Module, image: NDArray[Any], epsilons: FloatArray) -> Adversarial:
    """Attack one image with several epsilons at once."""
    return attack.run(classifier, np.repeat(image[None], len(epsilons), axis=0), epsilon=epsilons)


def _first(tried: Adversarial) -> int | None:
    places = np.flatnonzero(tried.reached)
    return int(places[0]) if len(places) else None
