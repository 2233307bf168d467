"""Whether an input is like anything in training: "none of these" beside the classes.

Two scores, for they fail at different things (`python -m benchmarks.novelty` measures both). The energy of the logits
(Liu, Wang, Owens & Li, "Energy-based out-of-distribution detection", NeurIPS 2020, with temperature 1) says how little
the model finds of any class. The distance to the fifth nearest training image (as Sun, Ming, Zhu & Li,
"Out-of-distribution detection with deep nearest neighbors", ICML 2022, but of pixels) says how unlike the picture is,
whatever the model makes of it. Each is measured from the median of the validation images, in units of the way from
there to their 99th percentile; less than the median counts as nothing, so that a model's confidence cannot make up for
a picture that is unlike all. The score is the length of both together, and one hundredth of the validation images are
beyond the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis._strangeness import NEIGHBOUR, SHARE, Memory, Usual, energy
from explorer.analysis.predictions import Predictions
from explorer.data.splits import stratify
from explorer.errors import DataError

__all__ = ["JUDGED", "NEIGHBOUR", "SHARE", "Detector", "Memory", "Novelty", "Usual", "energy"]

JUDGED = 2_000


@dataclass(frozen=True)
class Novelty:
    """How unlike the validation images an input is.

    Attributes
    ----------
    score, threshold : float
        At least 0, and the most that still counts as known; 1 is what one of the two scores alone reaches in a
        hundredth of the validation images.
    percentile : float
        Percentage of the validation images with a lower score, 0 to 100.
    novel : bool
        Whether the score is above the threshold: none of these.
    energy, energy_percentile : float
        Of the logits, and the percentage of the validation images with a lower one.
    distance, distance_percentile : float or None
        To the fifth nearest remembered training image, pixels from 0 to 1, and the percentage of the validation images
        with a smaller one; None where nothing is remembered.
    causes : tuple of str
        Of a novel input `energy`, `distance` or both: what makes up at least half of the threshold's square.
    """

    score: float
    threshold: float
    percentile: float
    novel: bool
    energy: float
    energy_percentile: float
    distance: float | None
    distance_percentile: float | None
    causes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Detector:
    """What the scores of validation images are, and from where on an input is novel.

    Attributes
    ----------
    energies, scores : Usual
        Of the validation images.
    distances : Usual or None
        None without a memory.
    threshold : float
        The score that the chosen share of the validation images does not exceed.
    memory : Memory or None
    """

    energies: Usual
    distances: Usual | None
    scores: Usual
    threshold: float
    memory: Memory | None = None

    @classmethod
    def from_predictions(
        cls,
        validation: Predictions,
        images: NDArray[np.uint8] | None = None,
        memory: Memory | None = None,
        share: float = SHARE,
    ) -> Detector:
        """Take the measure of the validation images.

        Parameters
        ----------
        validation : Predictions
            Of the validation split.
        images : ndarray, optional
            uint8, shape (N, H, W): the same images, to measure distances too; of more than 2,000, so many of every
            class in proportion are judged.
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
            energies = energy(validation.logits)
            usual, distances, memory = Usual.of(energies), None, None
            scores = usual.excess(energies)
        else:
            rows = np.arange(validation.n)
            if validation.n > JUDGED:
                rows = stratify(validation.labels, JUDGED)[1]
            energies, away = energy(validation.logits[rows]), memory.distances(images[rows])
            usual, distances = Usual.of(energies), Usual.of(away)
            scores = np.hypot(usual.excess(energies), distances.excess(away))
        threshold = float(np.quantile(scores, share, method="higher"))
        return cls(usual, distances, Usual.of(scores), threshold, memory)

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
        values = energy(logits[None])
        parts, distance, distance_percentile = {"energy": float(self.energies.excess(values)[0])}, None, None
        if self.memory is not None and self.distances is not None:
            away = self.memory.distances(image[None])
            distance, distance_percentile = float(away[0]), self.distances.percentile(float(away[0]))
            parts["distance"] = float(self.distances.excess(away)[0])
        score = float(np.hypot(parts["energy"], parts.get("distance", 0.0)))
        novel = score > self.threshold
        return Novelty(
            score=score,
            threshold=self.threshold,
            percentile=self.scores.percentile(score),
            novel=novel,
            energy=float(values[0]),
            energy_percentile=self.energies.percentile(float(values[0])),
            distance=distance,
            distance_percentile=distance_percentile,
            causes=tuple(name for name, part in parts.items() if novel and 2 * part**2 >= self.threshold**2),
        )

    def novel(self, logits: NDArray[Any], images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Say of many inputs whether they are novel: logits (N, C) and uint8 images (N, H, W) to bool (N,)."""
        scores = self.energies.excess(energy(logits))
        if self.memory is not None and self.distances is not None:
            scores = np.hypot(scores, self.distances.excess(self.memory.distances(images)))
        result: NDArray[np.bool_] = scores > self.threshold
        return result
