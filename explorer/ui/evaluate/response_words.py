"""What the output for one image says, beside its target. Markdown."""

from collections.abc import Sequence

from explorer.ui.evaluate.output import Answer
from explorer.ui.formats import count, loss, percent
from explorer.ui.text import markdown


def verdict(output: Answer, target: int | None, several: bool) -> str:
    """Say what the model answers, and how far that is from the target."""
    name = markdown(output.classes[output.predicted])
    top = float(output.probabilities[output.predicted])
    who = f"**{output.name}**" if several else "The model"
    text = f"{who} says **{name}** with {percent(top)}"
    if output.tied > 1:
        text += f", the first of {output.tied} classes that share the highest output"
    if target is None:
        return f"{text}."
    if target == output.predicted:
        return f"{text}. ✓ That is the target."
    wanted, place = markdown(output.classes[target]), output.rank(target)
    return (
        f"{text}. × The target is **{wanted}**: it gets {percent(float(output.probabilities[target]))}, "
        f"rank {place} of {len(output.classes)}."
    )


def errors(output: Answer, target: int) -> list[tuple[str, str, str]]:
    """Return name, value and explanation of the errors of this output."""
    classes = len(output.classes)
    guess = 1 - 1 / classes
    return [
        (
            "Squared error",
            loss(output.squared_error(target)),
            "The squared differences between the probabilities and the target, summed over the classes: 0 is perfect, "
            f"{guess:.1f} is equal probabilities for all {classes}, 2 is being sure of a wrong class.",
        ),
        (
            "Cross-entropy",
            f"{loss(output.cross_entropy(target))} nats",
            "Minus the natural logarithm of the probability of the target: 0 is perfect, and it has no upper limit.",
        ),
        (
            "Rank of the target",
            f"{output.rank(target)} of {classes}",
            "The place of the target's class when the classes are put in order of their outputs, the highest first.",
        ),
    ]


def figure(outputs: Sequence[Answer], target: int | None) -> str:
    """Explain the bars."""
    output = outputs[0]
    name = markdown(output.classes[output.predicted])
    logit = float(output.logits[output.predicted])
    text = (
        f"The network answers with one logit for each class, the highest being {logit:+.2f} for {name}; the softmax "
        "makes probabilities of them, which add up to 100%. "
    )
    if target is None:
        return f"{text}There is no target: choose one on the left to compare."
    wanted = markdown(output.classes[target])
    missing = 1 - float(output.probabilities[target])
    return (
        f"{text}The dashed frame, at ▸, is the target: 1 for {wanted} and 0 for all others. "
        f"The bar in the frame{f' of {output.name}' if len(outputs) > 1 else ''} is {percent(missing)} too short, and "
        "that much is spread over the other classes."
    )


def whereabouts(row: int, split: str, index: int) -> str:
    """Say which image it is."""
    return f"Image {count(row)} of the {split} split, number {count(index)} in the file of the data set."


def foreign(label: str, read_as: str) -> str:
    """Say how a label of another data set is read; both names are escaped."""
    return f"Its label is {label}. The model does not know it; the class with the same number is {read_as}."
