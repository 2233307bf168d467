"""What the curves, their areas and a threshold mean, in plain words and with the user's own numbers. Markdown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.ui import formats
from explorer.ui.evaluate.scale import written
from explorer.ui.formats import count, many, percent
from explorer.ui.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.confusion import ClassElements
    from explorer.analysis.intervals import Interval
    from explorer.analysis.precision_recall import PrecisionRecallCurve
    from explorer.analysis.roc import RocCurve, RocCurves

_LIMIT = 0.05


def undefined(name: str, positives: int, negatives: int) -> str:
    """Say why a class has no ROC curve."""
    name = markdown(name)
    if not positives and not negatives:
        return f"There is no curve for {name}: the split holds no images."
    missing = f"no image of {name}, so there is nothing to find" if not positives else f"only images of {name}"
    rate = "true positive rate" if not positives else "false positive rate"
    return f"There is no ROC curve for {name}: the split holds {missing}, and the {rate} is undefined."


def read_roc(curve: "RocCurve", name: str, guessing: bool = True) -> str:
    """Explain ROC curves by a point of one of them, and the line of guessing where it is seen."""
    name = markdown(name)
    if not curve.defined:
        return (
            f"There is no curve for {name}: it needs images of the class and others, and the split lacks one of them."
        )
    point = int((curve.fpr <= _LIMIT).nonzero()[0][-1])
    averages = curve.thresholds[-1] != curve.thresholds[-1]
    text = (
        "Call an image a class when its probability reaches a threshold, and lower the threshold from 1 to 0: the "
        "curve shows how many of that class are found (up) at the price of how many false alarms (right). "
    )
    if averages:
        text += "The macro average is the mean of the heights of all curves at each place. "
    text += (
        f"For {name}, {percent(float(curve.tpr[point]))} are found with {percent(float(curve.fpr[point]))} false "
        "alarms. The closer to the upper left corner, the better"
    )
    return text + ("; the grey diagonal is guessing." if guessing else ".")


def read_precision_recall(curve: "PrecisionRecallCurve", name: str, base_rate: float, guessing: bool = True) -> str:
    """Explain precision-recall curves by a point of one of them, and guessing, whose line may not be seen."""
    name = markdown(name)
    if not curve.defined:
        return f"There is no curve for {name}: the split holds no image of it, so there is nothing to find."
    point = int((curve.recall >= 0.9).nonzero()[0][0])
    line = "The grey line is guessing" if guessing else "Guessing lies below"
    return (
        "Lower the threshold, and more of the class are found (right), while more of what is called so is something "
        f"else (down). For {name}, {percent(float(curve.precision[point]))} of what is called so is right when "
        f"{percent(float(curve.recall[point]))} are found. {line}: "
        f"{percent(base_rate)} of the images are of the class. Average precision is the area under the steps."
    )


def area(curve: "RocCurve", name: str, interval: "Interval", called: str = "") -> str:
    """Explain the area under the curve of a class as the share of pairs, with its interval.

    `called` is what the model calls the class, where its images have another name.
    """
    name, called = markdown(name), markdown(called or name)
    if not curve.defined:
        return ""
    text = (
        f"**AUC of {name}: {formats.area(curve.auc)}{_interval(interval)}.** It is the probability that a random "
        f"positive outranks a random negative: that an image of {name} gets a higher probability for {called} than an "
        f"image of another class. Here that happens in {formats.of_many(curve.auc)} such pairs (ties count half); "
        "guessing gives 5,000."
    )
    if interval.low == interval.high == 1:
        return f"{text} Every pair is in order, so the interval has no width; that does not make the AUC certain."
    return text


def many_curves(curves: "RocCurves", macro: "Interval", micro: "Interval", names: Sequence[str] | None = None) -> str:
    """Explain why there is more than one curve, and the averages; empty where no curve is defined."""
    named = zip(names or [curve.name for curve in curves.per_class], curves.per_class, strict=True)
    defined = [(curve.auc, name) for name, curve in named if curve.defined]
    if not defined:
        return ""
    lowest, worst = min(defined)
    missing = len(curves.per_class) - len(defined)
    left_out = f" ({many(missing, 'class', 'classes')} without images or without others left out)" if missing else ""
    return (
        f"**Why {many(len(defined), 'curve')} and two averages?** ROC needs a yes-or-no question, so each "
        f"class is set against the rest. Macro, {formats.area(curves.macro.auc)}{_interval(macro)}, is their "
        f"mean{left_out}; micro, {formats.area(curves.micro.auc)}{_interval(micro)}, pools all yes-or-no answers. The "
        f"hardest class is {markdown(worst)} with {formats.area(lowest)}. Class intervals are DeLong's; those "
        "of the averages come from drawing the images again 1,000 times."
    )


def roc_against_precision(element: "ClassElements", threshold: float, true: str = "") -> str:
    """Explain what precision-recall shows and ROC does not; empty without positives or negatives.

    `true` is what the images of the class are called, where the model has another name for it.
    """
    positives = element.true_positives + element.false_negatives
    negatives = element.false_positives + element.true_negatives
    if not positives or not negatives:
        return ""
    name, alarms, hits = markdown(element.name), element.false_positives, element.true_positives
    text = (
        f"**What does precision-recall add?** {'Only ' if positives < negatives else ''}"
        f"{percent(positives / (positives + negatives))} of the images are "
        f"{markdown(true) or name}. At {written(threshold)} the false positive rate is "
        f"{percent(element.false_positive_rate)}: of {count(negatives)} other images that is {count(alarms)}"
    )
    if not hits + alarms:
        return f"{text}, and none is called {name} at all, so precision is undefined there."
    return (
        f"{text}, beside {count(hits)} hits: the precision is {percent(element.precision)}. ROC does not depend on how "
        "rare the class is; precision does."
    )


def at_threshold(element: "ClassElements", threshold: float, letter: str = "") -> str:
    """Say what a threshold means."""
    name = markdown(element.name)
    positives = element.true_positives + element.false_negatives
    negatives = element.false_positives + element.true_negatives
    found = f"{count(element.true_positives)} of {many(positives, 'image')} of {name} are found"
    if not positives:
        found = f"there is no image of {name} to be found"
    alarms = f"{many(element.false_positives, 'false alarm')} among {count(negatives)} others"
    return f"{letter}From {written(threshold)} on, {found}, with {alarms}."


def crossed(name: str, before: float, now: float, images: int) -> str:
    """Head the images that change sides."""
    name = markdown(name)
    side = f"now called {name}" if now < before else f"no longer called {name}"
    return f"{many(images, 'image')} between {written(before)} and {written(now)}: {side}"


def nothing_crossed(name: str, before: float, now: float) -> str:
    """Say why no images are shown."""
    name = markdown(name)
    if before == now:
        return f"Move the threshold: the images whose probability for {name} lies between its old and new place appear."
    return f"No image has a probability for {name} between {written(before)} and {written(now)}."


def _interval(interval: "Interval") -> str:
    text = formats.area_interval(*interval)
    return f" (95% interval {text})" if text else ""
