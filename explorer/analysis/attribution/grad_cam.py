"""Grad-CAM, computed by Captum.

R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: visual explanations from deep
networks via gradient-based localization", ICCV 2017: the maps of a convolution, each weighted by the mean gradient of
the score with respect to it, and added up.
"""

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from explorer.analysis.attribution import layers
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from explorer.analysis.trace import IMAGE_SHAPE
from models.registry import Options

PASS_SIZE = 512
"""Most images in one pass."""


class GradCamOptions(Options):
    """Options of Grad-CAM."""

    layer: str = Field(
        "",
        max_length=200,
        title="Layer",
        description="Whose maps are added up; the last convolution is usual, earlier ones give finer but less "
        "meaningful maps.",
    )
    positive_only: bool = Field(
        True, title="Only what speaks for it", description="Set negative values to zero, as the paper does."
    )


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    layer: str = "",
    positive_only: bool = True,
) -> Tensor:
    """Add up the maps of a layer, each weighted by how much the score depends on it.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    layer : str
        Name of the layer in the classifier, see `layers.candidates`; by default `layers.default`.
    positive_only : bool
        Set negative values to zero. Where there are no others the map is empty.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score: the layer's map, enlarged by bilinear interpolation.
    """
    from captum.attr import LayerGradCam

    name = layers.choose(classifier, layer, tuple(pixels.shape[1:]))

    def compute(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
        method = LayerGradCam(scores, scores.classifier.get_submodule(name))
        maps = method.attribute(images.requires_grad_(), wanted, relu_attributions=positive_only)
        return enlarged(maps, images)

    return in_passes(classifier, pixels, target, compute, at_once=PASS_SIZE)


def enlarged(maps: Tensor, images: Tensor) -> Tensor:
    """Return maps (N, 1, h, w) shaped like the images, interpolated bilinearly."""
    large = functional.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return large.expand_as(images)


def objection(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> str | None:
    """Say that there is no layer to show."""
    return None if layers.candidates(classifier, shape) else f"Grad-CAM {layers.NO_CONVOLUTION}"


METHOD = Method(
    name="grad-cam",
    title="Grad-CAM",
    summary="Where the last convolution found what speaks for the class: its maps, added up by how much the score "
    "depends on each.",
    unit="weighted activation",
    reference="Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM (2017)",
    attribute=attribute,
    options=GradCamOptions,
    objection=objection,
)
