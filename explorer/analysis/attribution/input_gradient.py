"""The gradient of a logit with respect to the pixels.

K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising image classification
models and saliency maps" (2013), section 3, with its sign kept.
"""

import torch
from torch import Tensor, nn

from explorer.analysis._frozen import frozen_copy


def attribute(classifier: nn.Module, pixels: Tensor, target: Tensor) -> Tensor:
    """Differentiate the logit of each image's target class.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits (N, C), before the softmax.
    pixels : Tensor
        Float, shape (N, 1, height, width), in [0, 1].
    target : Tensor
        int64, shape (N,): the class of each image.

    Returns
    -------
    Tensor
        Shaped like the pixels: change of the logit per unit of a pixel.
    """
    frozen = frozen_copy(classifier)
    with torch.inference_mode(False), torch.enable_grad():
        inputs = pixels.detach().clone().requires_grad_()
        chosen = frozen(inputs).gather(1, target.clone()[:, None])
        (gradient,) = torch.autograd.grad(chosen.sum(), inputs)
    return gradient
