"""The figures by which an evaluation is known, and what they mean."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st

from explorer.data import catalog
from explorer.ui.evaluate.scope import Judged, Results, Scope
from explorer.ui.kit import explanations, numbers
from explorer.ui.kit.numbers import count, percent
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.confusion import ConfusionMatrix
    from explorer.analysis.evaluation.intervals import AucIntervals, Interval
    from explorer.analysis.evaluation.predictions import FloatArray
    from explorer.analysis.evaluation.summary import Headline


Unit = Literal["%", "area", "nats", "images"]

FIRST = ("Accuracy", "Macro AUC", "Calibration error (ECE)")
"""How often it is right, how well it tells the classes apart at any threshold, and whether its certainty is true."""


@dataclass(frozen=True)
class Figure:
    """One figure of one checkpoint.

    Attributes
    ----------
    label : str
    value : str
        As people read it; "–" where it is undefined.
    definition : str
        What the figure is, whatever the checkpoint.
    here : str
        What it says here, with its own numbers; may be empty.
    amount : float
        NaN where undefined.
    unit : {'%', 'area', 'nats', 'images'}
    interval : str
        95% interval as "91.9 to 92.9%"; empty where there is none.
    """

    label: str
    value: str
    definition: str
    here: str
    amount: float
    unit: Unit
    interval: str = ""


def figures_text(results: Results) -> list[Figure]:
    """Return all of them, the best known first."""
    headline, matrix, classes = results.headline, results.matrix, len(results.predictions.classes)
    return [
        *_shares(headline),
        *_means(headline, matrix),
        *_areas(
            headline,
            results.areas,
            np.array([one.auc for one in results.rankings.per_class]),
        ),
        _log_loss(headline.log_loss, classes),
        _calibration(headline.expected_calibration_error),
        _images(results),
    ]


def meaning(a: Figure, b: Figure | None = None) -> str:
    """Explain a figure with the numbers of one checkpoint, or of two."""
    if b is None:
        return f"{a.here} {a.definition}".strip()
    own = [f"**{name}:** {said}" for name, one in (("A", a), ("B", b)) if (said := _with_interval(one))]
    return " ".join([*own, a.definition])


def difference(a: Figure, b: Figure) -> str:
    """Write B less A with its sign, in percentage points between shares; empty where it is undefined."""
    gap = b.amount - a.amount
    if math.isnan(gap):
        return ""
    if a.unit == "%":
        return numbers.signed(numbers.points(a.amount, b.amount))
    digits = {"area": 4, "nats": 3, "images": 0}[a.unit]
    return numbers.signed(round(b.amount, digits) - round(a.amount, digits), digits)


def _with_interval(figure: Figure) -> str:
    return " ".join(filter(None, [figure.here, f"95% interval: {figure.interval}." if figure.interval else ""]))


def _shares(headline: "Headline") -> list[Figure]:
    n = headline.n
    right = round(headline.accuracy * n) if n else 0
    ends, wrong_ends = headline.accuracy_interval, headline.misclassification_interval
    return [
        _share(
            "Accuracy",
            headline.accuracy,
            "The interval (Wilson) is made so that in 95 of 100 cases it holds the share among all images of this "
            "kind, of which these are a sample.",
            f"{count(right)} of {numbers.many(n, 'image')} {'is' if n == 1 else 'are'} classified correctly.",
            ends,
        ),
        _share(
            "Misclassification rate",
            headline.misclassification_rate,
            "It is 1 minus the accuracy.",
            f"{count(n - right)} of {numbers.many(n, 'image')} {'is' if n == 1 else 'are'} classified wrongly.",
            wrong_ends,
        ),
    ]


def over(rates: "FloatArray") -> str:
    """Say over which classes a macro average is the mean: those for which the figure (C,) is defined."""
    defined = int(np.isfinite(rates).sum())
    if defined == len(rates):
        return f"the mean over the {defined} classes, each of the same weight."
    return (
        f"the mean over the {defined} of {len(rates)} classes for which it is defined, each of the same weight; the "
        "others do not occur or are never predicted."
    )


def _means(headline: "Headline", matrix: "ConfusionMatrix") -> list[Figure]:
    precision, recall, f1 = headline.macro_precision, headline.macro_recall, headline.macro_f1
    return [
        _share(
            "Macro precision",
            precision,
            "Of the images that are called by a class’s name, the share that are of that class: "
            f"{over(matrix.precision)}",
            _said(precision, "On average {} of what is called by a name deserves it."),
        ),
        _share(
            "Macro recall",
            recall,
            f"Of the images of a class, the share that are found: {over(matrix.recall)} It equals the accuracy where "
            "all classes have as many images.",
            _said(recall, "On average {} of a class are found."),
        ),
        _share(
            "Macro F1",
            f1,
            f"F1 is high only where precision and recall both are (it is their harmonic mean): {over(matrix.f1)}",
            _said(f1, "On average it is {}."),
        ),
    ]


def _areas(headline: "Headline", areas: "AucIntervals", per_class: "FloatArray") -> list[Figure]:
    classes = len(per_class)
    pairs = f"{count(classes * headline.n)} yes-or-no answers ({count(headline.n)} images × {classes} classes)"
    return [
        _area(
            "Macro AUC",
            headline.macro_auc,
            "An image of a class gets a higher probability of it than an image of another class in",
            f"The area under the ROC curve, {over(per_class)}",
            areas.macro,
        ),
        _area(
            "Micro AUC",
            headline.micro_auc,
            "A class that is true gets a higher probability than one that is not in",
            f"The area under one ROC curve for all {pairs}.",
            areas.micro,
        ),
    ]


def _log_loss(loss: float, classes: int) -> Figure:
    definition = (
        "How little probability the true class gets: the mean of its −ln (cross entropy, in nats). "
        f"Guessing costs ln {classes} = {math.log(classes):.3f}."
    )
    here = "" if math.isnan(loss) else f"As if every true class had got {numbers.precise(math.exp(-loss))}."
    return Figure("Log loss", numbers.loss(loss), definition, here, loss, "nats")


def _calibration(error: float) -> Figure:
    return _share(
        "Calibration error (ECE)",
        error,
        "Expected calibration error: does 80% sure mean right in 80% of cases? It is the distance between the "
        "probability of an answer (the confidence) and the share of such answers that are right, in 15 bins.",
        _said(error, "Confidence and accuracy are on average {} apart."),
    )


def _images(results: Results) -> Figure:
    predictions = results.predictions
    title = markdown(catalog.get(predictions.dataset).title)
    definition = f"All images of the {predictions.split} split of {title}."
    return Figure("Images", count(predictions.n), definition, "", predictions.n, "images")


def _share(label: str, value: float, definition: str, here: str, ends: "Interval | None" = None) -> Figure:
    interval = "" if ends is None else numbers.interval(*ends)
    return Figure(label, percent(value), definition, here, value, "%", interval)


def _area(label: str, value: float, pairs: str, definition: str, ends: "Interval") -> Figure:
    if math.isnan(value):
        undefined = "Undefined here: it needs images of a class and images of another one."
        return Figure(label, "–", definition, undefined, value, "area")
    definition += " Guessing has 0.5. The interval is by bootstrap: these images drawn again and again."
    here = f"{pairs} {numbers.of_many(value)} pairs."
    return Figure(label, numbers.area(value), definition, here, value, "area", numbers.area_interval(*ends))


def _said(value: float, sentence: str) -> str:
    return "" if math.isnan(value) else sentence.format(percent(value))


def show(scope: Scope) -> None:
    """Show the three that matter most, and all of them on demand; of both checkpoints where there are two."""
    found = [figures_text(judged.results) for judged in scope.both]
    both = [pair[:1] if pair[0].unit == "images" else pair for pair in zip(*found, strict=True)]
    with st.container(horizontal=True, gap="medium", vertical_alignment="center", key="headline"):
        for figures in both:
            if figures[0].label in FIRST:
                st.metric(figures[0].label, _value(*figures), help=meaning(*figures), width="content")
        with st.popover(f"All {len(both)} figures", type="tertiary", key="headline-all"):
            for figures in both:
                st.markdown(f"{figures[0].label}: **{_value(*figures)}**  \n:small[{meaning(*figures)}]")
    for judged in scope.both:
        _rounded(judged, scope)


def _value(a: Figure, b: Figure | None = None) -> str:
    """Write a figure with its interval, or with that of the second checkpoint and the difference."""
    if b is not None:
        return f"{a.value} :small[B {b.value} :gray[{difference(a, b)}]]"
    return f"{a.value} :small[:gray[{a.interval}]]" if a.interval else a.value


def _rounded(judged: Judged, scope: Scope) -> None:
    if judged.results.predictions.exact_predicted is not None:
        name = "" if scope.b is None else f"{markdown(judged.name)}: "
        st.caption(name + explanations.rounded(judged.selection.epoch))
