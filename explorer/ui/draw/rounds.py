"""A round of a challenge: what is to be done, what has been reached, and when it is over. Nothing here is shown.

Time is the server's own, counted from the click on Start. What counts is the best moment of the round, so nobody loses
what was reached by drawing on; the probabilities, too, are computed here and not in the browser.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis import challenges
from explorer.data.placement import Grey

Kind = Literal["draw", "fool", "keep", "flip"]
LIMITS: dict[Kind, float] = {"draw": 40.0, "fool": 120.0, "keep": 90.0, "flip": 90.0}
"""Seconds."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moment:
    """What the server sees after a stroke.

    Attributes
    ----------
    beginnings : int
        How often something was put on the canvas: more than at the start means another picture.
    image : uint8 ndarray (28, 28)
        What the model sees.
    first : float64 ndarray (C,)
        Probabilities of the first model.
    second : float64 ndarray (C,) or None
        Of the second one, where there is one.
    strokes : int
        As the browser counts them.
    """

    beginnings: int
    image: Grey
    first: FloatArray
    second: FloatArray | None
    strokes: int


@dataclass(frozen=True, eq=False)
class Reached:
    """The best so far.

    Attributes
    ----------
    points : int
        0 to 100; of a flip the points are given at the end, when the machine has searched.
    changed : int
        Pixels that differ from the start.
    seconds : float
        Since the start.
    moment : Moment
    """

    points: int
    changed: int
    seconds: float
    moment: Moment


@dataclass(eq=False)
class Round:
    """One round.

    Attributes
    ----------
    kind : str
    label : int
        The class to draw; of the others what the image shows, or what the model says of it.
    start : uint8 ndarray (28, 28) or None
        The image at the start; None for an empty canvas.
    beginnings : int
        As in `Moment`, at the start.
    began : float
        On the server's clock, in seconds.
    models : tuple of str
        Digests of the models, which must stay the same.
    best : Reached or None
    ended : bool
        Whether the user has ended it, or time has.
    broken : bool
        Whether something else was put on the canvas, or the models were changed.
    """

    kind: Kind
    label: int
    start: Grey | None
    beginnings: int
    began: float
    models: tuple[str, ...]
    best: Reached | None = None
    ended: bool = False
    broken: bool = False

    def left(self, now: float) -> float:
        """Return the seconds that are left."""
        return max(0.0, LIMITS[self.kind] - (now - self.began))

    def look(self, moment: Moment | None, models: tuple[str, ...], now: float) -> None:
        """Take note of what is on the canvas now, and of the time."""
        if self.ended:
            return
        if models != self.models or (moment is not None and moment.beginnings != self.beginnings):
            self.ended = self.broken = True
        elif now - self.began > LIMITS[self.kind]:
            self.ended = True
        elif moment is not None:
            found = self._reached(moment, now - self.began)
            if found is not None and (self.best is None or self._is_better(found, self.best)):
                self.best = found

    def flip_points(self, machine: int | None) -> int:
        """Return the points of a flip, against the pixels that the machine's search changed."""
        return challenges.flipping_points(self.best.changed, machine, True) if self.best else 0

    def _reached(self, moment: Moment, seconds: float) -> Reached | None:
        """Return what a moment is worth; None where it does not count."""
        says, changed = int(moment.first.argmax()), 0
        if self.start is not None:
            changed = challenges.changed_pixels(self.start, moment.image)
        if self.kind == "draw":
            strokes = max(1, moment.strokes)
            share = float(moment.first[self.label])
            points = challenges.drawing_points(share, seconds, LIMITS["draw"], strokes)
        elif self.kind == "fool":
            if moment.second is None:
                return None
            points = challenges.fooling_points(moment.first, moment.second, self.label)
        elif self.kind == "keep":
            change = challenges.change(self.start, moment.image) if self.start is not None else 0.0
            points = challenges.keeping_points(change, says == self.label)
        else:
            if says == self.label or not changed:
                return None
            points = 0
        return Reached(points, changed, seconds, moment)

    def _is_better(self, found: Reached, best: Reached) -> bool:
        return found.changed < best.changed if self.kind == "flip" else found.points > best.points
