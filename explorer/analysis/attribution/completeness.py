"""Whether the attributions of an image add up to what they share out."""

import torch
from torch import Tensor, nn

from explorer.analysis.attribution.target import Target, as_target
from explorer.analysis.frozen import frozen_copy


def completeness_error(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    attributions: Tensor,
    *,
    baseline: Tensor | None = None,
) -> Tensor:
    """Say by how much the attributions of an image miss the difference that they share out.

    The axiom of Sundararajan, Taly and Yan (2017), section 3, which DeepLIFT calls summation-to-delta (Shrikumar et
    al., 2017, equation 1).

    Parameters
    ----------
    classifier, pixels, target, baseline
        As given to the method; black where there is no baseline.
    attributions : Tensor
        What it returned.

    Returns
    -------
    Tensor
        Float, shape (N,), in units of the score: sum of the attributions less (score of the image less score of the
        baseline). Zero where they are complete.
    """
    frozen, wanted = frozen_copy(classifier), as_target(target)
    with torch.no_grad():
        start = torch.zeros_like(pixels) if baseline is None else baseline.to(pixels).expand_as(pixels)
        gained = wanted.score(frozen(pixels)) - wanted.score(frozen(start))
        error: Tensor = attributions.flatten(1).sum(dim=1) - gained
    return error
