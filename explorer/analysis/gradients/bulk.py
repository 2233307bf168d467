"""Input gradients in bulk: how the loss, or a logit, of each image changes with each of its pixels.

The map is that of Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks" (2013), section 3,
with its sign kept. Images of a batch do not see each other in evaluation mode, so the gradient of the sum
over a batch holds each image's own gradient, and one backward pass yields them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from explorer.analysis.evaluation.predictions import scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.errors import CheckpointError, ConfigError
from explorer.store.checkpoints import Classifier

Of = Literal["loss", "true", "predicted"] | int
"""What to differentiate: the cross entropy, or the logit of the true, the predicted or the k-th class."""

BATCH_SIZE = 256
DENSE_BATCH_SIZE = 1024
"""Without convolutions more images at once are quicker: what limits the size is the processor's cache."""


class GradientBatch(NamedTuple):
    """The gradients of some consecutive images.

    Attributes
    ----------
    start : int
        Row of the first image.
    gradient : ndarray
        float32, shape (B, height, width): the change per unit of a pixel in [0, 1].
    predicted : ndarray
        int64, shape (B,): the classes with the highest logit.
    """

    start: int
    gradient: NDArray[np.float32]
    predicted: NDArray[np.int64]

    @property
    def rows(self) -> slice:
        """Where the images stand."""
        return slice(self.start, self.start + len(self.gradient))


def input_gradients(
    classifier: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    of: Of = "loss",
    batch_size: int | None = None,
) -> Iterator[GradientBatch]:
    """Differentiate each image's own loss, or one of its logits, with respect to its pixels.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read and may be
        shared.
    images : ndarray
        uint8, shape (N, height, width).
    labels : ndarray
        int64, shape (N,): the true classes.
    of : 'loss', 'true', 'predicted' or int
        What to differentiate.
    batch_size : int, optional
        Images per pass, and the bound of the memory; by default what suits the network.

    Yields
    ------
    GradientBatch
        In the order of the images. Closing the iterator ends the computation.

    Raises
    ------
    ConfigError
        The classifier has no such class.
    CheckpointError
        An output is not a finite number.
    """
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")
    return _batches(frozen_copy(classifier), images, labels, of, batch_size or suitable_batch_size(classifier))


def suitable_batch_size(classifier: nn.Module) -> int:
    """Return how many images at once are quick for a network."""
    convolves = any(isinstance(layer, nn.Conv2d) for layer in classifier.modules())
    return BATCH_SIZE if convolves else DENSE_BATCH_SIZE


def _batches(
    frozen: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], of: Of, batch_size: int
) -> Iterator[GradientBatch]:
    device, dtype = placement(frozen)
    with torch.inference_mode(False), torch.no_grad():
        resident, truth = torch.tensor(images, device=device), torch.tensor(labels, device=device)
        if len(images):
            _check_classes(frozen(scale(resident[:1], dtype)).shape[1], labels, of)
    for start in range(0, len(images), batch_size):
        rows = slice(start, start + batch_size)
        gradient, logits = _differentiate(frozen, resident[rows], truth[rows], of)
        yield GradientBatch(start, gradient.squeeze(1).float().cpu().numpy(), logits.argmax(dim=1).cpu().numpy())


def _check_classes(outputs: int, labels: NDArray[np.int64], of: Of) -> None:
    classes = [of] if isinstance(of, int) else [] if of == "predicted" else [int(labels.min()), int(labels.max())]
    if not all(0 <= number < outputs for number in classes):
        raise ConfigError(f"This model has {outputs} classes, numbered from 0. Choose one of them.")


def _differentiate(frozen: nn.Module, images: Tensor, labels: Tensor, of: Of) -> tuple[Tensor, Tensor]:
    """Return gradients (B, 1, height, width) and logits (B, C), whatever gradient mode the caller is in."""
    _, dtype = placement(frozen)
    with torch.inference_mode(False), torch.enable_grad():
        network, inputs, factor = _in_front(frozen, images.unsqueeze(1), dtype)
        logits = network(inputs.requires_grad_())
        objective = _objective(logits, labels, of)
        if not math.isfinite(objective.item()):
            raise CheckpointError(
                "The outputs of this checkpoint are not finite numbers. Choose another epoch or another checkpoint."
            )
        (gradient,) = torch.autograd.grad(objective, inputs, factor.to(objective))
    return gradient, logits.detach()


def _in_front(frozen: nn.Module, levels: Tensor, dtype: torch.dtype) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network, its input, and the factor from a gradient by that input to one by pixels in [0, 1].

    The normalisation of a classifier is done here in one go with that of the grey levels, and backwards by the factor:
    done by the classifier itself the two cost a small network a third of its time.
    """
    if not isinstance(frozen, Classifier):
        return frozen, levels.to(dtype).div_(255), torch.ones((), dtype=dtype, device=levels.device)
    black = (-frozen.mean / frozen.std).to(dtype)
    return frozen.network, torch.add(black, levels, alpha=1 / (255 * frozen.std.item())), 1 / frozen.std


def _objective(logits: Tensor, labels: Tensor, of: Of) -> Tensor:
    if of == "loss":
        return functional.cross_entropy(logits, labels, reduction="sum")
    if of == "true":
        chosen = labels
    elif of == "predicted":
        chosen = logits.argmax(dim=1)
    else:
        chosen = torch.full_like(labels, int(of))
    return logits.gather(1, chosen[:, None]).sum()
