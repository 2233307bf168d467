"""The machine's own try at flipping a prediction, searched beside the page while the user tries."""

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.data.placement import Grey
from explorer.ui.draw import background
from explorer.ui.draw.background import Job
from explorer.ui.draw.models import Model
from explorer.ui.loaded import classifier, computing

if TYPE_CHECKING:
    from torch import nn

PART = 16
"""Images that are predicted at a time, while a stroke may have to wait."""


def search(model: Model, image: Grey) -> Job:
    """Return the search, begun where it is new; its result is a `MinimalChange`."""
    network, content = classifier(model.checkpoint), image.tobytes()
    key = ("minimal-change", model.checkpoint.digest, content)
    return background.job(key, lambda: _search(network, np.frombuffer(content, np.uint8).reshape(image.shape)))


def _search(network: "nn.Module", image: Grey) -> object:
    from explorer.analysis.minimal_change import minimal_change

    return minimal_change(_in_parts(network), image)


def _in_parts(network: "nn.Module") -> "nn.Module":
    """Return the network with many images passing the gate in small parts."""
    import torch
    from torch import nn

    class InParts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: "torch.Tensor") -> Any:
            found = []
            for part in pixels.split(PART):
                with computing():
                    found.append(self.network(part))
            return torch.cat(found)

    return InParts()
