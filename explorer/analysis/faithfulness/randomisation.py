"""Does a map change when the network forgets what it learned? The cascading randomisation of its layers.

J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity checks for saliency maps", NeurIPS 2018,
section 3.1: replace the weights by random ones layer by layer, from the output down, and compare each map with that of
the trained network. A map that stays the same does not depend on what the network has learned, however good it looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.attribution.method import Explain
from explorer.analysis.attribution.target import Target
from explorer.analysis.frozen import frozen_copy
from explorer.analysis.trace import trace

FloatArray = NDArray[np.float64]

ROUNDING = 1e-6
"""Differences within a map that are no more than this share of its largest value come from rounding."""
DRAWS = 5
"""How often all the weights are drawn anew."""
DRAWS_BETWEEN = 2
"""How many of these draws are explained before the last layer is reached."""
NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)


@dataclass(frozen=True, eq=False)
class Randomised:
    """How alike maps are to the trained network's after some layers have been randomised.

    Attributes
    ----------
    layer : str
        The lowest layer that has been randomised so far, with the normalisation right after it if there is one; with it
        all that come after it in the network.
    kind : str
        Its type, such as 'Conv2d'.
    signed : ndarray
        float64, shape (D,): for each draw of weights, the rank correlation (Spearman) of the two maps, -1 to 1; NaN
        where one of them is constant.
    absolute : ndarray
        float64, shape (D,): the same of the maps without sign.
    example : Tensor
        The map of the first draw, shaped like the pixels.
    """

    layer: str
    kind: str
    signed: FloatArray
    absolute: FloatArray
    example: Tensor


def parametrised_layers(classifier: nn.Module, shape: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the names of the layers with weights of their own in the order in which they compute, first to last.

    Each stands with the normalisations that come right after it, as they are one stage of the cascade.
    """
    stages: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for call in trace(classifier, shape).calls:
        if not _own(call.module) or call.name in seen:
            continue
        seen.add(call.name)
        if stages and isinstance(call.module, NORMALISATIONS):
            stages[-1] += (call.name,)
        else:
            stages.append((call.name,))
    return tuple(stages)


def cascade(
    explain: Explain,
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    original: Tensor,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[Randomised]:
    """Randomise a copy of a network from its output down and compare the maps of one image.

    The weights of a layer become draws from a normal distribution around zero with their own root mean square, so that
    signals keep about their size; vectors (biases, and scale and shift of a normalisation) from one with their own mean
    and spread. What batch normalisation has counted stays.

    Parameters
    ----------
    explain : callable
        The method, see `Method.with_options`.
    classifier : nn.Module
        The trained network; it is only read.
    pixels : Tensor
        Float, shape (1, channels, height, width), in [0, 1].
    target : Tensor or Target
        Of the one image.
    original : Tensor
        The map of the trained network, shaped like the pixels.
    draws : int
        D, how many draws of random weights are explained at the last stage; before it `DRAWS_BETWEEN` at most.
    seed : int
        Of the weights.

    Yields
    ------
    Randomised
        For each layer with weights, the last one first. Closing the generator ends the work.
    """
    layers = parametrised_layers(classifier, tuple(pixels.shape[1:]))
    networks = [frozen_copy(classifier) for _ in range(draws)]
    generators = [torch.Generator().manual_seed(seed + draw) for draw in range(draws)]
    for stage in reversed(layers):
        for network, generator in zip(networks, generators, strict=True):
            for name in stage:
                _randomise(network.get_submodule(name), generator)
        shown = networks if stage is layers[0] else networks[:DRAWS_BETWEEN]
        maps = [explain(network, pixels, target) for network in shown]
        values = np.stack([_flat(one) for one in (original, *maps)])
        kind = type(networks[0].get_submodule(stage[0])).__name__
        yield Randomised(stage[0], kind, rank_correlations(values), rank_correlations(np.abs(values)), maps[0])


def rank_correlations(values: FloatArray) -> FloatArray:
    """Correlate the ranks of the first row with those of every other one (Spearman, equal values sharing their rank).

    Parameters
    ----------
    values : ndarray
        float64, shape (1 + D, pixels).

    Returns
    -------
    ndarray
        float64, shape (D,), -1 to 1. Where a row is constant, the correlation is undefined and NaN: such a map shows
        nothing, so it is neither the same map nor another one.
    """
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=1)
    ranks[[is_constant(row) for row in values]] = 0
    ranks -= ranks.mean(axis=1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(axis=1))
    scale = lengths[0] * lengths[1:]
    products = ranks[1:] @ ranks[0]
    correlations: FloatArray = np.divide(products, scale, out=np.full_like(products, np.nan), where=scale > 0)
    return correlations


def is_constant(values: NDArray[np.floating]) -> bool:
    """Whether a map has the same value everywhere, but for rounding, so that it prefers no pixel."""
    return float(np.ptp(values)) <= ROUNDING * float(np.abs(values).max(initial=0.0))


def _own(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(module.named_parameters(recurse=False))


def _randomise(layer: nn.Module, generator: torch.Generator) -> None:
    """Give a layer of a copy random weights; the old ones belong to the original and are left alone."""
    for name, old in _own(layer):
        drawn = torch.randn(old.shape, generator=generator).to(old)
        if old.ndim > 1:
            new = drawn * old.square().mean().sqrt()
        else:
            spread, mean = torch.std_mean(old, correction=0)
            new = mean + spread * drawn
        setattr(layer, name, nn.Parameter(new, requires_grad=False))


def _flat(one: Tensor) -> FloatArray:
    flat: FloatArray = one.detach().cpu().double().flatten().numpy()
    return flat
