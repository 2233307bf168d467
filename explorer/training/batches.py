"""The training set as one tensor on the device, and its batches as slices of a permutation."""

import warnings
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from explorer.data import augmentation, catalog
from explorer.data.splits import Split, stratify
from explorer.training.config import TrainConfig
from explorer.training.plan import Plan
from explorer.training.randomness import generator

CHUNK_IMAGES = 512
"""Images turned into floats at once: enough to be quick, few enough to stay in the processor's cache."""


class Batches:
    """Yields normalised, augmented batches in the order that (seed, epoch) decides."""

    def __init__(self, config: TrainConfig, plan: Plan, split: Split, device: torch.device) -> None:
        images, labels = split.images, split.labels
        if config.subset < len(labels):
            chosen = stratify(labels, config.subset)[1]
            images, labels = images[chosen], labels[chosen]
        spec = catalog.get(config.dataset)
        self.images = _tensor(images).reshape(len(images), -1).to(device)
        self.labels = _tensor(labels).to(device)
        self.shape = (spec.channels, spec.size, spec.size)
        self.scale = 1 / (255 * spec.std)
        self.black = -spec.mean / spec.std
        self.config, self.plan = config, plan

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images (B, C, H, W) float32, labels (B,) int64) of an epoch, from step `first` on."""
        order = torch.randperm(len(self.labels), generator=generator(self.config.seed, "order", epoch))
        order = order.to(self.images.device)
        bounds = self.plan.bounds
        step = first
        while step < self.plan.steps:
            last = step + 1
            while last < self.plan.steps and bounds[last + 1] - bounds[step] <= CHUNK_IMAGES:
                last += 1
            chosen = order[bounds[step] : bounds[last]]
            images = self.images.index_select(0, chosen).to(torch.float32).mul_(self.scale).add_(self.black)
            images = images.view(-1, *self.shape)
            sizes = [bounds[number + 1] - bounds[number] for number in range(step, last)]
            parts = (images.split(sizes), self.labels.index_select(0, chosen).split(sizes), chosen.split(sizes))
            for number, (batch, labels, places) in enumerate(zip(*parts, strict=True), start=step):
                yield self._augment(batch, places, epoch, number), labels
            step = last

    @cached_property
    def _mirrored_first(self) -> Tensor:
        """The images (N,) bool that alternating flips mirror in odd epochs; the others in even ones."""
        return torch.rand(len(self.labels), generator=generator(self.config.seed, "flip")).to(self.labels.device) < 0.5

    def _augment(self, images: Tensor, places: Tensor, epoch: int, step: int) -> Tensor:
        config = self.config
        if not (config.flip or config.shift or config.erase):
            return images
        draws = generator(config.seed, "augmentation", epoch, step)
        if config.flip and config.flip_order == "alternating":  # as Jordan (2024), "94% on CIFAR-10 in 3.29 seconds"
            images = augmentation.mirror(images, self._mirrored_first[places] ^ (epoch % 2 == 0))
        elif config.flip:
            images = augmentation.flip(images, draws)
        if config.shift:
            images = augmentation.shift(images, config.shift, self.black, draws)
        if config.erase:
            images = augmentation.erase(images, config.erase, 0.0 if config.erase_fill == "mean" else None, draws)
        return images


def _tensor(array: np.ndarray) -> Tensor:
    """Share a read-only array's memory; it is only ever read, so PyTorch's warning is beside the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)
