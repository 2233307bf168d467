"""What the challenges say. Markdown, names escaped."""

from explorer.analysis.challenges import FREE_STROKES
from explorer.ui.draw.rounds import LIMITS, Kind, Reached, Round
from explorer.ui.formats import count, many, percent, seconds
from explorer.ui.text import markdown

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
