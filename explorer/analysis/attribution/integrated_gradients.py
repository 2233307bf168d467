"""Integrated Gradients, computed by Captum.

M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017: the gradient of the
score, averaged along the straight line from a baseline image to the image, times the difference between the
two.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution.baselines import Kind
from explorer.analysis.attribution.completeness import completeness_error
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from models.registry import Options

__all__ = ["METHOD", "IntegratedGradientsOptions", "attribute", "completeness_error"]

PASS_SIZE = 1024
"""Most interpolated images in one pass, unless one image has more steps."""


class IntegratedGradientsOptions(Options):
    """Options of Integrated Gradients."""

    n_steps: int = Field(
        64, ge=4, le=512, title="Steps", description="Points between baseline and image; more make the sum exact."
    )
    baseline: Kind = Field(
        "black", title="Baseline", description="The image that stands for 'nothing there', where the way begins."
    )


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    n_steps: int = 64,
    baseline: Tensor | None = None,
) -> Tensor:
    """Share the difference of a score between image and baseline out among the pixels.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    n_steps : int
        Points of the Gauss-Legendre rule along the line; more make the sum more nearly complete.
    baseline : Tensor, optional
        Where the line begins, shaped like the pixels or one image of them; black by default.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score; see `completeness_error`.
    """
    from captum.attr import IntegratedGradients

    def compute(scores: Scores, images: Tensor, wanted: Tensor, start: Tensor) -> Tensor:
        maps: Tensor = IntegratedGradients(scores).attribute(images, start, target=wanted, n_steps=n_steps)
        return maps

    origin = torch.zeros_like(pixels) if baseline is None else baseline
    return in_passes(classifier, pixels, target, compute, origin, at_once=PASS_SIZE // n_steps)


METHOD = Method(
    name="integrated-gradients",
    title="Integrated Gradients",
    summary="How much each pixel added to the class score on the way from a black image to this one; "
    "all pixels together add up to the whole change of the score.",
    unit="share of the score",
    reference="Sundararajan, Taly and Yan, Axiomatic attribution for deep networks (2017)",
    attribute=attribute,
    options=IntegratedGradientsOptions,
    complete=True,
)
