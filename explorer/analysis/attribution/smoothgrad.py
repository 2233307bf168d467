"""SmoothGrad: the mean of the gradients of many noisy copies of an image.

D. Smilkov, N. Thorat, B. Kim, F. Viégas, M. Wattenberg, "SmoothGrad: removing noise by adding noise" (2017). Captum's
NoiseTunnel draws from PyTorch's global generator, so that two sessions at once would disturb each other; here the noise
has a generator of its own, and every image gets the same, whichever others are computed with it.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution.input_gradient import differentiate
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from models.registry import Options

PASS_SIZE = 256
"""Most noisy images in one pass, unless one image has more copies."""


class SmoothGradOptions(Options):
    """Options of SmoothGrad."""

    samples: int = Field(32, ge=1, le=256, title="Noisy copies", description="More copies give a smoother map.")
    noise: float = Field(
        0.15,
        ge=0,
        le=1,
        title="Noise",
        description="Standard deviation of the noise, as a share of the range from the image's darkest to its "
        "brightest pixel; the paper recommends 0.1 to 0.2.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", description="The same seed draws the same noise.")


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    samples: int = 32,
    noise: float = 0.15,
    seed: int = 0,
) -> Tensor:
    """Average the gradients of noisy copies of each image.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    samples : int
        Copies of each image.
    noise : float
        Standard deviation of the Gaussian noise as a share of the image's range; an image of one grey has none.
    seed : int
        Of the noise.

    Returns
    -------
    Tensor
        Shaped like the pixels: mean change of the score per unit of a pixel.
    """
    shape = (samples, *pixels.shape[1:])
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(pixels)

    def compute(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
        flat = images.flatten(1)
        spread = noise * (flat.amax(dim=1) - flat.amin(dim=1))
        noisy = images[:, None] + spread[:, None, None, None, None] * drawn
        gradient = differentiate(scores, noisy.flatten(0, 1), wanted.repeat_interleave(samples))
        return gradient.view_as(noisy).mean(dim=1)

    return in_passes(classifier, pixels, target, compute, at_once=PASS_SIZE // samples)


METHOD = Method(
    name="smoothgrad",
    title="SmoothGrad",
    summary="The input gradient, averaged over many copies of the image with a little noise, which wipes out its "
    "speckles.",
    unit="score per unit of brightness",
    reference="Smilkov, Thorat, Kim, Viégas and Wattenberg, SmoothGrad (2017)",
    attribute=attribute,
    options=SmoothGradOptions,
)
