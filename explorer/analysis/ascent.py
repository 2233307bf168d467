"""Which way the loss grows: the direction that adversarial examples follow, safe from vanishing gradients."""

import torch
from torch import Tensor, nn

from explorer.errors import CheckpointError


def ascent(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the direction in which the cross entropy of each image grows fastest with its logits.

    The gradient is (1 - p) times this, p being the probability of the label. Without the factor, which no sign
    depends on, it does not vanish where a model is so sure of itself that p rounds to 1.

    Parameters
    ----------
    logits : Tensor
        Shape (N, C), at least two classes.
    labels : Tensor
        int64, shape (N,).

    Returns
    -------
    Tensor
        Shape (N, C): the softmax outputs among the other classes, and -1 for the label.
    """
    own = nn.functional.one_hot(labels, logits.shape[1]).bool()
    others = logits.detach().masked_fill(own, -torch.inf).softmax(dim=1)
    return others.masked_fill(own, -1.0)


def slope(frozen: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of each image's cross entropy divided by (1 - p), and the logits (N, C).

    Parameters
    ----------
    frozen : nn.Module
        A model of which no parameter needs a gradient, or one whose parameters are to get none.
    images : Tensor
        Its input, shape (N, ...); the gradient is shaped like it.
    labels : Tensor
        int64, shape (N,).
    """
    with torch.inference_mode(False), torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        logits = frozen(pixels)
        (found,) = torch.autograd.grad(logits, pixels, ascent(logits, labels.clone()))
    return found, logits.detach()


def checked_logits(frozen: nn.Module, images: Tensor) -> Tensor:
    """Return logits (N, C), or raise `CheckpointError` where they are not finite."""
    with torch.no_grad():
        return checked(frozen(images))


def checked(logits: Tensor) -> Tensor:
    """Return the logits, or raise `CheckpointError` where they are not finite."""
    if not torch.isfinite(logits).all():
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    return logits


def excess(logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the highest other logit exceeds that of the label, (N,)."""
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.max(dim=1).values - own.squeeze(1)
