"""What would make an image more like a class: where to add ink and where to remove it, and doing so step by step.

The direction is the gradient of an objective with respect to the pixels (Simonyan, Vedaldi & Zisserman, "Deep inside
convolutional networks", 2013). A step follows it only where the pixel can still move, blurred a little and without its
faint parts, so that the change looks like ink and not like noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import FloatArray, scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.errors import CheckpointError

Objective = Literal["margin", "log-probability"]
"""The target's logit less the highest other one, or the logarithm of the target's probability."""

Image = NDArray[np.uint8]
Map = NDArray[np.float32]

SIZE = 0.3
SMOOTHNESS = 0.7
FOCUS = 0.25
_HALVINGS = 6


@dataclass(frozen=True, eq=False)
class GradientStep:
    """One step towards a class.

    Attributes
    ----------
    target : int
    gradient : ndarray
        float32, shape (H, W): change of the objective per unit of a pixel in [0, 1], at the image before the step;
        above 0 ink is to be added, below 0 removed.
    image : ndarray
        uint8, shape (H, W): after the step.
    change : ndarray
        float32, shape (H, W): what was added to each pixel in [0, 1].
    before, after : ndarray
        float64, shape (C,): probabilities.
    value_before, value_after : float
        The objective.
    """

    target: int
    gradient: Map
    image: Image
    change: Map
    before: FloatArray
    after: FloatArray
    value_before: float
    value_after: float

    @property
    def moved(self) -> bool:
        """Whether anything changed; if not, no step of this kind raises the objective any more."""
        return bool(self.change.any())


def direction(classifier: nn.Module, image: Image, target: int, objective: Objective = "margin") -> Map:
    """Differentiate an objective with respect to the pixels.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read and may be shared.
    image : ndarray
        uint8, shape (H, W).
    target : int
        The class.
    objective : 'margin' or 'log-probability'

    Returns
    -------
    ndarray
        float32, shape (H, W): above 0 where more ink would raise the objective, below 0 where less would.

    Raises
    ------
    IndexError
        There is no such class.
    CheckpointError
        The logits are not finite.
    """
    return _gradient(frozen_copy(classifier), image, target, objective)


def step_towards(
    classifier: nn.Module,
    image: Image,
    target: int,
    objective: Objective = "margin",
    size: float = SIZE,
    smoothness: float = SMOOTHNESS,
    mask: NDArray[np.bool_] | None = None,
) -> GradientStep:
    """Take one step towards a class. The same input gives the same step.

    Parameters
    ----------
    classifier, image, target, objective
        As for `direction`.
    size : float
        The most by which a pixel in [0, 1] may change. Where the step would not raise the objective it is halved, up
        to six times; then the direction of the log-odds is tried in the same way, as the margin's own
        gets stuck where two other classes are equal; where nothing helps, nothing changes.
    smoothness : float
        Standard deviation of the blur in pixels, that of a soft brush; 0 for none.
    mask : ndarray, optional
        bool, shape (H, W): pixels that may change; by default all.

    Returns
    -------
    GradientStep

    Raises
    ------
    IndexError
        There is no such class.
    CheckpointError
        The logits are not finite.
    """
    model = frozen_copy(classifier)
    gradient = _gradient(model, image, target, objective)

    def attempt(slope: Map) -> tuple[Image, Tensor, int]:
        stroke = _stroke(slope, image, smoothness, mask)
        sizes = [size / 2**halving for halving in range(_HALVINGS + 1)]
        tries = np.stack([image, *(_applied(image, stroke, each) for each in sizes)])
        logits = _logits(model, tries)
        values = _objective(logits, target, objective).numpy()
        better = np.flatnonzero(values[1:] > values[0])
        return tries, logits, int(better[0]) + 1 if better.size else 0

    tries, logits, chosen = attempt(gradient)
    if not chosen:
        tries, logits, chosen = attempt(_gradient(model, image, target, "log-odds"))
    values, probabilities = _objective(logits, target, objective), logits.softmax(1).numpy()
    after = tries[chosen]
    return GradientStep(
        target=target,
        gradient=gradient,
        image=after,
        change=((after.astype(np.float32) - image) / 255).astype(np.float32),
        before=probabilities[0],
        after=probabilities[chosen],
        value_before=float(values[0]),
        value_after=float(values[chosen]),
    )


def _gradient(model: nn.Module, image: Image, target: int, objective: Objective | Literal["log-odds"]) -> Map:
    device, dtype = placement(model)
    with torch.inference_mode(False), torch.enable_grad():
        pixels = scale(torch.tensor(image[None], device=device), dtype).requires_grad_()
        value = _objective(model(pixels), target, objective)
        (gradient,) = torch.autograd.grad(value.sum(), pixels)
    found: Map = gradient[0, 0].float().cpu().numpy()
    if not (torch.isfinite(value).all() and np.isfinite(found).all()):
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    return found


def _objective(logits: Tensor, target: int, objective: Objective | Literal["log-odds"]) -> Tensor:
    """Return the objective of each image: (N, C) to (N,)."""
    if not 0 <= target < logits.shape[1]:
        raise IndexError(f"class {target} of {logits.shape[1]}")
    if objective == "log-probability":
        return logits.log_softmax(1)[:, target]
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    rivals = others.logsumexp(1) if objective == "log-odds" else others.max(dim=1).values
    return logits[:, target] - rivals


def _logits(model: nn.Module, images: Image) -> Tensor:
    """Return logits in double precision, (N, C), on the CPU."""
    device, dtype = placement(model)
    with torch.no_grad():
        found: Tensor = model(scale(torch.tensor(images, device=device), dtype)).double().cpu()
    return found


def _stroke(gradient: Map, image: Image, smoothness: float, mask: NDArray[np.bool_] | None) -> Map:
    """Turn a gradient into a change whose strongest pixel is 1, or nothing where no pixel can move."""
    from scipy import ndimage

    blocked = ((image == 255) & (gradient > 0)) | ((image == 0) & (gradient < 0))
    if mask is not None:
        blocked |= ~mask
    stroke = np.where(blocked, 0, gradient)
    if smoothness:
        stroke = np.where(blocked, 0, ndimage.gaussian_filter(stroke, smoothness, mode="constant"))
    peak = np.abs(stroke).max()
    if not peak:
        return np.zeros_like(gradient)
    stroke = stroke / peak
    return np.where(np.abs(stroke) < FOCUS, 0, stroke).astype(np.float32)


def _applied(image: Image, stroke: Map, size: float) -> Image:
    changed: Image = np.clip(np.round(image + 255 * size * stroke), 0, 255).astype(np.uint8)
    return changed
