"""What the lie detector found, in plain words. Markdown, names escaped."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from explorer.analysis.faithfulness import ALIKE, Examination, Verdict
from explorer.analysis.perturbation import PerturbationCurves
from explorer.ui.formats import percent
from explorer.ui.text import markdown


class Badge(NamedTuple):
    """How a verdict is shown: a mark for plain text, a colour and an icon."""

    mark: str
    colour: Literal["green", "orange", "red"]
    icon: str


BADGES: Mapping[Verdict, Badge] = {
    Verdict.FOLLOWS: Badge("✓", "green", ":material/check:"),
    Verdict.CHANCE: Badge("?", "orange", ":material/question_mark:"),
    Verdict.INDEPENDENT: Badge("×", "red", ":material/close:"),
    Verdict.UNKNOWN: Badge("?", "orange", ":material/question_mark:"),
}


def why(found: Examination, target: str) -> str:
    """Give the reason of the verdict in a sentence or two."""
    similarity = alike(found.similarity or 0.0)
    last = found.stages[-1].signed if found.stages else np.ones(1)
    constant = int(np.isnan(last).sum())
    left_out = f" {constant} of {len(last)} such maps are constant and not counted." if constant else ""
    if found.verdict is Verdict.INDEPENDENT:
        return (
            f"With random weights throughout the network the map stays alike: rank correlation {similarity}, and from "
            f"{ALIKE} on it counts as the same picture. It shows the image, not what the network has learned.{left_out}"
        )
    curves = found.curves
    random = float(curves.random_areas.mean())
    areas = (
        f"deletion area {percent(curves.deletion_area)}, insertion area {percent(curves.insertion_area)}, random "
        f"orders {percent(random)} on average"
    )
    if found.verdict is Verdict.UNKNOWN:
        return (
            "Every map of a network with random weights has the same value everywhere, so nobody can tell whether this "
            f"one depends on what was learned ({areas})."
        )
    forgets = f"With random weights the map becomes another one (rank correlation {similarity})"
    if found.verdict is Verdict.FOLLOWS:
        deletes = curves.p_deletion <= curves.p_insertion
        what = "Taking away its most important pixels lowers" if deletes else "Adding its most important pixels raises"
        return (
            f"{what} the probability of {markdown(target)} faster than random orders do ({areas}). {forgets}.{left_out}"
        )
    return (
        f"{forgets}, but the probability of {markdown(target)} reacts to its most important pixels no faster than to "
        f"random ones, as far as can be told ({areas}).{left_out}"
    )


def curve(curves: PerturbationCurves, what: str) -> str:
    """Explain the curve of deletion or insertion."""
    low, high = np.quantile(curves.random_areas, [0.025, 0.975])
    area, chance = (
        (curves.deletion_area, curves.p_deletion) if what == "deletion" else (curves.insertion_area, curves.p_insertion)
    )
    good = "The sooner the line falls" if what == "deletion" else "The sooner the line rises"
    return (
        f"{good}, the better the map. Its area is {percent(area)}; grey is what 95% of {len(curves.random)} random "
        f"orders give, with areas from {percent(float(low))} to {percent(float(high))}. Of these orders and the map's "
        f"own, a share of {percent(chance)} does as well."
    )


def cascade(found: Examination) -> str:
    """Explain the randomisation of the layers."""
    text = (
        "From left to right the layers forget what they learned, the last one first. A map that shows the network must "
        f"change: a rank correlation of 1 is the same map, 0 another one, and {ALIKE} the dashed limit."
    )
    if found.indifferent_to:
        many = len(found.indifferent_to)
        return f"{text} Here {many} of {len(found.layers)} layers could be random before it became another map."
    return f"{text} Here it becomes another map with the first layer that is random."


def layer(name: str, kind: str = "") -> str:
    """Return the type and name of a layer, without the part of the name that all have in common."""
    return f"{kind} {name.removeprefix('network.')}".strip()


def alike(value: float) -> str:
    """Write a rank correlation."""
    return "undefined" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
