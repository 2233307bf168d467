"""What a model says of one image, and why. Nothing is kept here: a drawing changes with every stroke."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explorer.ui.loaded import classifier, computing

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint


def probabilities(chosen: "Checkpoint", image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the softmax outputs (C,) for an image (H, W)."""
    from explorer.analysis.predictions import predict

    with computing():
        logits = predict(classifier(chosen), image[None])[0].astype(np.float64)
    exponentials = np.exp(logits - logits.max())
    result: NDArray[np.float64] = exponentials / exponentials.sum()
    return result


def attribution(chosen: "Checkpoint", image: NDArray[np.uint8], method: str, target: int) -> NDArray[np.float32]:
    """Return the attribution map (H, W) of an image, in units of the target's logit.

    Raises
    ------
    ConfigError
        There is no such method.
    """
    import torch

    from explorer.analysis import attribution as methods
    from explorer.analysis.predictions import to_pixels

    model = classifier(chosen)
    device = model.mean.device
    with computing():
        found = methods.get(method).attribute(
            model, to_pixels(image[None]).to(device), torch.tensor([target]).to(device)
        )
    result: NDArray[np.float32] = found[0, 0].float().cpu().numpy()
    return result
