"""Guided backpropagation, computed by Captum.

J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all convolutional net" (2014):
the input gradient, but every ReLU lets only positive gradients back.
"""

from torch import Tensor, nn

from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import expect_hooks, in_passes
from explorer.analysis.attribution.target import Scores, Target
from explorer.analysis.trace import IMAGE_SHAPE, trace

PASS_SIZE = 512
"""Most images in one pass."""


def attribute(classifier: nn.Module, pixels: Tensor, target: Tensor | Target) -> Tensor:
    """Differentiate the score of each image with the ReLUs' gradients cut off below zero.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of a gradient, although it is none.
    """
    from captum.attr import GuidedBackprop

    def compute(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
        expect_hooks()
        maps: Tensor = GuidedBackprop(scores).attribute(images.requires_grad_(), wanted)
        return maps

    return in_passes(classifier, pixels, target, compute, at_once=PASS_SIZE)


def objection(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> str | None:
    """Say why there is no ReLU whose gradient could be changed."""
    bends = [bend for bend in trace(classifier, shape).bends if bend.function == "relu"]
    for bend in bends:
        if not isinstance(bend.module, nn.ReLU):
            return (
                "Guided backpropagation changes what ReLU layers pass back, but this model calls relu as a function "
                f"(in {bend.call or 'its forward pass'})."
            )
    if not bends:
        return "Guided backpropagation changes what ReLU layers pass back, and this model has none."
    return None


METHOD = Method(
    name="guided-backpropagation",
    title="Guided backpropagation",
    summary="The input gradient, with everything negative removed at each ReLU on the way back: sharp pictures, which "
    "however say little about the class.",
    unit="score per unit of brightness, altered",
    reference="Springenberg, Dosovitskiy, Brox and Riedmiller, Striving for simplicity (2014)",
    attribute=attribute,
    objection=objection,
)
