"""What a model says of one image, and how far that is from what it should say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.analysis.drawings.out_of_distribution import OutOfDistributionDetector
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.preparation.pictures import read_image
from explorer.data.preparation.pipeline import prepare_photo
from explorer.errors import CheckpointError, ImageError

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


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


def predict_images(checkpoint: Checkpoint, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Classify pictures.

    Parameters
    ----------
    checkpoint : Checkpoint
        The trained model. A picture of 28x28 pixels on a dark ground is taken as it is; any other is prepared as
        the checkpoint's data set was made, or like Fashion-MNIST where the set is not known.
    paths : sequence of Path
        Picture files.

    Returns
    -------
    list of dict
        For each picture `image` (its path), `predicted` (the class's number), `class` (its name), `probabilities`
        (softmax in double precision, one for each class) and `out_of_distribution`: `score`, above 1 where the picture
        is unlike what the model knows, and `flagged`, whether it is; both None where the checkpoint's data set is not
        known. Of a file that is missing, no picture, damaged or plain `image` and `error`, which names it.

    Raises
    ------
    CheckpointError
        The classifier answers with numbers that are not finite.
    """
    found = [_prepared(path, checkpoint.dataset or "") for path in paths]
    images = [image for image in found if not isinstance(image, ImageError)]
    answers = iter(_answers(checkpoint, np.stack(images)) if images else ())
    return [
        {"image": str(path)} | ({"error": str(image)} if isinstance(image, ImageError) else next(answers))
        for path, image in zip(paths, found, strict=True)
    ]


def _answers(checkpoint: Checkpoint, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
    classifier = checkpoint.classifier()
    logits = predict(classifier, images)
    if not np.isfinite(logits).all():
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    dataset = catalog.base(checkpoint.dataset or "")
    detector = OutOfDistributionDetector.of(checkpoint, dataset, classifier) if dataset in catalog.names() else None
    unlike = [
        {"score": None, "flagged": None} if detector is None else detector.judge(row, image).document()
        for row, image in zip(logits, images, strict=True)
    ]
    probabilities = torch.from_numpy(logits).double().softmax(1).tolist()
    return [
        {
            "predicted": int(predicted),
            "class": checkpoint.classes[predicted],
            "probabilities": shares,
            "out_of_distribution": score,
        }
        for predicted, shares, score in zip(logits.argmax(1), probabilities, unlike, strict=True)
    ]


def _prepared(path: Path, dataset: str) -> NDArray[np.uint8] | ImageError:
    """Return what the model sees of a file, or why there is nothing; the message names the file."""
    try:
        grey = read_image(path)
    except ImageError as error:
        return error
    try:
        return prepare_photo(grey, dataset).image
    except ImageError as error:
        return ImageError(f"{path.name}: {error}")
