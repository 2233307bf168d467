"""The output of a network for one image, beside its target."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.errors import CheckpointError
from explorer.ui import cache, loaded

if TYPE_CHECKING:
    from explorer.ui.evaluate.scope import Judged

UNUSABLE = "The outputs of this checkpoint are not finite numbers. Choose another checkpoint."


@dataclass(frozen=True, eq=False)
class Output:
    """What one model says of one image.

    Attributes
    ----------
    name : str
        A or B.
    classes : tuple of str
        The C names.
    logits : ndarray
        float64, shape (C,), finite.
    """

    name: str
    classes: tuple[str, ...]
    logits: NDArray[np.float64]

    @property
    def log_probabilities(self) -> NDArray[np.float64]:
        """Natural logarithm of the softmax of the logits, shape (C,)."""
        shifted = self.logits - self.logits.max()
        found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
        return found

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, shape (C,)."""
        found: NDArray[np.float64] = np.exp(self.log_probabilities)
        return found

    @property
    def predicted(self) -> int:
        """The class with the highest logit; the first one of several equal ones."""
        return int(self.logits.argmax())

    @property
    def tied(self) -> int:
        """How many classes share the highest logit."""
        return int((self.logits == self.logits.max()).sum())

    def squared_error(self, target: int) -> float:
        """Return the sum of the squared differences between probabilities and one-hot target, from 0 to 2.

        The score of G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950, for one image.
        """
        return float(((self.probabilities - one_hot(target, len(self.classes))) ** 2).sum())

    def cross_entropy(self, target: int) -> float:
        """Return minus the log-probability of the target, in nats."""
        return float(0.0 - self.log_probabilities[target])

    def rank(self, target: int) -> int:
        """Return the place of the target among the classes by falling logit, 1 for the highest; equals share one."""
        return int((self.logits > self.logits[target]).sum()) + 1


def one_hot(target: int, classes: int) -> NDArray[np.float64]:
    """Return the target as a network is trained to answer it: 1 for its class, 0 for all others."""
    found: NDArray[np.float64] = np.eye(classes)[target]
    return found


def of_row(judged: "Judged", name: str, row: int) -> Output:
    """Return the output for an image of the judged split, from its predictions."""
    predictions = judged.results.predictions
    return Output(name, predictions.classes, predictions.logits[row].astype(np.float64))


def of_image(judged: "Judged", name: str, image: NDArray[np.uint8]) -> Output:
    """Compute the output for any image.

    Parameters
    ----------
    judged : Judged
    name : str
    image : ndarray
        uint8, shape (28, 28).

    Raises
    ------
    ExplorerError
        The weights are not kept or cannot be used, or answer with numbers that are not finite.
    """
    from explorer.analysis.predictions import predict

    chosen = cache.checkpoint(judged.selection)
    model = loaded.classifier(chosen)
    with loaded.computing(quick=True):
        logits = predict(model, image[None])[0].astype(np.float64)
    if not np.isfinite(logits).all():
        raise CheckpointError(UNUSABLE)
    return Output(name, tuple(chosen.classes), logits)
