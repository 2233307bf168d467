"""The mean map of many images: where a class is usually recognised."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.analysis.attribution.method import Explain
from explorer.analysis.attribution.target import Target, as_target

PIECE = 32
"""Images that are explained before the caller hears of it."""


@dataclass(frozen=True, eq=False)
class MeanMap:
    """The mean over the maps of the first images.

    Attributes
    ----------
    done, total : int
        How many images are in it, and how many there are in all.
    mean : Tensor
        float64 on the CPU, shape (1, channels, height, width), in the units of the method.
    spread : Tensor
        float64, shaped like the mean: the standard deviation over the images (dividing by their number).
    """

    done: int
    total: int
    mean: Tensor
    spread: Tensor


def mean_map(
    explain: Explain,
    classifier: nn.Module,
    pixels: Tensor,
    target: Tensor | Target,
    at_once: int = PIECE,
) -> Iterator[MeanMap]:
    """Explain many images and average their maps, piece by piece.

    Parameters
    ----------
    explain : callable
        The method with its options, see `Method.with_options`.
    classifier : nn.Module
        Maps pixels in [0, 1] to logits; it is only read.
    pixels : Tensor
        Float, shape (N, channels, height, width), in [0, 1]; such as the images of one class.
    target : Tensor or Target
        Of the N images.
    at_once : int
        Images in a piece.

    Yields
    ------
    MeanMap
        After each piece, the last one with all images. Closing the generator ends the work. Nothing without images.
    """
    wanted, total = as_target(target), len(pixels)
    mean = torch.zeros((1, *pixels.shape[1:]), dtype=torch.float64)
    squares = torch.zeros_like(mean)
    for start in range(0, total, at_once):
        rows = slice(start, min(start + at_once, total))
        maps = explain(classifier, pixels[rows], wanted.rows(rows)).cpu().double()
        before, mean = mean, mean + (maps - mean).sum(dim=0, keepdim=True) / rows.stop
        squares = squares + ((maps - before) * (maps - mean)).sum(dim=0, keepdim=True)
        yield MeanMap(rows.stop, total, mean, (squares / rows.stop).sqrt())
