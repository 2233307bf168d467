"""DeepLIFT with the Rescale rule, computed by Captum.

A. Shrikumar, P. Greenside, A. Kundaje, "Learning important features through propagating activation differences",
ICML 2017: in place of the slope of each activation stands the quotient of the differences of its output and input
between image and baseline.
"""

from collections import Counter
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution.baselines import Kind
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import expect_hooks, in_passes
from explorer.analysis.attribution.target import Scores, Target
from explorer.analysis.frozen import frozen_copy
from explorer.analysis.trace import IMAGE_SHAPE, trace
from models.registry import Options

POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)


class DeepLiftOptions(Options):
    """Options of DeepLIFT."""

    baseline: Kind = Field("black", title="Baseline", description="The image that this one is compared with.")


def attribute(
    classifier: nn.Module, pixels: Tensor, target: Tensor | Target, *, baseline: Tensor | None = None
) -> Tensor:
    """Share the difference of a score between image and baseline out among the pixels, layer by layer.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    baseline : Tensor, optional
        The image to compare with, shaped like the pixels or one image of them; black by default.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score; see `completeness.completeness_error`.

    Notes
    -----
    Two faults of Captum 0.9 are kept away. Its rule for max pooling takes the gradient of the first image of a batch
    for all of them where image and baseline agree (its issue 1276): here one image is computed at a time. Of two
    non-linear layers in a row the first one misses what the second one changed (1104), because their hooks meet on one
    tensor: here each layer gets a copy of its input.
    """
    from captum.attr import DeepLift
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    def compute(scores: Scores, images: Tensor, wanted: Tensor, start: Tensor) -> Tensor:
        expect_hooks()
        maps: Tensor = DeepLift(scores).attribute(images.requires_grad_(), start, target=wanted)
        return maps

    origin = torch.zeros_like(pixels) if baseline is None else baseline
    with_own_inputs = _with_own_inputs(classifier, tuple(SUPPORTED_NON_LINEAR))
    return in_passes(with_own_inputs, pixels, target, compute, origin, at_once=1)


def _with_own_inputs(classifier: nn.Module, kinds: tuple[type[nn.Module], ...]) -> nn.Module:
    """Copy a model such that its layers of some kinds share their input tensor with no other layer's output."""
    frozen = frozen_copy(classifier)
    for module in frozen.modules():
        if isinstance(module, kinds):
            module.register_forward_pre_hook(lambda _, inputs: tuple(one.clone() for one in inputs))
    return frozen


def objection(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> str | None:
    """Say what in a model DeepLIFT has no rule for: activations used twice, of an unknown kind or outside a layer."""
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    bends = trace(classifier, shape).bends
    for bend in bends:
        if type(bend.module) not in SUPPORTED_NON_LINEAR:
            return (
                f"DeepLIFT has no rule for the function {bend.function} as this model uses it (in "
                f"{bend.call or 'its forward pass'}). Choose a model with ReLU, leaky ReLU, ELU, tanh, sigmoid or "
                "softplus layers."
            )
    uses = Counter(bend.call for bend in bends)
    if twice := [name for name, count in uses.items() if count > 1]:
        return (
            f"DeepLIFT needs a layer of its own for each activation, but this model uses {twice[0]} "
            f"{uses[twice[0]]} times."
        )
    if overlapping := [bend.call for bend in bends if isinstance(bend.module, POOLS) and _overlap(bend.module)]:
        return f"DeepLIFT has no rule for pooling windows that overlap, as in {overlapping[0]} of this model."
    return None


def _overlap(pool: Any) -> bool:
    def several(value: Any) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else (value,)

    return max(several(pool.kernel_size)) > min(several(pool.stride))


METHOD = Method(
    name="deep-lift",
    title="DeepLIFT",
    summary="How much each pixel contributes to the difference between the score of this image and that of a black "
    "one, followed back through the network layer by layer; all pixels together add up to it.",
    unit="share of the score",
    reference="Shrikumar, Greenside and Kundaje, Learning important features through propagating activation "
    "differences (2017)",
    attribute=attribute,
    options=DeepLiftOptions,
    objection=objection,
    complete=True,
)
