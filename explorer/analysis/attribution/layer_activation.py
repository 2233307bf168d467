"""Layer activation, computed by Captum: what a layer makes of the image, whatever class is asked for.

J. Yosinski, J. Clune, A. Nguyen, T. Fuchs, H. Lipson, "Understanding neural networks through deep visualization"
(2015), section 2.
"""

from pydantic import Field
from torch import Tensor, nn

from explorer.analysis.attribution import layers
from explorer.analysis.attribution.grad_cam import enlarged
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from explorer.analysis.trace import IMAGE_SHAPE
from explorer.errors import ConfigError
from models.registry import Options

PASS_SIZE = 512
"""Most images in one pass."""


class LayerActivationOptions(Options):
    """Options of layer activation."""

    layer: str = Field(
        "", max_length=200, title="Layer", description="Whose output is shown; by default the last convolution's."
    )
    channel: int | None = Field(
        None,
        ge=0,
        le=65535,
        title="Channel",
        description="Which of the layer's maps, counted from 0; without a number the mean of all.",
    )


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    layer: str = "",
    channel: int | None = None,
) -> Tensor:
    """Return what a layer answers to each image.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised. The target changes nothing.
    layer : str
        Name of the layer in the classifier, see `layers.candidates`; by default `layers.default`.
    channel : int, optional
        One of the layer's maps; by default the mean of all.

    Returns
    -------
    Tensor
        Shaped like the pixels, in the layer's own units: its map, enlarged by bilinear interpolation.

    Raises
    ------
    ConfigError
        There is no such layer, or it has no such channel.
    """
    from captum.attr import LayerActivation

    name = layers.choose(classifier, layer, tuple(pixels.shape[1:]))

    def compute(scores: Scores, images: Tensor, wanted: Tensor) -> Tensor:
        maps = LayerActivation(scores, scores.classifier.get_submodule(name)).attribute(images)
        if channel is None:
            return enlarged(maps.mean(dim=1, keepdim=True), images)
        if not 0 <= channel < maps.shape[1]:
            raise ConfigError(f"The layer {name} has {maps.shape[1]} maps, numbered from 0. Choose one of them.")
        return enlarged(maps[:, channel : channel + 1], images)

    return in_passes(classifier, pixels, target, compute, at_once=PASS_SIZE)


def objection(classifier: nn.Module, shape: tuple[int, ...] = IMAGE_SHAPE) -> str | None:
    """Say that there is no layer to show."""
    return None if layers.candidates(classifier, shape) else f"Layer activation {layers.NO_CONVOLUTION}"


METHOD = Method(
    name="layer-activation",
    title="Layer activation",
    summary="What a layer of the network answers to each place of the image, whatever class is asked for.",
    unit="activation",
    reference="Yosinski, Clune, Nguyen, Fuchs and Lipson, Understanding neural networks through deep visualization "
    "(2015)",
    attribute=attribute,
    options=LayerActivationOptions,
    objection=objection,
    uses_target=False,
)
