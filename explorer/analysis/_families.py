"""What a ranking gives for every class, for all pairs pooled, and for the mean of the classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from explorer.analysis._json import or_none
from explorer.analysis.predictions import Predictions
from explorer.analysis.ranking import Ranking, Rankings

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
