"""What a classifier says of every image of a split: the logits from which all other results derive."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.frozen import evaluation_model, placement
from explorer.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from explorer.data.splits import Split
    from explorer.store.checkpoints import Checkpoint

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)

BATCH_SIZE = 250


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """Turn grey levels into pixels in [0, 1].

    Parameters
    ----------
    images : ndarray
        uint8, shape (N, height, width), 0 to 255; it may be read-only.

    Returns
    -------
    Tensor
        float32, shape (N, 1, height, width), a copy.
    """
    return scale(torch.tensor(images))


def scale(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Turn a uint8 tensor (N, height, width) into pixels in [0, 1] of shape (N, 1, height, width)."""
    return images.unsqueeze(1).to(dtype).div_(255)


def predict(
    classifier: nn.Module,
    images: NDArray[np.uint8],
    batch_size: int = BATCH_SIZE,
    device: torch.device | str | None = None,
) -> NDArray[np.float32]:
    """Compute the logits of images.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read: one in
        training mode is evaluated through a copy.
    images : ndarray
        uint8, shape (N, height, width).
    batch_size : int
        Images per forward pass. It changes time and memory only.
    device : torch.device or str, optional
        Where to compute; by default where the classifier is.

    Returns
    -------
    ndarray
        float32, shape (N, C).
    """
    model = evaluation_model(classifier, device)
    where, dtype = placement(model)
    with torch.inference_mode():
        resident = torch.tensor(images, device=where)
        starts = range(0, max(len(resident), 1), batch_size)
        logits = [model(scale(resident[start : start + batch_size], dtype)).float() for start in starts]
        result: NDArray[np.float32] = torch.cat(logits).cpu().numpy()
    return result


@dataclass(frozen=True, eq=False)
class Predictions:
    """The logits of one classifier for the images of one split, and what follows from them.

    Attributes
    ----------
    logits : ndarray
        float32, shape (N, C): the outputs before the softmax.
    labels : ndarray
        int64, shape (N,): the true classes.
    indices : ndarray
        int64, shape (N,): the position of each image in the file of its data set.
    classes : tuple of str
        The C names.
    checkpoint : str
        SHA-256 of the checkpoint file, or another identity of the weights.
    dataset, split : str
        Where the images are from.
    exact_predicted : ndarray or None
        int64, shape (N,): the predicted classes, given only where the logits were stored in half precision,
        whose rounding can make two classes equal.
    """

    logits: NDArray[np.float32]
    labels: IntArray
    indices: IntArray
    classes: tuple[str, ...]
    checkpoint: str
    dataset: str
    split: str
    exact_predicted: IntArray | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        n, classes = len(self.logits), len(self.classes)
        if self.logits.shape != (n, classes):
            raise ValueError(f"logits have shape {self.logits.shape}, expected (N, {classes})")
        for name in ("labels", "indices", "exact_predicted"):
            values = getattr(self, name)
            if values is not None and values.shape != (n,):
                raise ValueError(f"{name} have shape {values.shape}, expected ({n},)")
        if n and not 0 <= self.labels.min() <= self.labels.max() < classes:
            raise ValueError(f"labels must lie between 0 and {classes - 1}")

    @classmethod
    def compute(
        cls,
        checkpoint: Checkpoint,
        split: Split,
        classifier: nn.Module | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Predictions:
        """Predict every image of a split.

        Parameters
        ----------
        checkpoint : Checkpoint
            The trained model; its digest and class names go into the result.
        split : Split
            The images and their labels.
        classifier : nn.Module
            The checkpoint's classifier where it is already loaded, on any device.
        batch_size : int
            Images per forward pass.

        Raises
        ------
        DataError
            The split has a label for which the checkpoint has no class.
        CheckpointError
            The classifier answers with numbers that are not finite.
        """
        classes = tuple(checkpoint.classes)
        if len(split.labels) and int(split.labels.max()) >= len(classes):
            raise DataError(
                f"{split.dataset} has more classes than this checkpoint, which knows {len(classes)}. "
                "Choose a checkpoint that was trained on this data set."
            )
        logits = predict(classifier or checkpoint.classifier(), split.images, batch_size)
        if not np.isfinite(logits).all():
            raise CheckpointError(
                "The outputs of this checkpoint are not finite numbers, so its weights are unusable. "
                "Choose another epoch or another checkpoint."
            )
        return cls(logits, split.labels, split.indices, classes, checkpoint.digest, split.dataset, split.name)

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.logits)

    @cached_property
    def log_probabilities(self) -> FloatArray:
        """Natural logarithm of `probabilities`, float64, shape (N, C); finite for finite logits."""
        shifted = self.logits.astype(np.float64)
        shifted -= shifted.max(axis=1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return _read_only(shifted)

    @cached_property
    def probabilities(self) -> FloatArray:
        """Softmax of the logits, float64, shape (N, C)."""
        exponentials = self.logits.astype(np.float64)
        exponentials -= exponentials.max(axis=1, keepdims=True)
        np.exp(exponentials, out=exponentials)
        exponentials /= exponentials.sum(axis=1, keepdims=True)
        return _read_only(exponentials)

    @cached_property
    def predicted(self) -> IntArray:
        """The class with the highest logit, int64, shape (N,); the first one of several equal ones."""
        if self.exact_predicted is not None:
            return self.exact_predicted
        return _read_only(self.logits.argmax(axis=1).astype(np.int64))

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the prediction is the label, shape (N,)."""
        return _read_only(self.predicted == self.labels)

    @property
    def accuracy(self) -> float:
        """Share of correct predictions; NaN without images."""
        return float(self.correct.mean()) if self.n else float("nan")

    @property
    def misclassification_rate(self) -> float:
        """Share of wrong predictions; NaN without images."""
        return float((~self.correct).mean()) if self.n else float("nan")

    @cached_property
    def confidence(self) -> FloatArray:
        """Probability of the predicted class, float64, shape (N,)."""
        return _read_only(self.probabilities[np.arange(self.n), self.predicted])

    @cached_property
    def margin(self) -> FloatArray:
        """Probability of the predicted class less the highest of the others, float64, shape (N,)."""
        others = self.probabilities.copy()
        others[np.arange(self.n), self.predicted] = 0.0
        return _read_only(self.confidence - others.max(axis=1))

    @cached_property
    def loss(self) -> FloatArray:
        """Cross entropy of each image in nats (minus log-probability of its label), float64, shape (N,)."""
        return _read_only(0.0 - self.log_probabilities[np.arange(self.n), self.labels])

    @property
    def log_loss(self) -> float:
        """Mean cross entropy in nats; NaN without images."""
        return float(self.loss.mean()) if self.n else float("nan")

    def mistakes(self) -> IntArray:
        """Rows of the wrong predictions, most confident first, int64; equals keep the order of the split."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]


def _read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.flags.writeable = False
    return array
