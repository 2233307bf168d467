"""Which part of a split is worst and whether chance explains it, and what the sorted mistakes are. Markdown."""

from collections.abc import Sequence

from explorer.analysis.confusion import ConfusedPair
from explorer.analysis.intervals import Interval, wilson
from explorer.analysis.mistakes import Key, Kind, Slices
from explorer.ui import formats
from explorer.ui.charts.slices import directions, slice_name
from explorer.ui.formats import count, many, percent
from explorer.ui.text import markdown

WHICH: dict[Kind, str] = {
    "class": "images of {}",
    "predicted": "images called {}",
    "brightness": "images with a mean pixel of {}",
    "ink": "images with {} of their pixels not black",
}
SURE = 0.9
"""From this confidence on, a mistake counts as a confident one."""

ORDERS: dict[Key, tuple[str, str]] = {
    "confidence": ("most confident first", "least confident first"),
    "loss": ("highest loss first", "lowest loss first"),
    "margin": ("closest calls first", "widest margins first"),
}
MEANINGS: dict[Key, str] = {
    "confidence": "Confidence: the probability of the predicted class.",
    "loss": "Loss: minus the logarithm of the probability of the true class; high where the model saw no chance of it.",
    "margin": "Margin: the highest probability less the second; small where the model hesitated between two.",
}


def which(found: Slices, number: int) -> str:
    """Name the images of a part."""
    return WHICH[found.by].format(markdown(slice_name(found, number)))


def worst(found: Slices) -> str:
    """Name the part with the highest error rate, and say whether it is distinguishable from the rest."""
    there = [number for number, part in enumerate(found.parts) if part.n]
    errors, n = (sum(getattr(part, name) for part in found.parts) for name in ("errors", "n"))
    if not errors:
        return "No image is classified wrongly, so no slice is worse than another."
    number = max(there, key=lambda one: found.parts[one].rate)
    part, others, wrong = found.parts[number], n - found.parts[number].n, errors - found.parts[number].errors
    text = (
        f"**Worst slice: {which(found, number)}.** {count(part.errors)} of {count(part.n)} are wrong, "
        f"{_rate(part.rate, part.interval)}"
    )
    if not others:
        return f"{text}. There are no other images to compare with."
    rest = wilson(wrong, others)
    text += f"; of the other {count(others)}, {_rate(wrong / others, rest)}."
    if part.interval.low > rest.high:
        return f"{text} The intervals do not overlap, so the slice is distinguishable from the rest."
    return f"{text} The intervals overlap, so the slice is not distinguishable from the rest: it may be chance."


def slices(found: Slices) -> str:
    """Explain the chart by its best part."""
    there = [number for number, part in enumerate(found.parts) if part.n]
    text = (
        "Each bar is the share of wrong predictions in one part of the split; the whisker is its 95% interval, long "
        "where images are few. The dashed line is the error rate of all images. "
    )
    if not there:
        return f"{text}This split holds no images."
    best = min(there, key=lambda one: found.parts[one].rate)
    part = found.parts[best]
    few = f"{count(part.errors)} of {count(part.n)} {which(found, best)}"
    return f"{text}Fewest errors: {few}. Click a bar to see its images."


def pairs(
    found: Sequence[ConfusedPair], classes: Sequence[str], true_classes: Sequence[str], mistakes: int, sure: int
) -> str:
    """Explain the chart by its first pair; `sure` mistakes were made with a confidence of at least `SURE`."""
    first = found[0]
    (true, called, there), (_, _, back) = directions([first])
    share = sum(pair.total for pair in found) / mistakes
    return (
        "Each pair of bars is two classes that were taken for each other, in the colour of the true class. "
        f"{many(there, 'image')} of {markdown(true_classes[true])} {'was' if there == 1 else 'were'} called "
        f"{markdown(classes[called])}, and {count(back)} the other way round. These pairs make up {percent(share)} "
        f"of all {many(mistakes, 'mistake')}; in {count(sure)} of all the model was at least "
        f"{percent(SURE, 0)} sure. Click a bar to see its images."
    )


def heading(number: int, what: str, by: Key, backwards: bool) -> str:
    """Write the heading of the gallery; `what` is escaped."""
    return f"{count(number)} {what}, {ORDERS[by][backwards]}"


def empty(n: int, perfect: bool) -> str:
    """Say why there is no image to show."""
    if not n:
        return "This split holds no images."
    if perfect:
        return "The model makes no mistake on this split."
    return "No image fits all the choices on the left. Take one of them back."


def _rate(rate: float, interval: Interval) -> str:
    return f"{percent(rate)} (95% interval {formats.interval(*interval) or '–'})"
