"""What a model says of one image, and why. Nothing is kept here: a drawing changes with every stroke."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.drawings.verdicts import softmax
from explorer.errors import CheckpointError
from explorer.ui.kit.models import classifier, computing

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.store.checkpoints import Checkpoint


@dataclass(frozen=True, eq=False)
class Explained:
    """The map of one image.

    Attributes
    ----------
    values : ndarray
        float32, shape (H, W), in the unit of the method.
    gained : float or None
        By how much the score of the image exceeds that of the baseline, for methods whose maps add up to it.
    """

    values: NDArray[np.float32]
    gained: float | None = None

    @property
    def total(self) -> float:
        """Sum of the map."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def error(self) -> float | None:
        """By how much the sum misses `gained`, in units of the score; None where it need not be complete."""
        return None if self.gained is None else self.total - self.gained


FEW = 16
"""Up to so many images are quick: see `loaded.computing`."""


def logits(chosen: "Checkpoint", images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the outputs (N, C) for images (N, H, W).

    Raises
    ------
    CheckpointError
        They are not finite numbers.
    """
    from explorer.analysis.evaluation.predictions import predict

    with computing(quick=len(images) <= FEW):
        found: NDArray[np.float64] = predict(classifier(chosen), images).astype(np.float64)
    if not np.isfinite(found).all():
        raise CheckpointError(
            "The outputs of this checkpoint are not finite numbers, so there is nothing to show. Choose another epoch "
            "or another checkpoint."
        )
    return found


def probabilities(chosen: "Checkpoint", image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the softmax outputs (C,) for an image (H, W).

    Raises
    ------
    CheckpointError
        The outputs are not finite numbers.
    """
    return softmax(logits(chosen, image[None])[0])


def attribution(chosen: "Checkpoint", image: NDArray[np.uint8], method: str, target: int) -> NDArray[np.float32]:
    """Return the attribution map (H, W) of an image, in units of the target's logit.

    Raises
    ------
    ExplorerError
        There is no such method, it does not suit the model, or the model answers with numbers that are not finite.
    """
    return explain(chosen, image, method, target, quick=True).values


def explain(
    chosen: "Checkpoint",
    image: NDArray[np.uint8],
    method: str,
    target: int,
    against: int | None = None,
    options: Mapping[str, Any] | None = None,
    mean: "Tensor | None" = None,
    quick: bool = False,
) -> Explained:
    """Explain the score of a class, or its margin over another one, for one image.

    Parameters
    ----------
    chosen : Checkpoint
    image : ndarray
        uint8, shape (H, W).
    method : str
        Name of a method of `explorer.analysis.attribution`.
    target : int
    against : int, optional
        Explain by how much the target's logit exceeds the one of this class.
    options : mapping, optional
        Of the method.
    mean : Tensor, optional
        The mean training image, for the baseline of that name.
    quick : bool
        The method takes one pass through the model, or a few: see `loaded.computing`.

    Raises
    ------
    ExplorerError
        As for `attribution`, or an option or a class does not exist.
    """
    import torch

    from explorer.analysis import attribution as methods
    from explorer.analysis.attribution import baselines
    from explorer.analysis.attribution.completeness import completeness_error
    from explorer.analysis.evaluation.predictions import to_pixels

    model, chosen_method = classifier(chosen), methods.get(method)
    typed = chosen_method.validate(options or {})
    pixels = to_pixels(image[None]).to(model.mean.device)
    pair = None if against is None else torch.tensor([against])
    aim = methods.Target(torch.tensor([target]), pair)
    gained = None
    with computing(quick):
        found = chosen_method.explain(model, pixels, aim, typed, mean)
        if chosen_method.complete:
            start = baselines.image(typed.model_dump()["baseline"], pixels, mean)
            gained = float(found.sum() - completeness_error(model, pixels, aim, found, baseline=start)[0])
    return Explained(found[0, 0].float().cpu().numpy(), gained)
