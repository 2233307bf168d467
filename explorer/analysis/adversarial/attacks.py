"""Changes too small to matter to us that make a model see another class: FGSM and PGD.

Goodfellow, Shlens & Szegedy, "Explaining and harnessing adversarial examples" (ICLR 2015): one step of size epsilon
along the sign of the gradient of the loss. Madry et al., "Towards deep learning models resistant to adversarial
attacks" (ICLR 2018): many smaller ones from a random start, each brought back into the ball of radius epsilon around
the image in the maximum norm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.adversarial.images import Adversarial, Method
from explorer.analysis.evaluation.predictions import FloatArray, IntArray, scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.errors import CheckpointError, ConfigError

METHODS: tuple[Method, ...] = ("fgsm", "pgd")

STEPS = 10
REACH = 2.5
"""How far the steps of PGD go together, in epsilons: enough to reach any corner of the ball (Madry et al.)."""
BATCH_SIZE = 256


@dataclass(frozen=True)
class Attack:
    """How images are to be changed.

    Attributes
    ----------
    method : 'fgsm' or 'pgd'
    target : int, optional
        The class to reach; by default any other than the image's own.
    steps : int
        Of PGD.
    step_size : float, optional
        Of PGD, in units of a pixel in [0, 1]; by default 2.5 epsilons divided by the steps.
    random_start : bool
        Whether PGD begins at a random place in the ball.
    seed : int
        Of that place.
    """

    method: Method = "fgsm"
    target: int | None = None
    steps: int = STEPS
    step_size: float | None = None
    random_start: bool = True
    seed: int = 0

    def run(
        self,
        classifier: nn.Module,
        images: NDArray[Any],
        labels: IntArray | None = None,
        epsilon: float | Sequence[float] | FloatArray = 0.1,
        batch_size: int = BATCH_SIZE,
    ) -> Adversarial:
        """Change images so that a classifier errs.

        Parameters
        ----------
        classifier : nn.Module
            Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read and may be shared.
        images : ndarray
            Grey levels, uint8, shape (N, height, width); or pixels, float, shape (N, 1, height, width), in [0, 1].
        labels : ndarray, optional
            int64, shape (N,): the classes to lead away from; by default the predicted ones, as of a drawing.
        epsilon : float or N of them
            The most by which a pixel in [0, 1] may change; 0 changes nothing.
        batch_size : int
            Images per pass, and the bound of the memory.

        Returns
        -------
        Adversarial
            The same for the same input, whatever the batch size but for rounding. PGD returns, of all places on its
            way, the one where the model is most in error.

        Raises
        ------
        ConfigError
            A setting is out of range, or the classifier has no such class.
        CheckpointError
            The outputs of the classifier are not finite.
        """
        if not len(images):
            raise ConfigError("There is no image to change. Choose at least one.")
        return Adversarial.joined(list(self.batches(classifier, images, labels, epsilon, batch_size)))

    def batches(
        self,
        classifier: nn.Module,
        images: NDArray[Any],
        labels: IntArray | None = None,
        epsilon: float | Sequence[float] | FloatArray = 0.1,
        batch_size: int = BATCH_SIZE,
    ) -> Iterator[Adversarial]:
        """Do as `run`, and yield the result of every batch; closing the iterator ends the computation."""
        sizes = np.broadcast_to(np.asarray(epsilon, np.float64), (len(images),))
        if not ((sizes >= 0) & (sizes <= 1)).all():
            raise ConfigError("Epsilon must lie between 0 and 1, the range of a pixel.")
        if self.steps < 1 or not (self.step_size is None or self.step_size > 0):
            raise ConfigError("PGD needs at least one step, and a step size above 0.")
        frozen = frozen_copy(classifier)
        device, dtype = placement(frozen)
        draws = torch.Generator().manual_seed(self.seed)
        for start in range(0, len(images), batch_size):
            rows = slice(start, start + batch_size)
            pixels = _pixels(images[rows], device, dtype)
            given = None if labels is None else torch.tensor(labels[rows], device=device)
            yield self._batch(frozen, pixels, given, torch.tensor(sizes[rows]), draws)

    def _batch(
        self, frozen: nn.Module, pixels: Tensor, given: Tensor | None, sizes: Tensor, draws: torch.Generator
    ) -> Adversarial:
        before = checked_logits(frozen, pixels)
        aims = before.argmax(dim=1) if given is None else given
        if self.target is not None:
            aims = torch.full_like(aims, self.target)
        if not 0 <= int(aims.min()) <= int(aims.max()) < before.shape[1]:
            raise ConfigError(f"This model has {before.shape[1]} classes, numbered from 0. Choose one of them.")
        epsilon = sizes.to(pixels)[:, None, None, None]
        if self.method == "fgsm":
            direction, _ = slope(frozen, pixels, aims)
            changed = (pixels + self._sign * epsilon * direction.sign()).clamp(0, 1)
            after = checked_logits(frozen, changed)
        else:
            changed, after = self._worst(self._places(frozen, pixels, aims, epsilon, draws), aims)
        arrays = (tensor.float().cpu().numpy() for tensor in (pixels, changed, before, after))
        return Adversarial(self.method, sizes.numpy(), aims.cpu().numpy(), self.target is not None, *arrays)

    @property
    def _sign(self) -> int:
        """Up the loss of the image's own class, or down that of the target."""
        return 1 if self.target is None else -1

    def _places(
        self, frozen: nn.Module, pixels: Tensor, aims: Tensor, epsilon: Tensor, draws: torch.Generator
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images on the way of PGD, and their logits."""
        low, high = (pixels - epsilon).clamp_min(0), (pixels + epsilon).clamp_max(1)
        step = epsilon * (REACH / self.steps) if self.step_size is None else self.step_size
        here = pixels
        if self.random_start:
            uniform = torch.rand(pixels.shape, generator=draws).to(pixels)
            here = torch.clamp(pixels + epsilon * (2 * uniform - 1), low, high)
        for _ in range(self.steps):
            direction, logits = slope(frozen, here, aims)
            yield here, checked(logits)
            here = torch.clamp(here + self._sign * step * direction.sign(), low, high)
        yield here, checked_logits(frozen, here)

    def _worst(self, places: Iterator[tuple[Tensor, Tensor]], aims: Tensor) -> tuple[Tensor, Tensor]:
        """Return, for each image, the place where the model is most in error, and the logits there."""
        images, logits = next(places)
        error = self._sign * excess(logits, aims)
        for place, outputs in places:
            there = self._sign * excess(outputs, aims)
            worse = there > error
            images = torch.where(worse[:, None, None, None], place, images)
            logits = torch.where(worse[:, None], outputs, logits)
            error = torch.maximum(error, there)
        return images, logits


def _pixels(images: NDArray[Any], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return pixels (N, 1, height, width) in [0, 1] of grey levels or of such pixels."""
    tensor = torch.tensor(images, device=device)
    if tensor.dtype == torch.uint8:
        return scale(tensor, dtype)
    if tensor.ndim != 4 or not bool(((tensor >= 0) & (tensor <= 1)).all()):
        raise ConfigError("Pixels must have the shape (N, 1, height, width) and lie between 0 and 1.")
    return tensor.to(dtype)


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
