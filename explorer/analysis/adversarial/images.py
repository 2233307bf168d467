"""Images before and after an adversarial attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import FloatArray, IntArray

Method = Literal["fgsm", "pgd"]

_ARRAYS = ("epsilon", "aims", "originals", "images", "logits_before", "logits_after")


@dataclass(frozen=True, eq=False)
class Adversarial:
    """Images before and after an attack.

    Attributes
    ----------
    method : 'fgsm' or 'pgd'
    epsilon : ndarray
        float64, shape (N,): the most by which a pixel in [0, 1] was allowed to change.
    aims : ndarray
        int64, shape (N,): the classes that were led away from or, of a targeted attack, led to.
    targeted : bool
    originals, images : ndarray
        float32, shape (N, 1, height, width), in [0, 1]: before and after.
    logits_before, logits_after : ndarray
        float32, shape (N, C).
    """

    method: Method
    epsilon: FloatArray
    aims: IntArray
    targeted: bool
    originals: NDArray[np.float32]
    images: NDArray[np.float32]
    logits_before: NDArray[np.float32]
    logits_after: NDArray[np.float32]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put the results of one attack together, in order; there must be one at least."""
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
        return cls(method=parts[0].method, targeted=parts[0].targeted, **arrays)

    def sorted(self) -> Self:
        """Return the same in ascending order of epsilon."""
        order = np.argsort(self.epsilon, kind="stable")
        return replace(self, **{name: getattr(self, name)[order] for name in _ARRAYS})

    @property
    def perturbation(self) -> NDArray[np.float32]:
        """What was added to each pixel, shaped like the images."""
        return self.images - self.originals

    @property
    def predicted_before(self) -> IntArray:
        """Classes of the originals, (N,)."""
        return _highest(self.logits_before)

    @property
    def predicted_after(self) -> IntArray:
        """Classes of the changed images, (N,)."""
        return _highest(self.logits_after)

    @property
    def probabilities_before(self) -> FloatArray:
        """Softmax outputs for the originals, float64, (N, C)."""
        return _softmax(self.logits_before)

    @property
    def probabilities_after(self) -> FloatArray:
        """Softmax outputs for the changed images, float64, (N, C)."""
        return _softmax(self.logits_after)

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Whether each image is now predicted to be another class than before, (N,)."""
        changed: NDArray[np.bool_] = self.predicted_after != self.predicted_before
        return changed

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Whether each attack is where it wanted: at its target, or away from its class, (N,)."""
        there: NDArray[np.bool_] = self.predicted_after == self.aims
        return there if self.targeted else ~there


def _highest(logits: NDArray[np.float32]) -> IntArray:
    found: IntArray = np.argmax(logits, axis=1)
    return found


def _softmax(logits: NDArray[np.float32]) -> FloatArray:
    found: FloatArray = torch.tensor(logits).double().softmax(dim=1).numpy()
    return found
