"""The loss of several seeds and its gradient."""

import torch
from torch import Tensor

from explorer.training.config import TrainConfig


def losses_and_gradient(config: TrainConfig, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute each seed's `batch_loss` and its gradient; for so few numbers the formulas are quicker than autograd.

    Parameters
    ----------
    config : TrainConfig
    logits : Tensor
        Shape (K, C, B), without gradient.
    labels : Tensor
        Shape (K, B).

    Returns
    -------
    sums : Tensor, shape (K,)
        The losses summed over the B images.
    gradient : Tensor, shape (K, C, B)
        Of each seed's mean loss with respect to its logits.
    """
    smoothing, (_, classes, count) = config.label_smoothing, logits.shape
    cross_entropy = config.loss == "cross-entropy"
    rest = smoothing / classes if cross_entropy else 0.0
    true = 1 - smoothing + rest if cross_entropy else 1.0
    target = torch.full_like(logits, rest).scatter_(1, labels.unsqueeze(1), true)
    if cross_entropy:
        logarithms = logits.log_softmax(1)
        return -(target * logarithms).sum((1, 2)), logarithms.exp_().sub_(target).div_(count)
    outputs = logits.softmax(1)
    errors = outputs - target
    gradient = outputs * (errors - (outputs * errors).sum(1, keepdim=True))
    return errors.square().sum((1, 2)), gradient.mul_(2 / count)
