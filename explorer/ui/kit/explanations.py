"""What the figures mean, in plain words and with the user's own numbers. Markdown, names escaped."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.evaluation.confusion import ClassElements, ConfusionMatrix
from explorer.analysis.evaluation.intervals import wilson
from explorer.analysis.faithfulness.randomisation import is_constant
from explorer.ui.kit import numbers
from explorer.ui.kit.numbers import count, many, percent
from explorer.ui.kit.text import markdown

MatrixView = Literal["Counts", "By row", "By column"]


METHODS = {
    "input-gradient": "Input gradient",
    "input-x-gradient": "Input × gradient",
    "smoothgrad": "SmoothGrad",
    "integrated-gradients": "Integrated Gradients",
    "deep-lift": "DeepLIFT",
    "guided-backpropagation": "Guided backpropagation",
    "occlusion": "Occlusion",
    "feature-ablation": "Feature ablation",
    "grad-cam": "Grad-CAM",
    "layer-activation": "Layer activation",
}
"""The attribution methods by name. Their own registry is loaded with torch when the first map is computed."""

UNITS = {
    "input-gradient": "score per unit of brightness",
    "input-x-gradient": "share of the score",
    "smoothgrad": "score per unit of brightness",
    "integrated-gradients": "share of the score",
    "deep-lift": "share of the score",
    "guided-backpropagation": "score per unit of brightness, altered",
    "occlusion": "fall of the score",
    "feature-ablation": "fall of the score",
    "grad-cam": "weighted activation",
    "layer-activation": "activation",
}
_READING = {
    "input-gradient": "Warm: a little more brightness here raises {score}; cold: it lowers it. The steepest pixel is "
    "at {place}.",
    "input-x-gradient": "Warm pixels speak for {score}, cold ones against it, by about what it would change if they "
    "were black. The strongest pixel is at {place}; black pixels are zero, as they have nothing to lose.",
    "smoothgrad": "Warm: a little more brightness here raises {score}; cold: it lowers it, on average over noisy "
    "copies of the image. The steepest pixel is at {place}.",
    "integrated-gradients": "Warm pixels added to {score} on the way from the baseline to this image, cold ones took "
    "from it. Together they sum to {total:+.2f}. The largest share is at {place}.",
    "deep-lift": "Warm pixels raise {score} above that of the baseline image, cold ones lower it. Together they sum to "
    "{total:+.2f}. The largest share is at {place}.",
    "guided-backpropagation": "The gradient of {score}, of which every ReLU has let only positive parts back, so that "
    "edges stand out; the strongest is at {place}. It looks sharp for nearly every class: ask the lie detector before "
    "you believe it.",
    "occlusion": "Warm: covering this place with a square lowers {score}, so it speaks for it; cold: covering it "
    "raises it. The strongest place is at {place}.",
    "feature-ablation": "Warm: taking this patch out of the image lowers {score}, so it speaks for it; cold: taking it "
    "out raises it. The strongest patch holds {place}.",
    "grad-cam": "Warm: here the maps of a layer speak most for {score}; the strongest place is at {place}. The map is "
    "coarse, as the layer's own maps are small and were enlarged.",
    "layer-activation": "Warm: here the layer answers most strongly; the strongest place is at {place}. It does not "
    "depend on {score}.",
}


_NO_INFLUENCE = "by this method no pixel has an influence on {score}."
_ZERO = {
    "grad-cam": "the maps of this layer speak against {score}, or not at all, at every place, and Grad-CAM keeps only "
    "what speaks for it.",
    "layer-activation": "at this layer the image has no answer. It does not depend on {score}.",
}


def accuracy(matrix: ConfusionMatrix) -> str:
    """Explain the accuracy."""
    return f"{_classified(int(matrix.counts.trace()), matrix.n)} correctly."


def interval(matrix: ConfusionMatrix) -> str:
    """Write the 95% Wilson interval of the accuracy."""
    low, high = wilson(int(matrix.counts.trace()), matrix.n)
    return numbers.interval(low, high) or "–"


def rounded(epoch: int | None) -> str:
    """Say what half-precision predictions of an epoch are good for."""
    return (
        f"Epoch {epoch}: its weights are not kept, so these are the stored predictions. Classes, counts and accuracy "
        "are exact; probabilities are rounded to about one part in a thousand, so an AUC may differ in its last digit."
    )


def misclassification(matrix: ConfusionMatrix) -> str:
    """Explain the misclassification rate."""
    wrong = matrix.n - int(matrix.counts.trace())
    return f"{_classified(wrong, matrix.n)} wrongly: 1 minus the accuracy."


def confusion(
    matrix: ConfusionMatrix, view: MatrixView, errors_only: bool = False, true_names: Sequence[str] | None = None
) -> str:
    """Explain how to read the matrix, by its largest error."""
    if true_names is not None:
        return (
            "Each row is a class of the images, each column one that the model knows from another data set. A row with "
            "one dark cell means that the model sees all images of that class as the same thing."
        )
    counts = matrix.off_diagonal
    row, column = divmod(int(counts.argmax()), len(matrix.classes))
    true, predicted = markdown(matrix.classes[row]), markdown(matrix.classes[column])
    text = "Each row is a true class, each column a predicted one; the diagonal holds what is right. "
    if not counts[row, column]:
        return text + "Here nothing stands beside it: no image is classified wrongly."
    most = int(counts[row, column])
    errors = f"{many(most, 'image')} of {true} {'was' if most == 1 else 'were'}"
    text += f"The most frequent error: {errors} taken for {predicted}"
    if view == "By row":
        text += f", which is {percent(float(matrix.by_row[row, column]))} of all {true}; rows add up to 100%"
    if view == "By column":
        share = percent(float(matrix.by_column[row, column]))
        text += f", which is {share} of all that was called {predicted}; columns add up to 100%"
    if errors_only:
        return f"{text}. The shade compares the errors alone, up to the largest; the diagonal is left grey."
    return f"{text}. A stronger shade means more, on a square-root scale, so that small errors stay visible."


def rates(element: ClassElements) -> list[tuple[str, str]]:
    """Explain the rates of one class against the rest: each name with its value, and one sentence."""
    name = markdown(element.name)
    tp, fn = element.true_positives, element.false_negatives
    fp, tn = element.false_positives, element.true_negatives
    found, called = _of(tp, tp + fn, f"of {name}", "are found"), _of(tp, tp + fp, f"called {name}", f"are {name}")
    spared = _of(tn, tn + fp, "of other classes", "are not called so")
    return [
        (f"Precision {percent(element.precision)}", f"{called}: TP / (TP + FP)."),
        (f"Recall {percent(element.recall)}", f"{found}: TP / (TP + FN)."),
        (f"Specificity {percent(element.specificity)}", f"{spared}: TN / (TN + FP)."),
        (f"F1 {percent(element.f1)}", "harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."),
    ]


def probabilities(classes: Sequence[str], values: Sequence[float], true: int) -> str:
    """Explain the bars of one image."""
    order = sorted(range(len(classes)), key=lambda index: -values[index])
    first, second = order[0], order[1]
    verdict = "which is right" if first == true else f"but it is {markdown(classes[true])}"
    return (
        f"The bars add up to 100%. The model says {markdown(classes[first])} with {percent(values[first])}, "
        f"{verdict}; next comes {markdown(classes[second])} with {percent(values[second])}."
    )


def score_of(target: str, against: str | None = None) -> str:
    """Name what is explained, in Markdown: the score of a class, or its lead over another one."""
    if against is None:
        return f"the score of {markdown(target)}"
    return f"the lead of {markdown(target)} over {markdown(against)}"


def attribution(method: str, target: str, values: NDArray[np.floating], against: str | None = None) -> str:
    """Explain one map (H, W); `method` is its name in `explorer.analysis.attribution`."""
    score = score_of(target, against)
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    if not values.any():
        return f"The map is zero everywhere: {_ZERO.get(method, _NO_INFLUENCE).format(score=score)}"
    if is_constant(values):
        return f"The map has the same value everywhere, {values[0, 0]:.3g}: by this method no pixel stands out."
    place = f"row {row}, column {column}"
    return _READING[method].format(score=score, place=place, total=float(values.sum(dtype=np.float64)))


def _classified(part: int, whole: int) -> str:
    return f"{count(part)} of {many(whole, 'image')} {'is' if whole == 1 else 'are'} classified"


def _of(part: int, whole: int, which: str, what: str) -> str:
    if not whole:
        return f"undefined, as there are no images {which}"
    return f"{count(part)} of {many(whole, 'image')} {which} {what}"
