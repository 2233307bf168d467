"""What it means to judge a checkpoint on another data set than its own. Markdown, names escaped."""

from collections.abc import Sequence

from explorer.data import catalog
from explorer.ui.formats import percent
from explorer.ui.text import markdown

LISTED = 10
"""So many classes are named at most."""


def matched(classes: Sequence[str], dataset: str, foreign: str | None) -> str:
    """Say how the labels of the images were matched with the classes of the checkpoint.

    Parameters
    ----------
    classes : sequence of str
        Of the checkpoint, at least as many as the data set has.
    dataset : str
        Name of the set that is judged.
    foreign : str or None
        Title of the set that the checkpoint was trained on, where that is another one.

    Returns
    -------
    str
        Empty where there is nothing to say.
    """
    spec = catalog.get(dataset)
    title, same = markdown(spec.title), tuple(classes) == spec.classes
    if foreign is None and same:
        return ""
    text = f"These are images of {title}, "
    if foreign is None:
        text += "whose classes have other names than those of this checkpoint. "
    else:
        text += f"judged by a network that knows only {markdown(foreign)}. "
    if same:
        return text + "Both sets have classes of the same names."
    pairs = list(zip(spec.classes, classes, strict=False))
    text += "Labels are matched by number, so right is: "
    text += ", ".join(f"{markdown(theirs)} → {markdown(own)}" for theirs, own in pairs[:LISTED])
    text += f" and {len(pairs) - LISTED} more. " if len(pairs) > LISTED else ". "
    if extra := len(classes) - len(pairs):
        text += f"The other {extra} of its classes do not occur here. " if extra > 1 else ""
        text += "The last of its classes does not occur here. " if extra == 1 else ""
    if foreign is None:
        return text.rstrip()
    return f"{text}Choosing a class at random would be right in {percent(1 / len(classes))} of cases."


def misfit(classes: int, dataset: str, fitting: bool) -> str:
    """Say that a checkpoint has too few classes for a data set."""
    spec = catalog.get(dataset)
    text = (
        f"This checkpoint knows {classes} {'class' if classes == 1 else 'classes'}, but {markdown(spec.title)} has "
        f"{len(spec.classes)}, so it has no answer for some of the images. "
    )
    return text + ("Judge it on a set that fits:" if fitting else "No set here fits: choose another checkpoint.")
