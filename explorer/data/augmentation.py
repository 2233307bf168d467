"""Augmentation of whole batches, on their device. Every draw comes from the generator that is passed in."""

import math

import torch
from torch import Tensor


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images left to right; shape (N, C, H, W) stays."""
    return mirror(images, _uniform(len(images), generator, images) < 0.5)


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the images that are chosen, bool (N,), left to right."""
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def shift(images: Tensor, pixels: int, fill: float, generator: torch.Generator) -> Tensor:
    """Move each image by up to `pixels` in each direction; what enters has the value `fill`."""
    count, channels, height, width = images.shape
    padded = torch.nn.functional.pad(images, (pixels,) * 4, value=fill)
    device = images.device
    offsets = torch.randint(0, 2 * pixels + 1, (2, count, 1), generator=generator).to(device)
    rows = offsets[0] + torch.arange(height, device=device)
    columns = offsets[1] + torch.arange(width, device=device)
    everyone = torch.arange(count, device=device)[:, None, None, None]
    planes = torch.arange(channels, device=device)[None, :, None, None]
    return padded[everyone, planes, rows[:, None, :, None], columns[:, None, None, :]]


def erase(images: Tensor, probability: float, fill: float | None, generator: torch.Generator) -> Tensor:
    """Fill one random rectangle in a share of the images, with a value or, for None, with standard normal noise.

    Random Erasing, Zhong et al. (2020): area 2 to 33 % of the image, aspect ratio 0.3 to 3.3, drawn
    log-uniformly. A side that would be longer than the image is cut to it.
    """
    count, _, height, width = images.shape
    area = height * width * (0.02 + 0.31 * _uniform(count, generator, images))
    ratio = torch.exp(math.log(0.3) + (math.log(3.3) - math.log(0.3)) * _uniform(count, generator, images))
    tall = (area * ratio).sqrt().round().clamp(1, height)
    wide = (area / ratio).sqrt().round().clamp(1, width)
    top = (_uniform(count, generator, images) * (height - tall + 1)).floor()
    left = (_uniform(count, generator, images) * (width - wide + 1)).floor()
    chosen = _uniform(count, generator, images) < probability
    rows = _within(height, top, tall, images) & chosen[:, None]
    columns = _within(width, left, wide, images)
    erased = (rows[:, :, None] & columns[:, None, :])[:, None]
    if fill is None:
        return torch.where(erased, torch.randn(images.shape, generator=generator).to(images.device), images)
    return images.masked_fill(erased, fill)


def _within(size: int, start: Tensor, length: Tensor, like: Tensor) -> Tensor:
    """Return (N, size): whether each position lies in [start, start + length)."""
    position = torch.arange(size, device=like.device)
    return (position >= start[:, None]) & (position < (start + length)[:, None])


def _uniform(count: int, generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.rand(count, generator=generator).to(like.device)
