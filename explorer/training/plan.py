"""How an epoch is cut into steps, and a step into pieces that fit the memory."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from explorer.data import catalog
from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.training.initial import initial_checkpoint
from models.registry import InputShape, build_meta

PIECE_BYTES = 192 << 20
"""A step whose layer outputs would need more than this is computed in pieces."""
WHOLE_BATCH_BYTES = 2 << 30
"""With batch norm a batch cannot be cut; above this it is refused."""
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True)
class Plan:
    """How one epoch runs.

    Attributes
    ----------
    bounds : tuple of int
        Where each batch begins in the permuted training set, and the end: one more than there are steps.
    piece : int
        The most images that pass through the network at once.
    bytes_per_image : int
        Estimate of the memory for the layer outputs of one image, forward and backward.
    parameters : int
        Trainable weights and biases.
    """

    bounds: tuple[int, ...]
    piece: int
    bytes_per_image: int
    parameters: int

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.bounds) - 1


def input_shape(config: TrainConfig) -> InputShape:
    """Return the shape that a network for this configuration's data set is built for."""
    spec = catalog.get(config.dataset)
    return InputShape(spec.channels, spec.size, len(spec.classes))


def make_plan(config: TrainConfig) -> Plan:
    """Plan an epoch and refuse what cannot work, before anything is allocated.

    Raises
    ------
    ConfigError
        The model cannot be built, batch norm cannot work with this batch size, or the checkpoint to start from
        does not fit.
    """
    initial_checkpoint(config)
    network = build_meta(config.model, config.options, input_shape(config))
    per_image = _bytes_per_image(network, input_shape(config))
    normalises = any(isinstance(layer, BATCH_NORMS) for layer in network.modules())
    batch = min(config.batch_size, config.subset)
    if normalises and batch == 1:
        raise ConfigError("Batch norm needs at least two images in a batch. Choose a 'batch_size' of 2 or more.")
    if normalises and batch * per_image > WHOLE_BATCH_BYTES:
        raise ConfigError(
            f"Batch norm needs the whole batch at once, and {batch:,} images would take about "
            f"{batch * per_image / 2**30:.1f} GB. Choose a 'batch_size' of at most {WHOLE_BATCH_BYTES // per_image:,}, "
            "or a model without batch norm, whose batches are computed in pieces."
        )
    bounds = _bounds(config.subset, batch, normalises)
    longest = max(end - start for start, end in pairwise(bounds))
    piece = longest if normalises else max(1, min(longest, PIECE_BYTES // per_image))
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return Plan(bounds, piece, per_image, parameters)


def _bounds(count: int, batch: int, normalises: bool) -> tuple[int, ...]:
    """Cut `count` images into batches; the last may be smaller, but not a single one under batch norm."""
    starts = list(range(0, count, batch))
    if normalises and count - starts[-1] == 1 and len(starts) > 1:
        starts.pop()
    return (*starts, count)


def _bytes_per_image(network: nn.Module, shape: InputShape) -> int:
    """Add up the outputs of all layers for one image; twice, for values and their gradients."""
    total = shape.channels * shape.size**2

    def count(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        total += output.numel()

    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    network(torch.empty(1, shape.channels, shape.size, shape.size, device="meta"))
    return 4 * 2 * total
