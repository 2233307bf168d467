"""The machine's own try at flipping a prediction, searched beside the page while the user tries."""

from typing import TYPE_CHECKING

import numpy as np

from explorer.data.placement import Grey
from explorer.ui import background
from explorer.ui.background import Job
from explorer.ui.draw.models import Model
from explorer.ui.loaded import classifier, computing

if TYPE_CHECKING:
    from torch import nn


def search(model: Model, image: Grey) -> Job:
    """Return the search, begun where it is new; its result is a `MinimalChange`."""
    network, content = classifier(model.checkpoint), image.tobytes()
    key = ("minimal-change", model.checkpoint.digest, content)
    return background.job(key, lambda: _search(network, np.frombuffer(content, np.uint8).reshape(image.shape)))


def _search(network: "nn.Module", image: Grey) -> object:
    from explorer.analysis.minimal_change import minimal_change

    with computing():
        return minimal_change(network, image)
