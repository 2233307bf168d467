"""A round of a challenge: what is to be done, what has been reached, and when it is over. Nothing here is shown.

Time is the server's own, counted from the click on Start. What counts is the best moment of the round, so nobody loses
what was reached by drawing on; the probabilities, too, are computed here and not in the browser.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.drawings import challenges
from explorer.analysis.drawings.challenges import FREE_STROKES
from explorer.data.preparation.steps import Grey
from explorer.ui.kit.numbers import count, many, percent, seconds
from explorer.ui.kit.text import markdown

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
            points = challenges.misleading_points(moment.first, moment.second, self.label)
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


TITLES: dict[Kind, str] = {
    "draw": "Draw it",
    "fool": "Fool one of two",
    "keep": "Change much",
    "flip": "Change little",
}
RULES: dict[Kind, str] = {
    "draw": f"You are given a class: draw it within {LIMITS['draw']:.0f} seconds. Points are the probability that the "
    f"model gives it, less for time used and for more than {FREE_STROKES} strokes.",
    "fool": f"You get an image that both models recognise. Change it within {LIMITS['fool']:.0f} seconds so that the "
    "first model is wrong and the second still right; the surer both are, the more points.",
    "keep": f"You get an image. Within {LIMITS['keep']:.0f} seconds change it as much as you can while the model "
    "goes on saying the same. Points are the average change of its 784 pixels, in percent of that from black to white.",
    "flip": f"You get an image. Within {LIMITS['flip']:.0f} seconds make the model say something else by as few "
    "changed pixels as you can; the machine then searches too, and 100 points are for doing no worse.",
}
SECOND = "This one needs a second model: choose one above under Compare with."
BROKEN = "The round is over: something else was put on the canvas, or another model was chosen. Start again."


def none_found(tried: int, kind: Kind) -> str:
    """Say that among so many images none was found to begin with."""
    models = "both models" if kind == "fool" else "the model"
    return f"None of {count(tried)} random test images is recognised by {models}. Choose others, or another challenge."


def task(found: Round, classes: tuple[str, ...], names: tuple[str, ...]) -> str:
    """Say what is to be done in this round."""
    name = markdown(classes[found.label])
    first = markdown(names[0])
    if found.kind == "draw":
        return f"Draw **{name}**."
    if found.kind == "fool":
        second = markdown(names[1]) if len(names) > 1 else "the second model"
        return f"Both say **{name}**. Change it so that {first} is wrong and {second} still says {name}."
    if found.kind == "keep":
        return f"Change the image as much as you can; {first} must go on saying **{name}**."
    return f"Make {first} say anything but **{name}**, with as few changed pixels as you can."


def reached(best: Reached | None, kind: Kind) -> str:
    """Say what the best moment so far is worth."""
    if best is None or (kind != "flip" and not best.points):
        return "Nothing that counts yet."
    if kind == "flip":
        return f"Flipped with {_pixels(best.changed)}."
    return f"Best so far **{best.points} points**, after {seconds(best.seconds)}."


def result(found: Round, points: int, machine: int | None, classes: tuple[str, ...]) -> str:
    """Say how a round has ended."""
    best = found.best
    if best is None:
        return "**0 points**: nothing was drawn that counts."
    share = percent(best.moment.first[found.label])
    name = markdown(classes[found.label])
    if found.kind == "flip":
        text = f"**{points} points.** You needed {_pixels(best.changed)}; "
        if machine is None:
            return text + "the machine's search found no way within its limits."
        return text + f"the machine's search found a way with {_pixels(machine)}, shown beside yours."
    if found.kind == "keep":
        return f"**{points} points.** Changed by as many percent, it still said {name} ({share})."
    if found.kind == "fool" and best.moment.second is not None:
        other = percent(best.moment.second[found.label])
        return f"**{points} points.** {name}: the first model gave it {share}, the second {other}."
    strokes = max(1, best.moment.strokes)
    return f"**{points} points.** {name} with {share} after {seconds(best.seconds)} and {many(strokes, 'stroke')}."


def _pixels(number: int) -> str:
    return many(number, "pixel")
