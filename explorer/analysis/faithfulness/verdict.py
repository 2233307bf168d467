"""The verdict on a map: whether it may be believed.

Two questions are asked of every map. Does it change when the network forgets what it learned (`randomisation`)? And
does the network decide by the pixels that the map calls important (`perturbation`)? A map can pass one and fail the
other: the image itself finds the pixels that matter, since black ones cannot, but is the same for every network.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from torch import Tensor, nn

from explorer.analysis.attribution.method import Explain
from explorer.analysis.attribution.target import Target
from explorer.analysis.faithfulness.deletion import REPEATS, STEPS, PerturbationCurves, perturbation_curves
from explorer.analysis.faithfulness.randomisation import (
    DRAWS,
    FloatArray,
    Randomised,
    cascade,
    is_constant,
    parametrised_layers,
)
from explorer.errors import ConfigError

ALIKE = 0.5
"""Rank correlation from which two maps count as the same picture.

With the checkpoints that ship (`mlp`, `lenet`, `cnn`, `resnet`; 6 to 24 test images each) the median correlation after
full randomisation was at most 0.13 for gradients, Integrated Gradients and DeepLIFT, at most 0.49 for occlusion,
feature ablation and Grad-CAM of the last convolution, whose coarse maps are alike by accident more often, about 0.3 to
0.6 for guided backpropagation, which is known to redraw the image, and it is 1 for the image itself.
"""


CONSTANT = (
    "Nothing to examine: this map has the same value everywhere, so it names no pixel to take away first. "
    "Choose another method, layer or option, or another class."
)


class FaithfulnessVerdict(StrEnum):
    """What an examination comes to."""

    FOLLOWS = "follows the model"
    CHANCE = "no better than chance on this image"
    INDEPENDENT = "does not depend on the weights"
    UNKNOWN = "nothing to compare it with"


@dataclass(frozen=True, eq=False)
class Examination:
    """What is known of a map so far.

    Attributes
    ----------
    attribution : Tensor
        The map, shaped like the pixels.
    curves : PerturbationCurves
        Deletion and insertion against random orders.
    layers : tuple of str
        The layers with weights, in the order in which they are randomised: the last one first.
    stages : tuple of Randomised
        Those that have been randomised so far.
    """

    attribution: Tensor
    curves: PerturbationCurves
    layers: tuple[str, ...]
    stages: tuple[Randomised, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every layer has been randomised."""
        return len(self.stages) == len(self.layers)

    @property
    def similarity(self) -> float | None:
        """How alike the map is to those of networks with random weights throughout, 0 to 1; None while incomplete.

        The median over the draws of the size of the rank correlation: its size, because random weights may as well
        turn a picture into its negative. Constant maps are not counted; NaN where all of them are. 1 for a model that
        has no weights.
        """
        if not self.complete:
            return None
        if not self.stages:
            return 1.0
        return _median(np.abs(self.stages[-1].signed))

    @property
    def indifferent_to(self) -> tuple[str, ...]:
        """The layers, from the output down, that could be randomised before the map became another one.

        Where the maps are constant, they are not another one.
        """
        differs = [_median(stage.signed) < ALIKE for stage in self.stages]
        first = differs.index(True) if True in differs else len(differs)
        return tuple(stage.layer for stage in self.stages[:first])

    @property
    def verdict(self) -> FaithfulnessVerdict | None:
        """Whether the map may be believed; None while incomplete.

        1. "does not depend on the weights": the `similarity` to the maps of a network with random weights is at least
           `ALIKE`. Then it says nothing of what the network has learned, whatever the curves show.
        2. Otherwise "follows the model": the deletion area is among the smallest 2.5% of those of random orders, or the
           insertion area among the largest (`PerturbationCurves.better_than_chance`). Of maps that know nothing, at
           most one in twenty is taken for a good one.
        3. Otherwise "no better than chance on this image", which is a finding on one image, not on the method.

        Where every map of a network with random weights is constant, there is "nothing to compare it with".
        """
        if self.similarity is None:
            return None
        if math.isnan(self.similarity):
            return FaithfulnessVerdict.UNKNOWN
        if self.similarity >= ALIKE:
            return FaithfulnessVerdict.INDEPENDENT
        return FaithfulnessVerdict.FOLLOWS if self.curves.better_than_chance else FaithfulnessVerdict.CHANCE


def examine(
    explain: Explain,
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    baseline: Tensor | None = None,
    steps: int = STEPS,
    repeats: int = REPEATS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[Examination]:
    """Examine the map that a method makes of one image.

    Parameters
    ----------
    explain : callable
        The method with its options, see `Method.with_options`; or any function of classifier, pixels and target.
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    pixels : Tensor
        Float, shape (1, channels, height, width), in [0, 1].
    target : Tensor or Target
        Of the one image.
    baseline, steps, repeats
        Of deletion and insertion, see `perturbation_curves`.
    draws : int
        How many draws of random weights the verdict rests on, see `cascade`.
    seed : int
        Of all that is random.

    Yields
    ------
    Examination
        First with the curves, then after each layer; the last one is complete. Closing the generator ends the work.

    Raises
    ------
    CheckpointError
        Outputs of the model or values of the map are not finite.
    ConfigError
        A class does not exist, or the map is constant, so that it names no pixel to take away first.
    """
    attribution = explain(classifier, pixels, target)
    if is_constant(attribution.detach().cpu().numpy()):
        raise ConfigError(CONSTANT)
    curves = perturbation_curves(
        classifier, pixels, target, attribution, baseline=baseline, steps=steps, repeats=repeats, seed=seed
    )
    layers = tuple(stage[0] for stage in reversed(parametrised_layers(classifier, tuple(pixels.shape[1:]))))
    found = Examination(attribution, curves, layers)
    yield found
    for stage in cascade(explain, classifier, pixels, target, attribution, draws=draws, seed=seed):
        found = replace(found, stages=(*found.stages, stage))
        yield found


def _median(correlations: FloatArray) -> float:
    """Return the median of those that are defined, NaN where none is."""
    defined = correlations[~np.isnan(correlations)]
    return float(np.median(defined)) if len(defined) else math.nan
