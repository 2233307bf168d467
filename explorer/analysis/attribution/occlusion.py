"""Occlusion, computed by Captum.

M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2: cover
a part of the image and see how far the logit falls.
"""

import torch
from torch import Tensor, nn

from explorer.analysis._frozen import frozen_copy

PASS_SIZE = 512
"""Most covered images in one pass."""


def attribute(classifier: nn.Module, pixels: Tensor, target: Tensor, *, window: int = 4, stride: int = 2) -> Tensor:
    """Measure how far the logit of each image's target class falls when a black square covers a place.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits (N, C), before the softmax.
    pixels : Tensor
        Float, shape (N, 1, height, width), in [0, 1].
    target : Tensor
        int64, shape (N,): the class of each image.
    window : int
        Side of the square in pixels.
    stride : int
        Pixels from one place to the next.

    Returns
    -------
    Tensor
        Shaped like the pixels, in units of the logit: the mean fall over all places of the square that cover
        a pixel.
    """
    from captum.attr import Occlusion

    with torch.inference_mode(False):
        method = Occlusion(frozen_copy(classifier))
        inputs, classes = pixels.detach().clone(), target.clone()
        maps = [
            method.attribute(
                images,
                sliding_window_shapes=(images.shape[1], window, window),
                strides=(images.shape[1], stride, stride),
                baselines=0.0,
                target=wanted,
                perturbations_per_eval=max(1, PASS_SIZE // len(images)),
            )
            for images, wanted in zip(torch.split(inputs, PASS_SIZE), torch.split(classes, PASS_SIZE), strict=True)
        ]
        return torch.cat(maps).detach()
