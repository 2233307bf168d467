"""What a model says of one image, and how far that is from what it should say."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Output:
    """The output of a network for one image.

    Attributes
    ----------
    logits : ndarray
        float64, shape (C,), finite.
    """

    logits: FloatArray

    @property
    def log_probabilities(self) -> FloatArray:
        """Natural logarithm of the softmax of the logits, shape (C,)."""
        shifted = self.logits - self.logits.max()
        found: FloatArray = shifted - np.log(np.exp(shifted).sum())
        return found

    @cached_property
    def probabilities(self) -> FloatArray:
        """Softmax of the logits, shape (C,)."""
        return softmax(self.logits)

    @property
    def predicted(self) -> int:
        """The class with the highest logit; the first one of several equal ones."""
        return int(self.logits.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the predicted class."""
        return float(self.probabilities[self.predicted])

    @property
    def tied(self) -> int:
        """How many classes share the highest logit."""
        return int((self.logits == self.logits.max()).sum())

    def squared_error(self, target: int) -> float:
        """Return the sum of the squared differences between probabilities and one-hot target, from 0 to 2.

        The score of G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950, for one image.
        """
        return float(((self.probabilities - one_hot(target, len(self.logits))) ** 2).sum())

    def cross_entropy(self, target: int) -> float:
        """Return minus the log-probability of the target, in nats."""
        return float(0.0 - self.log_probabilities[target])

    def rank(self, target: int) -> int:
        """Return the place of the target among the classes by falling logit, 1 for the highest; equals share one."""
        return int((self.logits > self.logits[target]).sum()) + 1


def softmax(values: FloatArray) -> FloatArray:
    """Turn logits (..., C) into probabilities."""
    exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: FloatArray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return shares


def one_hot(target: int, classes: int) -> FloatArray:
    """Return the target as a network is trained to answer it: 1 for its class, 0 for all others."""
    found: FloatArray = np.eye(classes)[target]
    return found
