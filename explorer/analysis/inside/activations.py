"""What every layer of a network makes of one image."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import scale
from explorer.analysis.frozen import placement
from explorer.analysis.inside.steps import LayerCall, Look, observe, steps
from explorer.errors import CheckpointError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Activation:
    """What one step returned.

    Attributes
    ----------
    step : Step
    values : ndarray
        float32, of the step's shape: (maps, height, width) or (units,).
    """

    step: LayerCall
    values: FloatArray

    @property
    def largest(self) -> float:
        """Greatest absolute value."""
        return float(np.abs(self.values).max(initial=0.0))


def activations(classifier: nn.Module, image: NDArray[np.uint8]) -> tuple[Activation, ...]:
    """Return what each step of a network makes of an image, in order.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    image : ndarray
        uint8, shape (H, W).

    Raises
    ------
    CheckpointError
        An output is not finite.
    """
    known = steps(classifier, (1, *image.shape))
    seen: dict[str, Tensor] = {}

    def keep(key: str) -> Look:
        def look(module: nn.Module, given: Tensor, output: Tensor) -> None:
            seen[key] = output[0].detach().float().cpu().clone()

        return look

    model = observe(classifier, {step.key: keep(step.key) for step in known})
    device, dtype = placement(model)
    with torch.inference_mode():
        model(scale(torch.tensor(image[None], device=device), dtype))
    found = tuple(Activation(step, seen[step.key].numpy()) for step in known)
    if not all(np.isfinite(one.values).all() for one in found):
        raise CheckpointError("The outputs of this network are not finite numbers. Choose another epoch.")
    return found
