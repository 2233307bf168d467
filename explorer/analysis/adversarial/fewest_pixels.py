"""The fewest pixels that flip a prediction, by greedy search.

Each turn sets to black or white the one pixel that brings the margin down most, in the spirit of the few-pixel attacks
of Papernot et al., "The limitations of deep learning in adversarial settings" (EuroS&P 2016), and Narodytska &
Kasiviswanathan, "Simple black-box adversarial attacks on deep neural networks" (CVPR workshops 2017). The answer is an
upper bound: there may be a smaller set of pixels that no greedy search finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from explorer.analysis.evaluation.predictions import BATCH_SIZE, FloatArray, scale
from explorer.analysis.frozen import frozen_copy, placement
from explorer.errors import CheckpointError

Image = NDArray[np.uint8]

MOST_PIXELS = 60
MOST_QUERIES = 30_000
SHORTLIST = 96
RIVALS = 3


class ChangedPixel(NamedTuple):
    """A pixel that the search set to black or white: its place and its grey level, 0 to 255."""

    row: int
    column: int
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class MinimalChange:
    """What the search found.

    Attributes
    ----------
    predicted : int
        The class of the image as it is.
    pixels : tuple of ChangedPixel
        In the order in which they were changed.
    image : ndarray
        uint8, shape (H, W): after all changes.
    probabilities : ndarray
        float64, shape (K + 1, C): before and after each of the K changes.
    flipped : bool
        Whether the class of `image` is another (or the wanted one); if not, the search gave up.
    queries : int
        Images that the model was asked about.
    """

    predicted: int
    pixels: tuple[ChangedPixel, ...]
    image: Image
    probabilities: FloatArray
    flipped: bool
    queries: int


def minimal_change(
    classifier: nn.Module,
    image: Image,
    target: int | None = None,
    most_pixels: int = MOST_PIXELS,
    most_queries: int = MOST_QUERIES,
) -> MinimalChange:
    """Flip a prediction with as few pixels as a greedy search can. The same input gives the same answer.

    Every pixel is tried in the first turn; later the 96 changes that the gradient promises most from. One search
    leads away from the predicted class, and one to each of the three classes that come next; the shortest wins. In
    the end every change without which the prediction stays flipped is taken back.

    Parameters
    ----------
    classifier : nn.Module
        Maps pixels in [0, 1] of shape (N, 1, height, width) to logits (N, C). It is only read and may be shared.
    image : ndarray
        uint8, shape (H, W).
    target : int, optional
        The class to reach; by default any other.
    most_pixels, most_queries : int
        Where to give up.

    Returns
    -------
    MinimalChange

    Raises
    ------
    IndexError
        There is no such class.
    CheckpointError
        The logits are not finite.
    """
    search = _Search(frozen_copy(classifier), image, most_queries)
    logits = search.logits(image[None])[0]
    predicted = int(logits.argmax())
    if target is not None:
        if not 0 <= target < len(logits):
            raise IndexError(f"class {target} of {len(logits)}")
        goals: list[int | None] = [target]
    else:
        ranked = [int(k) for k in logits.argsort(descending=True, stable=True) if int(k) != predicted]
        goals = [None, *ranked[:RIVALS]]
    best: list[ChangedPixel] | None = [] if predicted == target else None
    longest: list[ChangedPixel] = []
    for goal in goals if best is None else ():
        limit = most_pixels if best is None else len(best) - 1
        found, flipped = search.run(predicted, goal, limit)
        if flipped:
            best = search.pruned(predicted, goal, found)
        elif len(found) > len(longest):
            longest = found
    pixels = longest if best is None else best
    images = _stages(image, pixels)
    probabilities: FloatArray = search.logits(images).softmax(1).numpy()
    return MinimalChange(predicted, tuple(pixels), images[-1], probabilities, best is not None, search.queries)


class _Search:
    """One image, one model, and how often it may still be asked."""

    def __init__(self, model: nn.Module, image: Image, most_queries: int) -> None:
        self.model, self.image, self.most_queries, self.queries = model, image, most_queries, 0
        self.device, self.dtype = placement(model)
        self.first: Tensor | None = None  # the first turn asks the same of every goal

    def logits(self, images: Image) -> Tensor:
        """Return logits in double precision, (N, C), on the CPU."""
        self.queries += len(images)
        with torch.no_grad():
            parts = torch.tensor(images, device=self.device).split(BATCH_SIZE)
            found = torch.cat([self.model(scale(part, self.dtype)).double().cpu() for part in parts])
        if not torch.isfinite(found).all():
            raise CheckpointError("The outputs of this checkpoint are not finite numbers. Choose another checkpoint.")
        return found

    def run(self, predicted: int, goal: int | None, most: int) -> tuple[list[ChangedPixel], bool]:
        """Change pixel after pixel; return them, and whether the prediction flipped."""
        current, pixels = self.image.copy(), list[ChangedPixel]()
        free = np.ones(current.shape, bool)
        while len(pixels) < most:
            places, levels = self._candidates(current, free, predicted, goal, every=not pixels)
            if not len(places) or self.queries + len(places) > self.most_queries:
                break
            margins = _margin(self._tried(current, places, levels, first=not pixels), predicted, goal)
            chosen = int(margins.argmin())
            row, column = divmod(int(places[chosen]), current.shape[1])
            pixels.append(ChangedPixel(row, column, int(self.image[row, column]), int(levels[chosen])))
            current[row, column], free[row, column] = levels[chosen], False
            if margins[chosen] < 0:
                return pixels, True
        return pixels, False

    def _tried(self, current: Image, places: NDArray[np.int64], levels: Image, first: bool) -> Tensor:
        """Return the logits after each single change, (N, C)."""
        if first and self.first is not None:
            return self.first
        tries = np.repeat(current[None], len(places), axis=0)
        tries.reshape(len(places), -1)[np.arange(len(places)), places] = levels
        logits = self.logits(tries)
        if first:
            self.first = logits
        return logits

    def _candidates(
        self, current: Image, free: NDArray[np.bool_], predicted: int, goal: int | None, every: bool
    ) -> tuple[NDArray[np.int64], Image]:
        """Return places in the flat image and the level each is to take."""
        places = np.tile(np.flatnonzero(free), 2)
        levels = np.repeat(np.array([0, 255], np.uint8), len(places) // 2)
        steps = levels.astype(np.float64) - current.ravel()[places]
        if every:
            chosen = np.flatnonzero(steps)
        else:
            promise = steps * self._slope(current, predicted, goal).ravel()[places]
            chosen = np.argsort(promise, kind="stable")[:SHORTLIST]
            chosen = chosen[steps[chosen] != 0]
        return places[chosen], levels[chosen]

    def _slope(self, current: Image, predicted: int, goal: int | None) -> NDArray[np.float64]:
        self.queries += 1
        with torch.inference_mode(False), torch.enable_grad():
            pixels = scale(torch.tensor(current[None], device=self.device), self.dtype).requires_grad_()
            (gradient,) = torch.autograd.grad(_margin(self.model(pixels), predicted, goal).sum(), pixels)
        slope: NDArray[np.float64] = gradient[0, 0].double().cpu().numpy()
        return slope

    def pruned(self, predicted: int, goal: int | None, pixels: list[ChangedPixel]) -> list[ChangedPixel]:
        """Take back changes, the earliest first, as long as the prediction stays flipped."""
        kept = list(pixels)
        for pixel in pixels:
            fewer = [one for one in kept if one != pixel]
            if fewer and _margin(self.logits(_stages(self.image, fewer)[-1:]), predicted, goal)[0] < 0:
                kept = fewer
        return kept


def _margin(logits: Tensor, predicted: int, goal: int | None) -> Tensor:
    """Return (N,): below 0 where another class, or the goal, has the highest logit."""
    best = predicted if goal is None else goal
    others = torch.cat([logits[:, :best], logits[:, best + 1 :]], dim=1).max(dim=1).values
    lead = logits[:, best] - others
    return lead if goal is None else -lead


def _stages(image: Image, pixels: list[ChangedPixel]) -> Image:
    """Return the image before and after each change, (K + 1, H, W)."""
    stages = np.repeat(image[None], len(pixels) + 1, axis=0)
    for number, pixel in enumerate(pixels, start=1):
        stages[number:, pixel.row, pixel.column] = pixel.after
    return stages
