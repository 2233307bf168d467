"""What the figures mean, in plain words and with the user's own numbers. Markdown, names escaped."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.confusion import ClassElements, ConfusionMatrix
from explorer.analysis.intervals import wilson
from explorer.analysis.roc import RocCurve, RocCurves
from explorer.ui.charts.matrix import MatrixView
from explorer.ui.formats import count, percent
from explorer.ui.text import markdown

METHODS = {
    "input-gradient": "Input gradient",
    "integrated-gradients": "Integrated Gradients",
    "occlusion": "Occlusion",
}
"""The attribution methods by name. Their own registry is loaded with torch when the first map is computed."""

UNITS = {
    "input-gradient": "score per unit of brightness",
    "integrated-gradients": "share of the score",
    "occlusion": "fall of the score",
}


def accuracy(matrix: ConfusionMatrix) -> str:
    """Explain the accuracy."""
    return f"{count(int(matrix.counts.trace()))} of {count(matrix.n)} images are classified correctly."


def interval(matrix: ConfusionMatrix) -> str:
    """Write the 95% Wilson interval of the accuracy."""
    low, high = wilson(int(matrix.counts.trace()), matrix.n)
    return f"{percent(low).removesuffix('%')} to {percent(high)}" if matrix.n else "–"


def rounded(epoch: int | None) -> str:
    """Say what half-precision predictions of an epoch are good for."""
    return (
        f"Epoch {epoch}: its weights are not kept, so these are the stored predictions. Classes, counts and accuracy "
        "are exact; probabilities are rounded to about one part in a thousand, so an AUC may differ in its third digit."
    )


def misclassification(matrix: ConfusionMatrix) -> str:
    """Explain the misclassification rate."""
    wrong = matrix.n - int(matrix.counts.trace())
    return f"{count(wrong)} of {count(matrix.n)} images are classified wrongly: 1 minus the accuracy."


def confusion(matrix: ConfusionMatrix, view: MatrixView) -> str:
    """Explain how to read the matrix, by its largest error."""
    counts = matrix.counts.copy()
    counts[range(len(counts)), range(len(counts))] = 0
    cell = int(counts.argmax())
    row, column = divmod(cell, len(matrix.classes))
    true, predicted = markdown(matrix.classes[row]), markdown(matrix.classes[column])
    text = "Each row is a true class, each column a predicted one; the diagonal holds what is right. "
    if not counts[row, column]:
        return text + "Here nothing stands beside it: no image is classified wrongly."
    text += f"The most frequent error: {count(int(counts[row, column]))} images of {true} were taken for {predicted}"
    if view == "By row":
        return f"{text}, which is {percent(float(matrix.by_row[row, column]))} of all {true}. Rows add up to 100%."
    if view == "By column":
        share = percent(float(matrix.by_column[row, column]))
        return f"{text}, which is {share} of all that was called {predicted}. Columns add up to 100%."
    return f"{text}. Darker means more, on a square-root scale, so that small errors stay visible."


def elements(element: ClassElements) -> list[tuple[str, str]]:
    """Explain one class against the rest: the name with its value, and one sentence, for each element and rate."""
    name = markdown(element.name)
    tp, fn = element.true_positives, element.false_negatives
    fp, tn = element.false_positives, element.true_negatives
    found, called = _of(tp, tp + fn, f"of {name}", "are found"), _of(tp, tp + fp, f"called {name}", f"are {name}")
    spared = _of(tn, tn + fp, "of other classes", "are not called so")
    return [
        (f"{count(tp)} true positives (TP)", f"{name}, called {name}: the cell on the diagonal."),
        (f"{count(fn)} false negatives (FN)", f"{name}, called something else: the rest of the row."),
        (f"{count(fp)} false positives (FP)", f"other things, called {name}: the rest of the column."),
        (f"{count(tn)} true negatives (TN)", f"other things, not called {name}: all other cells."),
        (f"Precision {_rate(element.precision)}", f"{called}: TP / (TP + FP)."),
        (f"Recall {_rate(element.recall)}", f"{found}: TP / (TP + FN)."),
        (f"Specificity {_rate(element.specificity)}", f"{spared}: TN / (TN + FP)."),
        (f"F1 {_rate(element.f1)}", "harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."),
    ]


def roc(curves: RocCurves, chosen: int) -> str:
    """Explain the curves by one class."""
    curve = curves.per_class[chosen]
    name = markdown(curve.name)
    if not curve.defined:
        return (
            f"There is no curve for {name}: the split holds no image of it, or no other, "
            "so one of the two rates cannot be computed."
        )
    fpr, tpr = _at_false_positive_rate(curve, 0.05)
    return (
        f"Call an image {name} when its probability is above a threshold, and lower the threshold from 1 to 0: the "
        "curve shows how many of that class are found (up) at the price of how many false alarms (right). "
        f"For {name}, {percent(tpr)} are found with {percent(fpr)} false alarms. "
        "The closer a curve comes to the upper left corner, the better; the grey diagonal is guessing."
    )


def auc(curves: RocCurves, chosen: int) -> list[str]:
    """Explain the areas: one paragraph on the class, one on the averages."""
    curve = curves.per_class[chosen]
    name = markdown(curve.name)
    paragraphs = []
    if curve.defined:
        paragraphs.append(
            f"**AUC of {name}: {curve.auc:.4f}.** The area under the curve is the probability that a random image of "
            f"{name} gets a higher probability for {name} than a random image of another class. "
            f"Here that happens in {count(round(curve.auc * 10_000))} of 10,000 such pairs; guessing gives 5,000."
        )
    defined = [one for one in curves.per_class if one.defined]
    if defined:
        worst = min(defined, key=lambda one: one.auc)
        paragraphs.append(
            f"**Why so many curves?** ROC needs a yes-or-no question, so each class is set against the rest. The "
            f"macro average ({curves.macro.auc:.4f}) is the mean over the classes; the micro average "
            f"({curves.micro.auc:.4f}) pools all yes-or-no answers. The hardest class is "
            f"{markdown(worst.name)} with {worst.auc:.4f}."
        )
    return paragraphs


def mistakes(confidences: Sequence[float], n: int) -> str:
    """Explain the gallery."""
    if not confidences:
        return f"None of the {count(n)} images is classified wrongly."
    sure = sum(confidence >= 0.9 for confidence in confidences)
    return (
        f"The {count(len(confidences))} wrong ones of {count(n)} images, the most confident first. In {count(sure)} of "
        "them the model gave its wrong answer a probability of 90% or more. Below each image stands what it "
        "is and, after ×, what the model said and how sure it was."
    )


def probabilities(classes: Sequence[str], values: Sequence[float], true: int) -> str:
    """Explain the bars of one image."""
    order = sorted(range(len(classes)), key=lambda index: -values[index])
    first, second = order[0], order[1]
    verdict = "which is right" if first == true else f"but it is {markdown(classes[true])}"
    return (
        f"The bars add up to 100%. The model says {markdown(classes[first])} with {percent(values[first])}, "
        f"{verdict}; next comes {markdown(classes[second])} with {percent(values[second])}."
    )


def attribution(method: str, target: str, values: NDArray[np.floating]) -> str:
    """Explain one map (H, W); `method` is its name in `explorer.analysis.attribution`."""
    name = markdown(target)
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    place = f"row {row}, column {column}"
    if not values.any():
        return f"The map is zero everywhere: by this method no pixel has an influence on the score of {name}."
    if method == "input-gradient":
        return (
            f"Warm: a little more brightness here raises the score of {name}; cold: it lowers it. "
            f"The steepest pixel is at {place}."
        )
    if method == "integrated-gradients":
        return (
            f"Warm pixels added to the score of {name} on the way from a black image to this one, cold ones took from "
            f"it. Together they sum to {float(values.sum()):+.2f}. The largest share is at {place}."
        )
    return (
        f"Warm: covering this place with a black square lowers the score of {name}, so it speaks for it; cold: "
        f"covering it raises the score. The strongest place is at {place}."
    )


def _rate(value: float) -> str:
    return percent(None if math.isnan(value) else value)


def _of(part: int, whole: int, which: str, what: str) -> str:
    if not whole:
        return f"undefined, as there are no images {which}"
    return f"{count(part)} of {count(whole)} images {which} {what}"


def _at_false_positive_rate(curve: RocCurve, limit: float) -> tuple[float, float]:
    """Return the last point of a curve whose false positive rate is within the limit."""
    within = [index for index, fpr in enumerate(curve.fpr) if fpr <= limit]
    return float(curve.fpr[within[-1]]), float(curve.tpr[within[-1]])
