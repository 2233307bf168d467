"""Deletion and insertion: whether a network decides by the pixels that a map calls important.

V. Petsiuk, A. Das, K. Saenko, "RISE: randomized input sampling for explanation of black-box models", BMVC 2018, section
4.2: take the pixels away in the order of their importance, the most important ones first, and watch the probability
fall; or add them to an empty image and watch it rise. What a map is worth shows against orders drawn at random.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.attribution.target import Scores, Target, as_target
from explorer.analysis.frozen import frozen_copy

FloatArray = NDArray[np.float64]

STEPS = 14
REPEATS = 80
PASS_SIZE = 256
"""Most changed images in one pass."""
CHANCE = 0.025
"""How often an order drawn at random may be taken for one that is better than chance, in each of the two tests."""


@dataclass(frozen=True, eq=False)
class PerturbationCurves:
    """How the probability of the target changes while pixels are taken away or added.

    Attributes
    ----------
    shares : ndarray
        float64, shape (K + 1,), from 0 to 1: the share of the pixels that have been taken away, or added.
    deletion : ndarray
        float64, shape (K + 1,): the probability while pixels are replaced by the baseline, most important first.
    insertion : ndarray
        float64, shape (K + 1,): the probability while pixels are put into the baseline, most important first.
    random : ndarray
        float64, shape (R, K + 1): `deletion` for orders drawn at random. Taking pixels away in one order passes through
        the same images as adding them in the opposite order, and the opposite of a random order is as random. So
        these rows, read backwards, are also `insertion` for orders drawn at random.
    """

    shares: FloatArray
    deletion: FloatArray
    insertion: FloatArray
    random: FloatArray

    @property
    def deletion_area(self) -> float:
        """Area under `deletion`, 0 to 1; small for a good map."""
        return float(np.trapezoid(self.deletion, self.shares))

    @property
    def insertion_area(self) -> float:
        """Area under `insertion`, 0 to 1; large for a good map."""
        return float(np.trapezoid(self.insertion, self.shares))

    @property
    def random_areas(self) -> FloatArray:
        """Areas under the curves of random orders, shape (R,): the same for deletion and insertion."""
        areas: FloatArray = np.asarray(np.trapezoid(self.random, self.shares, axis=1))
        return areas

    def band(self, what: Literal["deletion", "insertion"], level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Return the quantiles (K + 1,) between which `level` of the random curves lie at each share."""
        curves = self.random if what == "deletion" else self.random[:, ::-1]
        low, high = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    @property
    def p_deletion(self) -> float:
        """How probable an area as small as that under `deletion` is for a random order.

        A Monte Carlo test with the map itself counted among the R + 1 orders (Davison and Hinkley, "Bootstrap methods
        and their application", 1997, section 4.2.2), so never zero and valid for any number of orders.
        """
        return float((1 + np.sum(self.random_areas <= self.deletion_area)) / (1 + len(self.random)))

    @property
    def p_insertion(self) -> float:
        """How probable an area as large as that under `insertion` is for a random order; as `p_deletion`."""
        return float((1 + np.sum(self.random_areas >= self.insertion_area)) / (1 + len(self.random)))

    @property
    def better_than_chance(self) -> bool:
        """Whether the deletion area is lower or the insertion area higher than random orders allow.

        Each at a level of 2.5%, so that of maps that know nothing at most one in twenty passes.
        """
        return min(self.p_deletion, self.p_insertion) <= CHANCE


def perturbation_curves(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    attribution: Tensor,
    *,
    baseline: Tensor | None = None,
    steps: int = STEPS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> PerturbationCurves:
    """Take the pixels of one image away and add them, in the order of a map and in random orders.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    pixels : Tensor
        Float, shape (1, channels, height, width), in [0, 1].
    target : Tensor or Target
        Of the one image.
    attribution : Tensor
        Its map, shaped like the pixels; channels are added up. The pixel with the highest value counts as the most
        important one, as it speaks the most for the target; equal ones come in random order.
    baseline : Tensor, optional
        What replaces a pixel, shaped like the pixels; black by default.
    steps : int
        K, in how many steps of about the same number of pixels.
    repeats : int
        R, how many random orders. With fewer than 39 no map can be better than chance.
    seed : int
        Of the random orders.

    Raises
    ------
    CheckpointError
        The model's outputs are not finite.
    ConfigError
        A class does not exist.
    """
    random = np.random.default_rng(seed)
    count = pixels.shape[-1] * pixels.shape[-2]
    own = _order(attribution, random)
    orders = np.stack([own, own[::-1], *(random.permutation(count) for _ in range(repeats))])
    ends = np.linspace(0, count, steps + 1).round().astype(np.int64)
    with torch.inference_mode():
        scores = Scores(frozen_copy(classifier), as_target(target), pixels.device)
        start = torch.zeros_like(pixels) if baseline is None else baseline.to(pixels)
        whole, none = (_probabilities(scores, as_target(target), one) for one in (pixels, start))
        masks = torch.tensor(_kept(orders, ends[1:-1]), device=pixels.device).unflatten(1, (1, *pixels.shape[-2:]))
        between = [
            _probabilities(scores, as_target(target), torch.where(mask, pixels, start))
            for mask in masks.split(PASS_SIZE)
        ]
    inner = np.concatenate(between).reshape(len(orders), -1)
    edges = np.ones((len(orders), 1))
    curves = np.hstack([whole * edges, inner, none * edges])
    return PerturbationCurves(ends / count, curves[0], curves[1, ::-1], curves[2:])


def _order(attribution: Tensor, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the pixels, the most important one first, equal ones in random order."""
    importance = attribution.detach().cpu().double().sum(dim=(0, 1)).flatten().numpy()
    shuffled = random.permutation(len(importance))
    return shuffled[np.argsort(-importance[shuffled], kind="stable")]


def _kept(orders: NDArray[np.int64], removed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pixels are left of each order once so many are removed, shape (orders times numbers, pixels)."""
    ranks = np.argsort(orders, axis=1)
    kept: NDArray[np.bool_] = ranks[:, None, :] >= removed[:, None]
    return kept.reshape(-1, orders.shape[1])


def _probabilities(scores: Scores, target: Target, images: Tensor) -> FloatArray:
    probabilities: FloatArray = target.repeated(len(images)).probability(scores.logits(images)).numpy()
    return probabilities
