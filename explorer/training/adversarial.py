"""Adversarial training: images that are changed against the network as it is now.

Every second image of a batch, from the first on, is replaced by its FGSM example for the cross entropy of its true
class (Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, who weigh both halves
alike). The network is asked as it is when it predicts: without dropout, batch norm with its running averages. Nothing
is drawn at random, so the examples follow from the weights and the batch. A batch that is computed in pieces has every
second image of each piece changed.
"""

from torch import Tensor, nn

from explorer.analysis.adversarial.attacks import slope
from explorer.data.catalog import DatasetSpec


def with_examples(network: nn.Module, images: Tensor, labels: Tensor, epsilon: float, spec: DatasetSpec) -> Tensor:
    """Return a batch in which every second image is an adversarial example.

    Parameters
    ----------
    network : nn.Module
        In training mode, as it is afterwards; its gradients are left alone.
    images : Tensor
        Normalised, float, shape (B, channels, height, width); it is only read.
    labels : Tensor
        int64, shape (B,).
    epsilon : float
        The most by which a pixel in [0, 1] changes; 0 changes nothing.
    spec : DatasetSpec
        Its mean and standard deviation have normalised the images.
    """
    if not epsilon:
        return images
    some = images[::2]
    network.eval()
    direction, _ = slope(network, some, labels[::2])
    network.train()
    low, high = -spec.mean / spec.std, (1 - spec.mean) / spec.std
    images = images.clone()
    images[::2] = (some + direction.sign() * (epsilon / spec.std)).clamp(low, high)
    return images
