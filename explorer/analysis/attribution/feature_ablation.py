"""Feature ablation, computed by Captum: replace one patch of a grid after the other and see how far the score falls.

The patches are the features. Unlike occlusion's squares they do not overlap, so there are few and each pixel belongs to
one. Replacing a feature by a baseline is the oldest of all measures of importance; on images M. D. Zeiler and R. Fergus
(2014), and for features in general I. Covert, S. Lundberg, S.-I. Lee, "Explaining by removing: a unified framework for
model explanation", JMLR 2021.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution.baselines import Kind
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from models.registry import Options

PASS_SIZE = 512
"""Most changed images in one pass."""


class FeatureAblationOptions(Options):
    """Options of feature ablation."""

    patch: int = Field(4, ge=1, le=14, title="Patch", description="Side of each patch of the grid, in pixels.")
    baseline: Kind = Field("black", title="Replace by", description="What stands in a patch that is taken out.")


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    patch: int = 4,
    baseline: Tensor | None = None,
) -> Tensor:
    """Measure how far the score of each image falls when a patch of it is replaced.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    patch : int
        Side of a patch in pixels; those at the right and lower edge are smaller where it does not divide the image.
    baseline : Tensor, optional
        What replaces a patch, shaped like the pixels or one image of them; black by default.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score, the same for all pixels of a patch.
    """
    from captum.attr import FeatureAblation

    mask = patches(pixels.shape[-2], pixels.shape[-1], patch).to(pixels.device)

    def compute(scores: Scores, images: Tensor, wanted: Tensor, substitute: Tensor) -> Tensor:
        maps: Tensor = FeatureAblation(scores).attribute(
            images,
            baselines=substitute,
            target=wanted,
            feature_mask=mask.expand(1, *images.shape[1:]),
            perturbations_per_eval=max(1, PASS_SIZE // len(images)),
        )
        return maps

    substitute = torch.zeros_like(pixels) if baseline is None else baseline
    return in_passes(classifier, pixels, target, compute, substitute, at_once=PASS_SIZE)


def patches(height: int, width: int, side: int) -> Tensor:
    """Return the number of the patch that each pixel belongs to, int64, shape (height, width)."""
    across = -(-width // side)
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return rows[:, None] * across + columns


METHOD = Method(
    name="feature-ablation",
    title="Feature ablation",
    summary="How much the class score falls when this patch of a grid is taken out of the image.",
    unit="fall of the score",
    reference="Covert, Lundberg and Lee, Explaining by removing (2021)",
    attribute=attribute,
    options=FeatureAblationOptions,
)
