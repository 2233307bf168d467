"""Where the input gradient varies most: its standard deviation over images, for each of several trials.

Means and variances are merged batch by batch in double precision (Chan, Golub & LeVeque, "Updating formulae and a
pairwise algorithm for computing sample variances", COMPSTAT 1982), so that no more than a batch is ever in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from explorer.analysis.evaluation.predictions import FloatArray
from explorer.analysis.files import or_none
from explorer.analysis.gradients.bulk import GradientBatch, Of, input_gradients

if TYPE_CHECKING:
    from explorer.data.splits import Split

TOP = 10


class Moments:
    """Mean and variance of maps that arrive in batches, without keeping the maps."""

    def __init__(self) -> None:
        self.n = 0
        self.mean: FloatArray = np.zeros(())
        self.squares: FloatArray = np.zeros(())

    def add(self, batch: GradientBatch) -> None:
        """Take the gradients of some images."""
        self.add_maps(batch.gradient)

    def add_maps(self, maps: NDArray[np.floating[Any]]) -> None:
        """Take some maps, (B, height, width)."""
        if not len(maps):
            return
        values = maps.astype(np.float64)
        mean = values.mean(axis=0)
        values -= mean
        squares = np.einsum("i...,i...->...", values, values)
        before, self.n = self.n, self.n + len(maps)
        step = mean - self.mean
        self.mean = self.mean + step * (len(maps) / self.n)
        self.squares = self.squares + squares + step**2 * (before * len(maps) / self.n)

    def statistics(self, name: str, of: Of = "loss") -> GradientStatistics:
        """Return what has come in so far; NaN where nothing has."""
        with np.errstate(invalid="ignore"):
            return GradientStatistics(name, of, self.n, self.mean.copy(), np.sqrt(np.divide(self.squares, self.n)))


class RankedInput(NamedTuple):
    """One input among those with the highest standard deviation.

    Attributes
    ----------
    input : int
        Its position in the flattened image, k of `g_k`.
    row, column : int
        Its place in the image, from 0.
    value : float
        Standard deviation of the gradient over the images; over several trials the mean of them.
    spread : float
        Standard deviation of that over the trials; NaN for a single one.
    """

    input: int
    row: int
    column: int
    value: float
    spread: float


@dataclass(frozen=True, eq=False)
class GradientStatistics:
    """How the input gradients of one trial vary over the images.

    Attributes
    ----------
    name : str
        The trial: a run, a seed or an epoch.
    of : 'loss', 'true', 'predicted' or int
        What was differentiated.
    n : int
        Images.
    mean, deviation : ndarray
        float64, shape (height, width): mean and standard deviation of the gradient of each input over the images, per
        unit of a pixel in [0, 1]; the deviation is that of these images, with N as its divisor.
    """

    name: str
    of: Of
    n: int
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def compute(
        cls,
        name: str,
        classifier: nn.Module,
        split: Split,
        of: Of = "loss",
        batch_size: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> GradientStatistics:
        """Differentiate every image of a split.

        Parameters
        ----------
        name : str
            Of the trial.
        classifier, split, of, batch_size
            As for `explorer.analysis.gradients.bulk.input_gradients`.
        progress : callable, optional
            Called after every batch with the numbers of images done and in all. What it raises ends the computation.

        Raises
        ------
        ConfigError, CheckpointError
            The classifier has no such class, or its gradients are not finite numbers.
        """
        moments = Moments()
        for batch in input_gradients(classifier, split.images, split.labels, of, batch_size):
            moments.add(batch)
            if progress is not None:
                progress(batch.rows.stop, len(split))
        return moments.statistics(name, of)

    def top(self, count: int = TOP) -> tuple[RankedInput, ...]:
        """Return the inputs with the highest standard deviation, the highest first; of equal ones the first."""
        return _ranked(self.deviation, np.full_like(self.deviation, np.nan), count)

    def document(self, count: int = TOP) -> dict[str, Any]:
        """For JSON: `checkpoint`, `n`, `top` and `standard_deviation`, the map row by row."""
        return {
            "checkpoint": self.name,
            "n": self.n,
            "top": [
                {"input": one.input, "row": one.row, "column": one.column, "standard_deviation": or_none(one.value)}
                for one in self.top(count)
            ],
            "standard_deviation": [or_none(value) for value in self.deviation.ravel()],
        }


@dataclass(frozen=True, eq=False)
class GradientTrials:
    """The statistics of several trials of the same images, and how they agree.

    Attributes
    ----------
    trials : tuple of GradientStatistics
        At least one; all of one shape.
    """

    trials: tuple[GradientStatistics, ...]

    @classmethod
    def of(cls, trials: Sequence[GradientStatistics]) -> GradientTrials:
        """Put trials together, or raise `ValueError` where they do not belong together."""
        if len({(one.of, one.n, one.deviation.shape) for one in trials}) != 1:
            raise ValueError("trials must be of the same images and differentiate the same")
        return cls(tuple(trials))

    @cached_property
    def mean(self) -> FloatArray:
        """Mean over the trials of each input's standard deviation, float64, shape (height, width)."""
        mean: FloatArray = np.mean([one.deviation for one in self.trials], axis=0)
        return mean

    @cached_property
    def spread(self) -> FloatArray:
        """Standard deviation of it over the trials, with T - 1 as divisor; NaN for a single one."""
        if len(self.trials) < 2:
            return np.full_like(self.mean, np.nan)
        spread: FloatArray = np.std([one.deviation for one in self.trials], axis=0, ddof=1)
        return spread

    def top(self, count: int = TOP) -> tuple[RankedInput, ...]:
        """Return the inputs whose standard deviation is the highest on average over the trials."""
        return _ranked(self.mean, self.spread, count)

    def document(self, count: int = TOP) -> dict[str, Any]:
        """For JSON: `of`, `n`, the `trials`, and over them `top`, `mean` and `spread`, the maps row by row."""
        return {
            "of": self.trials[0].of,
            "n": self.trials[0].n,
            "trials": [one.document(count) for one in self.trials],
            "top": [
                {"input": one.input, "row": one.row, "column": one.column}
                | {"mean": or_none(one.value), "spread": or_none(one.spread)}
                for one in self.top(count)
            ],
            "mean": [or_none(value) for value in self.mean.ravel()],
            "spread": [or_none(value) for value in self.spread.ravel()],
        }


def _ranked(values: FloatArray, spread: FloatArray, count: int) -> tuple[RankedInput, ...]:
    order = np.argsort(-values.ravel(), kind="stable")[:count]
    places = np.stack(np.unravel_index(order, values.shape), axis=1).tolist()
    return tuple(
        RankedInput(int(index), row, column, float(values[row, column]), float(spread[row, column]))
        for index, (row, column) in zip(order, places, strict=True)
    )
