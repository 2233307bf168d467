"""Comparing two settings by runs with the same seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, second minus first, and how sure it is.

    Attributes
    ----------
    n : int
        Number of pairs.
    mean : float
    deviation : float or None
        Sample standard deviation of the differences; None for a single pair.
    low, high : float or None
        95% confidence interval of the mean; None for a single pair.
    """

    n: int
    mean: float
    deviation: float | None
    low: float | None
    high: float | None

    @property
    def is_distinguishable(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Return the mean of `second - first` with Student's t interval for paired samples.

    Parameters
    ----------
    first, second : sequences of float, of equal length n >= 1
        The same measure of the same seeds.

    Notes
    -----
    Student (1908), "The probable error of a mean". It takes the differences to be roughly normal, which seeds of one
    configuration are.
    """
    differences = np.subtract(second, first, dtype=np.float64)
    n, mean = len(differences), float(differences.mean())
    if n == 1:
        return Difference(1, mean, None, None, None)
    from scipy.special import stdtrit

    deviation = float(differences.std(ddof=1))
    margin = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(n)
    return Difference(n, mean, deviation, mean - margin, mean + margin)
