"""Integrated Gradients, computed by Captum.

M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017: the gradient of the
logit, averaged along the straight line from a baseline image to the image, times the difference between the
two.
"""

import torch
from torch import Tensor, nn

from explorer.analysis._frozen import frozen_copy

PASS_SIZE = 1024
"""Most interpolated images in one pass, unless one image has more steps."""


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor,
    *,
    n_steps: int = 64,
    baseline: Tensor | None = None,
) -> Tensor:
    """Share the difference of a logit between image and baseline out among the pixels.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits (N, C), before the softmax.
    pixels : Tensor
        Float, shape (N, 1, height, width), in [0, 1].
    target : Tensor
        int64, shape (N,): the class of each image.
    n_steps : int
        Points of the Gauss-Legendre rule along the line; more make the sum more nearly complete.
    baseline : Tensor, optional
        Where the line begins, shaped like the pixels or one image of them; black by default.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the logit; see `completeness_error`.
    """
    from captum.attr import IntegratedGradients

    with torch.inference_mode(False):
        method = IntegratedGradients(frozen_copy(classifier))
        inputs, classes = pixels.detach().clone(), target.clone()
        start = _baseline_like(inputs, baseline)
        at_once = max(1, PASS_SIZE // n_steps)
        pieces = zip(*(torch.split(whole, at_once) for whole in (inputs, start, classes)), strict=True)
        maps = [
            method.attribute(piece, baselines=origin, target=wanted, n_steps=n_steps)
            for piece, origin, wanted in pieces
        ]
        return torch.cat(maps).detach()


def completeness_error(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor,
    attributions: Tensor,
    *,
    baseline: Tensor | None = None,
) -> Tensor:
    """Say by how much the attributions of an image miss the difference that they share out.

    Parameters
    ----------
    classifier, pixels, target, baseline
        As given to `attribute`.
    attributions : Tensor
        What it returned.

    Returns
    -------
    Tensor
        Float, shape (N,), in units of the logit: sum of the attributions less (logit of the image less logit
        of the baseline). Zero for an exact integral.
    """
    frozen = frozen_copy(classifier)
    with torch.no_grad():
        start = _baseline_like(pixels, baseline)
        gained = (frozen(pixels) - frozen(start)).gather(1, target[:, None]).squeeze(1)
        error: Tensor = attributions.flatten(1).sum(dim=1) - gained
    return error


def _baseline_like(pixels: Tensor, baseline: Tensor | None) -> Tensor:
    if baseline is None:
        return torch.zeros_like(pixels)
    return baseline.detach().to(pixels).clone().expand_as(pixels)
