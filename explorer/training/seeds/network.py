"""Networks of one architecture as one: from the flattening on, K sets of weights in one tensor.

What stands before the flattening, the convolutions, passes each network by itself: for lenet that takes 0.55 to 0.7
of the time of a grouped convolution there, and its numbers stay exactly those of the single network.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from explorer.training.seeds.passes import Passes, VectorisedBatchNorm, VectorisedDropout, VectorisedLinear

ELEMENTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Identity,
)
"""Layers that work on values of any shape as they are."""
BEFORE = (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Dropout2d, *ELEMENTWISE)
AFTER = (nn.Linear, nn.BatchNorm1d, nn.Dropout, *ELEMENTWISE)
"""What may stand before and after the flattening. Nothing would be gained by computing larger blocks together."""

Reseed = Callable[[int], None]


class VectorisedNetwork(nn.Module):
    """K networks of one architecture.

    Parameters
    ----------
    network : nn.Sequential
        One of them, on its device, as `obstacle` allows it. Its weights are copied to none of the K; `load` does.
    count : int
        K.
    """

    def __init__(self, network: nn.Sequential, count: int) -> None:
        super().__init__()
        if reason := obstacle(network):
            raise ValueError(reason)
        self.count = count
        cut = next(position for position, layer in enumerate(network) if isinstance(layer, nn.Flatten))
        self.heads = nn.ModuleList(copy.deepcopy(network[:cut]) for _ in range(count if cut else 0))
        self.tail = nn.Sequential(_vectorised(network, cut + 1, count))
        self.passes = Passes(self.tail, bool(self.heads))
        replaced = [value for layer in self.tail if isinstance(layer, VectorisedLinear) for value in layer.parameters()]
        self.added = [value for value in self.parameters() if all(value is not other for other in replaced)]
        """The parameters to whose gradients autograd adds; those of linear layers are replaced."""
        self.dropouts = [layer for layer in self.tail if isinstance(layer, VectorisedDropout)]

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits of all networks for the same images.

        Parameters
        ----------
        images : Tensor
            Shape (B, C, H, W).

        Returns
        -------
        Tensor
            Shape (B, K, classes).
        """
        logits: Tensor = self.tail(self._features(images))
        return logits.permute(2, 0, 1)

    def learn(self, images: Tensor, reseed: Reseed) -> Tensor:
        """Compute the logits of all networks, with the images last, for `backward`.

        Parameters
        ----------
        images : Tensor
            (B, K, C, H, W).
        reseed : callable
            Called with k before network k draws.

        Returns
        -------
        Tensor
            Shape (K, classes, B), without gradient.
        """
        self.features = self._features(images, reseed)
        return self.passes.forward(self.features.detach())

    def backward(self, gradient: Tensor) -> None:
        """Give every parameter its gradient, in place of the last one.

        Parameters
        ----------
        gradient : Tensor
            Shape (K, classes, B), with respect to the last `learn`'s logits.
        """
        features = self.features
        del self.features
        for parameter in self.added:
            parameter.grad = None
        found = self.passes.backward(gradient)
        if found is not None:
            features.backward(found)

    def _features(self, images: Tensor, reseed: Reseed | None = None) -> Tensor:
        """Return the flattened maps (K, features, B); without `reseed` all networks draw in turn."""
        own = images.dim() == 5
        maps = []
        for index in range(self.count if self.heads or self._draws else 0):
            if reseed is not None:
                reseed(index)
            if self.heads:
                maps.append(self.heads[index](images[:, index] if own else images).flatten(1))
            for dropout in self._draws:
                dropout.draw(images)
        if maps:
            values = torch.stack(maps)
        else:
            values = images.transpose(0, 1).flatten(2) if own else images.flatten(1).expand(self.count, -1, -1)
        return values.transpose(1, 2)

    @property
    def _draws(self) -> list[VectorisedDropout]:
        return self.dropouts if self.training else []

    def single(self, index: int) -> dict[str, Tensor]:
        """Return views of network k's weights and buffers, by their names in the single network."""
        tensors = dict(self.heads[index].state_dict()) if self.heads else {}
        for position, layer in self.tail.named_children():
            if isinstance(layer, VectorisedLinear | VectorisedBatchNorm | VectorisedDropout):
                tensors |= {f"{position}.{name}": value.detach() for name, value in layer.single(index).items()}
        return tensors

    def load(self, index: int, weights: Mapping[str, Tensor]) -> None:
        """Take over network k's weights and buffers from its `state_dict`."""
        tensors = self.single(index)
        if tensors.keys() != weights.keys():
            raise ValueError(f"expected {sorted(tensors)}, got {sorted(weights)}")
        for name, value in tensors.items():
            value.copy_(weights[name])


def obstacle(network: nn.Module) -> str | None:
    """Say in plain words why networks of this architecture cannot be vectorised; None if they can."""
    if not isinstance(network, nn.Sequential):
        return "its layers are not a plain sequence"
    layers = list(network)
    cuts = [position for position, layer in enumerate(layers) if isinstance(layer, nn.Flatten)]
    if len(cuts) != 1:
        return "it does not flatten its maps exactly once"
    for position, layer in enumerate(layers):
        if position != cuts[0] and type(layer) not in (BEFORE if position < cuts[0] else AFTER):
            return f"it has a layer of the kind {type(layer).__name__}"
        if isinstance(layer, nn.Linear) and "bias" not in layer.state_dict():
            return "it has a linear layer without a bias"
    return None


def _vectorised(network: nn.Sequential, start: int, count: int) -> "OrderedDict[str, nn.Module]":
    """Return the layers from `start` on, vectorised, under their names in the single network."""
    layers = OrderedDict[str, nn.Module]()
    units = next((layer.in_features for layer in network[start:] if isinstance(layer, nn.Linear)), 0)
    for name, layer in list(network.named_children())[start:]:
        if isinstance(layer, nn.Linear):
            units = layer.out_features
            layers[name] = VectorisedLinear(layer, count)
        elif isinstance(layer, nn.BatchNorm1d):
            layers[name] = VectorisedBatchNorm(layer, count)
        elif isinstance(layer, nn.Dropout):
            layers[name] = VectorisedDropout(layer, units)
        else:
            layers[name] = layer
    return layers
