"""How to read the figures of a duel, with their own numbers. Markdown, values escaped."""

from collections.abc import Mapping

from explorer.studies.differences import Difference
from explorer.studies.duels import SIDES
from explorer.ui import formats
from explorer.ui.charts.duel import Race
from explorer.ui.duel_curves import side_mean
from explorer.ui.duel_words import points
from explorer.ui.text import markdown


def accuracy(race: Race, seeds: int) -> str:
    """Explain the curves of the accuracy."""
    text = "The share of validation images that are named correctly; higher is better. "
    if seeds > 1:
        text += "Thin lines are single seeds, the thick one is their mean. "
    one, two = (side_mean(race, side) for side in SIDES)
    if one is None or two is None:
        return text + "The first points come with the first complete epoch."
    a, b = (markdown(label) for label in race.labels)
    gap = abs(formats.points(one["accuracy"], two["accuracy"]))
    now = f"After epoch {one['epoch']} **{a}** has {formats.percent(one['accuracy'])}"
    if one["epoch"] != two["epoch"]:
        return f"{text}{now}, after epoch {two['epoch']} **{b}** has {formats.percent(two['accuracy'])}."
    return f"{text}{now} and **{b}** {formats.percent(two['accuracy'])}, {gap:.1f} points apart."


def loss(race: Race) -> str:
    """Explain the curves of the loss."""
    text = "How far the outputs are from the targets; lower is better. The faint lines are the loss of single batches. "
    one, two = (side_mean(race, side) for side in SIDES)
    if one is None or two is None:
        return text + "The loss on the validation images comes with the first complete epoch."
    a, b = (markdown(label) for label in race.labels)
    return (
        f"{text}On the validation images **{a}** has {formats.loss(one['loss'])} and **{b}** "
        f"{formats.loss(two['loss'])}; a side whose loss rises again learns its images by heart."
    )


def differences(values: Mapping[int, float], found: Difference) -> str:
    """Explain the plot of the differences."""
    ahead = sum(value > 0 for value in values.values())
    text = f"Each dot is one seed: how much better B is than A in its best epoch. B is ahead in {ahead} of {found.n}. "
    if found.low is None or found.high is None:
        return text + "With a single seed nobody can tell how much of that is chance."
    zero = "leaves out" if found.is_distinguishable else "holds"
    meaning = (
        "a difference that chance alone would hardly make" if found.is_distinguishable else "chance may explain it"
    )
    return (
        f"{text}The bar is the 95% interval of the mean, from {points(found.low, '')} to {points(found.high)} "
        f"(Student's t for {formats.many(found.n, 'pair')}): it {zero} 0, {meaning}."
    )
