"""What a classifier says of picture files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.analysis.novelty import Detector
from explorer.analysis.predictions import predict
from explorer.data import catalog
from explorer.data.drawing import prepare_photo
from explorer.data.pictures import read_image
from explorer.errors import CheckpointError, ImageError

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


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
    detector = Detector.of(checkpoint, dataset, classifier) if dataset in catalog.names() else None
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
