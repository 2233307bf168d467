"""Images in order of a score: the one sort from which ROC, precision-recall and intervals of an AUC derive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.predictions import Predictions
from explorer.analysis.files import or_none

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import FloatArray, IntArray, Predictions


@dataclass(frozen=True, eq=False)
class Ranking:
    """Images by falling score; equal scores form one step.

    Attributes
    ----------
    order : ndarray
        int64, shape (N,): rows, the highest score first.
    ends : ndarray
        int64, shape (G,): the place in `order` of the last image of each step.
    scores : ndarray
        float64, shape (G,): the score of each step, falling.
    true, false : ndarray
        int64, shape (G,): how many positives and negatives there are down to the end of each step.
    """

    order: IntArray
    ends: IntArray
    scores: FloatArray
    true: IntArray
    false: IntArray

    @property
    def positives(self) -> int:
        """Number of positives."""
        return int(self.true[-1]) if len(self.true) else 0

    @property
    def negatives(self) -> int:
        """Number of negatives."""
        return int(self.false[-1]) if len(self.false) else 0

    @property
    def defined(self) -> bool:
        """Whether there are both positives and negatives."""
        return self.positives > 0 and self.negatives > 0

    @property
    def auc(self) -> float:
        """Share of the pairs of a positive and a negative in which the positive is above, ties counting half."""
        if not self.defined:
            return float("nan")
        doubled = int(np.diff(self.false, prepend=0) @ (self.true + np.append(0, self.true[:-1])))
        return doubled / (2 * self.positives * self.negatives)

    @property
    def negatives_below(self) -> FloatArray:
        """Share of the negatives below each step, those in it counting half, shape (G,); needs a negative."""
        shares: FloatArray = 1 - (self.false + np.append(0, self.false[:-1])) / (2 * self.negatives)
        return shares

    @property
    def positives_above(self) -> FloatArray:
        """Share of the positives above each step, those in it counting half, shape (G,); needs a positive."""
        shares: FloatArray = (self.true + np.append(0, self.true[:-1])) / (2 * self.positives)
        return shares

    def per_image(self, values: FloatArray) -> FloatArray:
        """Give every image the value of its step: from shape (G,) to shape (N,), in the order of the rows."""
        spread = np.empty(len(self.order))
        spread[self.order] = np.repeat(values, np.diff(self.ends, prepend=-1))
        return spread


@dataclass(frozen=True, eq=False)
class Rankings:
    """Every class's ranking and the pooled one.

    Attributes
    ----------
    classes : tuple of str
        The C names.
    per_class : tuple of Ranking
        By the probability of the class; its images are the positives.
    micro : Ranking
        All N x C pairs of class and image (class by class), positive where the image is of the class.
    """

    classes: tuple[str, ...]
    per_class: tuple[Ranking, ...]
    micro: Ranking

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> Rankings:
        """Sort once for each class and once for all pairs."""
        scores = np.ascontiguousarray(predictions.probabilities.T)
        positive = predictions.labels == np.arange(len(predictions.classes))[:, None]
        per_class = tuple(rank(truth, score) for truth, score in zip(positive, scores, strict=True))
        return cls(predictions.classes, per_class, rank(positive.ravel(), scores.ravel()))


def rank(positive: NDArray[np.bool_], scores: FloatArray) -> Ranking:
    """Sort by score.

    Parameters
    ----------
    positive : ndarray
        bool, shape (N,).
    scores : ndarray
        float64, shape (N,), finite; the higher, the more positive.
    """
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], np.ones(min(len(ranked), 1), dtype=bool)))
    true = np.cumsum(positive[order], dtype=np.int64)[ends]
    return Ranking(order, ends, ranked[ends], true, ends + 1 - true)


Areas = dict[str, float | list[float | None] | None]


class Curve(Protocol):
    """A curve with a name, an area, and points where it is defined."""

    @property
    def name(self) -> str:
        """The class, `micro` or `macro`."""

    @property
    def defined(self) -> bool:
        """Whether it has points."""

    @property
    def area(self) -> float:
        """The area under it; NaN where undefined."""


CurveType = TypeVar("CurveType", bound=Curve)


@dataclass(frozen=True, eq=False)
class Curves(ABC, Generic[CurveType]):
    """The curves of all classes and their averages.

    Attributes
    ----------
    per_class : tuple
        One class against the rest, ranked by the probability of the class, in the order of the classes.
    micro
        All N x C pairs of image and class pooled into one curve.
    macro
        The mean over the defined classes; its area is the mean of theirs.
    """

    per_class: tuple[CurveType, ...]
    micro: CurveType
    macro: CurveType

    @classmethod
    def from_predictions(cls, predictions: Predictions) -> Self:
        """Compute every curve at full resolution."""
        return cls.from_rankings(Rankings.from_predictions(predictions))

    @classmethod
    def from_rankings(cls, rankings: Rankings) -> Self:
        """Compute every curve from rankings that are there already."""
        both = zip(rankings.classes, rankings.per_class, strict=True)
        per_class = tuple(cls._of(name, ranking) for name, ranking in both)
        return cls(per_class, cls._of("micro", rankings.micro), cls._mean(per_class))

    @property
    def every(self) -> tuple[CurveType, ...]:
        """The curves of the classes, then `micro` and `macro`."""
        return (*self.per_class, self.micro, self.macro)

    def _areas(self) -> Areas:
        """Areas for JSON: `macro`, `micro` and `per_class` in class order; None where undefined."""
        return {
            "macro": or_none(self.macro.area),
            "micro": or_none(self.micro.area),
            "per_class": [or_none(curve.area) for curve in self.per_class],
        }

    @staticmethod
    @abstractmethod
    def _of(name: str, ranking: Ranking) -> CurveType:
        """Compute the curve of one ranking."""

    @staticmethod
    @abstractmethod
    def _mean(curves: tuple[CurveType, ...]) -> CurveType:
        """Average the curves of the classes."""
