"""Occlusion, computed by Captum.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2: cover
a part of the image and see how far the score falls.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from explorer.analysis.attribution.baselines import Kind
from explorer.analysis.attribution.method import Method
from explorer.analysis.attribution.passes import in_passes
from explorer.analysis.attribution.target import Scores, Target
from models.registry import Options

PASS_SIZE = 512
"""Most covered images in one pass."""


class OcclusionOptions(Options):
    """Options of occlusion."""

    window: int = Field(4, ge=1, le=14, title="Window", description="Side of the square that covers, in pixels.")
    stride: int = Field(
        2, ge=1, le=14, title="Stride", description="Pixels from one place of the square to the next, at most its side."
    )
    baseline: Kind = Field("black", title="Cover with", description="What the square shows in place of the image.")

    @model_validator(mode="after")
    def _no_gaps(self) -> "OcclusionOptions":
        if self.stride > self.window:
            raise ValueError(
                f"a stride of {self.stride} would leave gaps between squares of {self.window} pixels; "
                "choose a smaller stride or a larger window"
            )
        return self


def attribute(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    *,
    window: int = 4,
    stride: int = 2,
    baseline: Tensor | None = None,
) -> Tensor:
    """Measure how far the score of each image falls when a square covers a place.

    Parameters
    ----------
    classifier, pixels, target
        As for `input_gradient.attribute`, and the same errors are raised.
    window : int
        Side of the square in pixels.
    stride : int
        Pixels from one place to the next.
    baseline : Tensor, optional
        What the square shows, shaped like the pixels or one image of them; black by default.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the score: the mean fall over all places of the square that cover
        a pixel.
    """
    from captum.attr import Occlusion

    def compute(scores: Scores, images: Tensor, wanted: Tensor, cover: Tensor) -> Tensor:
        maps: Tensor = Occlusion(scores).attribute(
            images,
            sliding_window_shapes=(images.shape[1], window, window),
            strides=(images.shape[1], stride, stride),
            baselines=cover,
            target=wanted,
            perturbations_per_eval=max(1, PASS_SIZE // len(images)),
        )
        return maps

    cover = torch.zeros_like(pixels) if baseline is None else baseline
    return in_passes(classifier, pixels, target, compute, cover, at_once=PASS_SIZE)


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    summary="How much the class score falls when a small black square covers this place.",
    unit="fall of the score",
    reference="Zeiler and Fergus, Visualizing and understanding convolutional networks (2014)",
    attribute=attribute,
    options=OcclusionOptions,
)
