"""Input times gradient, computed by Captum.

A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, "Not just a black box: learning important features through
propagating activation differences" (2016): the gradient of the score times the brightness of the pixel.
"""

from torch import Tensor, nn

from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target

PASS_SIZE = 512
"""Most images in one pass."""


def attribute(classifier: nn.Module, pixels: Tensor, target: Tensor | Target) -> Tensor:
    """Multiply each pixel with the slope of the score there.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score: its change, to first order, from darkening the pixel to black
        (with the sign turned).
    """
    from captum.attr import InputXGradient

    def compute(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
        maps: Tensor = InputXGradient(scores).attribute(images.requires_grad_(), wanted)
        return maps

    return in_passes(classifier, pixels, target, compute, at_once=PASS_SIZE)


METHOD = Method(
    name="input-x-gradient",
    title="Input × gradient",
    summary="The slope of the class score at this pixel times the pixel's brightness: roughly what the score would "
    "lose if the pixel were black.",
    unit="share of the score",
    reference="Shrikumar, Greenside, Shcherbina and Kundaje, Not just a black box (2016)",
    attribute=attribute,
)
