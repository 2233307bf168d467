"""The batches of several seeds, gathered together from one copy of the training set."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from explorer.data.splits import Split
from explorer.training.batches import CHUNK_IMAGES, Batches
from explorer.training.config import TrainConfig
from explorer.training.plan import Plan
from explorer.training.randomness import generator

CHUNK_PIXELS = 4 * CHUNK_IMAGES
"""Images gathered at once; as bytes they take as much of the cache as `CHUNK_IMAGES` do as floats."""


class SeedBatches(Batches):
    """The batches of several seeds, each in its own order, from one copy of the training set."""

    def __init__(
        self, config: TrainConfig, seeds: Sequence[int], plan: Plan, split: Split, device: torch.device
    ) -> None:
        super().__init__(config, plan, split, device)
        self.singles = [copy.copy(self) for _ in seeds]
        for single, seed in zip(self.singles, seeds, strict=True):
            single.config = with_seed(config, seed)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (images (B, K, C, H, W) float32, labels (B, K) int64) of an epoch, from step `first` on."""
        count, bounds, step = len(self.singles), self.plan.bounds, first
        orders = torch.stack(
            [
                torch.randperm(len(self.labels), generator=generator(single.config.seed, "order", epoch))
                for single in self.singles
            ]
        ).to(self.images.device)
        labels = self.labels[orders]
        while step < self.plan.steps:
            last = step + 1
            while last < self.plan.steps and count * (bounds[last + 1] - bounds[step]) <= CHUNK_PIXELS:
                last += 1
            chosen = orders[:, bounds[step] : bounds[last]]
            pixels = self.images.index_select(0, chosen.flatten()).view(count, -1, *self.shape)
            sizes = [bounds[number + 1] - bounds[number] for number in range(step, last)]
            parts = (pixels, labels[:, bounds[step] : bounds[last]], chosen)
            cut = zip(*(part.split(sizes, 1) for part in parts), strict=True)
            for number, (batch, truth, places) in enumerate(cut, start=step):
                images = batch.to(torch.float32, memory_format=torch.contiguous_format)
                images.mul_(self.scale).add_(self.black)
                yield self._augment(images, places, epoch, number).transpose(0, 1), truth.t()
            step = last

    def _augment(self, images: Tensor, places: Tensor, epoch: int, step: int) -> Tensor:
        if not (self.config.flip or self.config.shift or self.config.erase):
            return images
        parts = zip(self.singles, images, places, strict=True)
        return torch.stack([Batches._augment(single, part, chosen, epoch, step) for single, part, chosen in parts])


def with_seed(config: TrainConfig, seed: int) -> TrainConfig:
    """Return the configuration of one seed's single run, or raise `ConfigError` for a seed out of range."""
    return TrainConfig.parse(config.model_dump() | {"seed": seed})
