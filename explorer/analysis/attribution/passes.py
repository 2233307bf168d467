"""What every method does alike: copy the model, cut the images into passes, check the maps."""

import re
import threading
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from explorer.analysis.attribution.target import Scores, Target, as_target
from explorer.analysis.frozen import frozen_copy
from explorer.errors import CheckpointError

Compute = Callable[..., Tensor]
"""Given the scores of a copy of the model, images (B, channels, height, width), which output of the scores is each
image's own (B,) and, where there are any, further tensors of the images, returns their maps, shaped like the images."""


def in_passes(
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    compute: Compute,
    *further: Tensor,
    at_once: int,
) -> Tensor:
    """Compute maps a few images at a time on a copy of the model, whatever gradient mode the caller is in.

    Parameters
    ----------
    classifier, pixels, target
        As given to a method; they are only read.
    compute : callable
        See `Compute`.
    *further : Tensor
        Shaped like the pixels or one image of them, cut into passes like the pixels.
    at_once : int
        Most images in one pass.

    Returns
    -------
    Tensor
        Shaped like the pixels.

    Raises
    ------
    CheckpointError
        Outputs of the model or values of a map are not finite.
    ConfigError
        A class does not exist.
    """
    if not len(pixels):
        return torch.zeros_like(pixels)
    with torch.inference_mode(False):
        inputs = pixels.detach().clone()
        scores = Scores(_private_copy(classifier), as_target(target), inputs.device).eval()
        wholes = [inputs, scores.wanted, *(one.detach().to(inputs).clone().expand_as(inputs) for one in further)]
        pieces = zip(*(torch.split(whole, max(1, at_once)) for whole in wholes), strict=True)
        maps = [compute(scores, *piece).detach() for piece in pieces]
        return _finite(torch.cat(maps).to(pixels.dtype))


def _private_copy(classifier: nn.Module) -> nn.Module:
    """Copy the model such that no layer overwrites its input, which a hook may still have to see."""
    frozen = frozen_copy(classifier)
    for module in frozen.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    return frozen


def _finite(maps: Tensor) -> Tensor:
    if not bool(torch.isfinite(maps).all()):
        raise CheckpointError(
            "The map of this model is not made of finite numbers: its weights are too large or damaged. "
            "Choose another epoch or another checkpoint."
        )
    return maps


_NOTICE = "Setting (forward, backward|backward) hooks"
_lock = threading.Lock()


def expect_hooks() -> None:
    """Keep Captum's notice about hooks from being shown.

    A filter is added once and stays: `warnings.catch_warnings` would change the filters of all threads back and forth.
    """
    with _lock:
        if not any(entry[1] == re.compile(_NOTICE, re.I) for entry in warnings.filters):
            warnings.filterwarnings("ignore", message=_NOTICE, category=UserWarning)
