"""The gradient of a score with respect to the pixels.

K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising image classification
models and saliency maps" (2013), section 3, with its sign kept.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from models.registry import Options

PASS_SIZE = 512
"""Most images in one pass."""


class InputGradientOptions(Options):
    """Options of the input gradient."""

    absolute: bool = Field(
        False,
        title="Without sign",
        description="Show how strongly the score reacts to a pixel, not in which direction, as the paper does.",
    )


def attribute(classifier: nn.Module, pixels: Tensor, target: Tensor | Target, *, absolute: bool = False) -> Tensor:
    """Differentiate the score of each image.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits (N, C), before the softmax.
    pixels : Tensor
        Float, shape (N, channels, height, width), in [0, 1].
    target : Tensor or Target
        int64, shape (N,): the class of each image; or a margin between two classes.
    absolute : bool
        Drop the sign.

    Returns
    -------
    Tensor
        Shaped like the pixels: change of the score per unit of a pixel.

    Raises
    ------
    CheckpointError
        The model's outputs or the map are not finite.
    ConfigError
        A class does not exist.
    """
    gradient = in_passes(classifier, pixels, target, differentiate, at_once=PASS_SIZE)
    return gradient.abs() if absolute else gradient


def differentiate(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
    """Return the gradient of each image's own score, shaped like the images."""
    with torch.enable_grad():
        inputs = images.detach().requires_grad_()
        chosen = scores(inputs).gather(1, wanted[:, None])
        (gradient,) = torch.autograd.grad(chosen.sum(), inputs)
    return gradient


METHOD = Method(
    name="input-gradient",
    title="Input gradient",
    summary="How much the class score rises (falls, where negative) if this pixel becomes a little brighter.",
    unit="score per unit of brightness",
    reference="Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks (2013)",
    attribute=attribute,
    options=InputGradientOptions,
)
