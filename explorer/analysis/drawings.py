"""What a classifier says of picture files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.analysis.predictions import predict
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
        For each picture `image` (its path), `predicted` (the class's number), `class` (its name) and
        `probabilities` (softmax in double precision, one for each class).

    Raises
    ------
    ImageError
        A file is missing, no picture, damaged, or plain; the message names it.
    CheckpointError
        The classifier answers with numbers that are not finite.
    """
    if not paths:
        return []
    images = np.stack([_prepared(path, checkpoint.dataset or "") for path in paths])
    logits = predict(checkpoint.classifier(), images)
    if not np.isfinite(logits).all():
        raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
    probabilities = torch.from_numpy(logits).double().softmax(1).tolist()
    return [
        {
            "image": str(path),
            "predicted": int(predicted),
            "class": checkpoint.classes[predicted],
            "probabilities": shares,
        }
        for path, predicted, shares in zip(paths, logits.argmax(1), probabilities, strict=True)
    ]


def _prepared(path: Path, dataset: str) -> NDArray[np.uint8]:
    grey = read_image(path)
    try:
        return prepare_photo(grey, dataset).image
    except ImageError as error:
        raise ImageError(f"{path.name}: {error}") from None
