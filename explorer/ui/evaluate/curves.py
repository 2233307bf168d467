"""ROC and precision-recall: the curves, a threshold on one of them, and what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from explorer.data.splits import SPLITS
from explorer.errors import ExplorerError
from explorer.ui.charts.class_curves import WHOLE, Grip, Size, visible
from explorer.ui.evaluate import curve_kinds, threshold
from explorer.ui.evaluate import scope as evaluate_scope
from explorer.ui.evaluate.curve_kinds import DrawnCurve, Kind, Roc
from explorer.ui.evaluate.scope import Results, Scope, pair_names, true_names
from explorer.ui.evaluate.threshold import written
from explorer.ui.kit import cache, controls, figure, numbers, state, theme
from explorer.ui.kit.numbers import count, many, percent
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.confusion import ClassElements
    from explorer.analysis.evaluation.intervals import Interval
    from explorer.analysis.evaluation.precision_recall import PrecisionRecallCurve
    from explorer.analysis.evaluation.roc import RocCurve, RocCurves


VIEWS = {"all": "All", "class": "One class", "macro": "Macro"}
LETTERS = ("A", "B")
_SOLID = (1, 0)
_SPLIT_DASHES = ((7, 3), (2, 2))
_MICRO_DASH, _MACRO_DASH = (1, 2), (8, 3)


@dataclass(frozen=True, eq=False)
class OverlaidResults:
    """Results that are laid over those of A on the split of the page.

    Attributes
    ----------
    results : Results
    second : bool
        Whether they are those of B.
    split : str or None
        None for the split of the page.
    """

    results: Results
    second: bool
    split: str | None


def other_curves(scope: Scope, splits: Sequence[str]) -> tuple[list[OverlaidResults], list[str]]:
    """Return what is to be laid over, computed where it must be, and messages about what cannot be had."""
    found, problems = [], []
    for second, judged in enumerate(scope.both):
        if second:
            found.append(OverlaidResults(judged.results, True, None))
        for split in splits:
            try:
                predictions = cache.predictions(replace(judged.selection, split=split))
            except ExplorerError as error:
                problems.append(str(error))
            else:
                found.append(OverlaidResults(evaluate_scope.of(predictions), bool(second), split))
    return found, list(dict.fromkeys(problems))


def focus(scope: Scope, view: str, chosen: int, laid_over: Sequence[OverlaidResults]) -> DrawnCurve:
    """Return the curve that the words are about: that of the chosen class, or the macro average."""
    classes = pair_names(scope)
    ink, size = theme.colour("textColor"), len(classes)
    name = _title(scope, "macro" if view == "macro" else classes[chosen], None, laid_over)
    if view == "macro":
        return DrawnCurve("own", name, scope.a.results, size + 1, ink, strong=True)
    colour = theme.class_colours(size)[chosen]
    return DrawnCurve(str(chosen) if view == "all" else "own", name, scope.a.results, chosen, colour, strong=True)


def drawn_curves(scope: Scope, view: str, centre: DrawnCurve, laid_over: Sequence[OverlaidResults]) -> list[DrawnCurve]:
    """Return all curves of the figure, the one in focus among them."""
    own = _every(scope, centre) if view == "all" else [centre]
    extra = [_laid(scope, centre, other, laid_over) for other in laid_over]
    return [*own, *extra]


def second_colour(view: str) -> str:
    """Return the colour of B: neutral beside the colours of the classes, the accent beside the averages."""
    return theme.colour("primaryColor" if view == "macro" else "textColor")


def _every(scope: Scope, centre: DrawnCurve) -> list[DrawnCurve]:
    """Return the curves of all classes and the averages, the one in focus in the place of its own."""
    of, classes = scope.a.results, pair_names(scope)
    ink, size = theme.colour("textColor"), len(classes)
    styles = zip(classes, theme.class_colours(size), theme.class_dashes(size), strict=True)
    every = [
        replace(centre, dash=dash) if which == centre.which else DrawnCurve(str(which), name, of, which, colour, dash)
        for which, (name, colour, dash) in enumerate(styles)
    ]
    averages = [
        DrawnCurve("micro", "micro average", of, size, ink, _MICRO_DASH),
        DrawnCurve("macro", "macro average", of, size + 1, ink, _MACRO_DASH),
    ]
    return [*every, *averages]


def _laid(scope: Scope, centre: DrawnCurve, other: OverlaidResults, laid_over: Sequence[OverlaidResults]) -> DrawnCurve:
    classes = pair_names(scope)
    macro = centre.which >= len(classes)
    splits = list(dict.fromkeys(one.split for one in laid_over if one.split))
    dash = _SPLIT_DASHES[splits.index(other.split) % len(_SPLIT_DASHES)] if other.split else _SOLID
    colour = second_colour("macro" if macro else "class") if other.second else centre.colour
    title = _title(scope, "macro" if macro else classes[centre.which], other, laid_over)
    key = f"{LETTERS[other.second]}-{other.split}"
    return DrawnCurve(key, title, other.results, centre.which, colour, dash, strong=other.second and not other.split)


def _title(scope: Scope, name: str, other: OverlaidResults | None, laid_over: Sequence[OverlaidResults]) -> str:
    """Name a curve by its class, and where there are several of them by checkpoint and split."""
    parts = ["macro average" if name == "macro" else name]
    if scope.b is not None:
        parts.append(LETTERS[bool(other and other.second)])
    if any(one.split for one in laid_over):
        parts.append((other and other.split) or scope.a.selection.split)
    return ", ".join(parts)


@st.fragment
def show(scope: Scope) -> None:
    """Show the curves with their controls, the images that cross the threshold, and explanations."""
    state.follow()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = curve_kinds.KINDS[controls.segments("Curve", curve_kinds.TITLES, "curve")]
        view = controls.segments("Draw", VIEWS, "curves")
        laid_over = _laid_over(scope)
        near = controls.switch(
            "Zoom in", "corner", "Shows the corner where the curves are. Off: both axes from 0% to 100%.", default=True
        )
    left, right = st.columns([1, 2.4], gap="medium")
    with left, st.container(gap="small"):
        classes = scope.a.results.predictions.classes
        titles = dict(zip(classes, pair_names(scope), strict=True))
        picked = st.selectbox("Class", classes, format_func=titles.__getitem__, key="class", bind="query-params")
        chosen = classes.index(picked)
        value, before = threshold.choose(classes[chosen])
        _panel(scope, chosen, value)
    centre = focus(scope, view, chosen, laid_over)
    with right:
        _figure(scope, kind, view, centre, laid_over, near, value)
    _crossing(scope, chosen, before, value)
    _meaning(scope, chosen, value)


def _laid_over(scope: Scope) -> list[OverlaidResults]:
    """Let the user lay other splits over the one of the page; they are computed when they are asked for."""
    first, second = (split for split in SPLITS if split != scope.a.selection.split)
    options = {"none": "None", first: first.capitalize(), second: second.capitalize(), "both": "Both"}
    asked = controls.segments(
        "Other splits",
        options,
        "overlay",
        "Lays the same curve over that of other images."
        + (" A training curve far above the test curve means overfitting." if scope.own else ""),
    )
    splits = {"none": (), "both": (first, second)}.get(asked, (asked,))
    found, problems = other_curves(scope, splits)
    for problem in problems:
        st.info(markdown(problem))
    return found


def _figure(
    scope: Scope, kind: Kind, view: str, centre: DrawnCurve, laid_over: list[OverlaidResults], near: bool, value: float
) -> None:
    drawn = drawn_curves(scope, view, centre, laid_over)
    name = kind.name if view == "all" else f"{kind.name}-{view}"
    key = f"figure-{name}"
    size = curve_kinds.corner(kind, drawn) if near else WHOLE
    grip = _grip(scope, kind, view, centre, size, value)
    figure.figure(
        kind.chart(drawn, centre, size, grip),
        name=name,
        how_to_read=_how_to_read(scope, kind, centre, size) + _outside(kind, grip, size),
        table=lambda: kind.table(drawn),
        width="stretch",
        on_select=lambda: threshold.dragged(key),
    )


def _grip(scope: Scope, kind: Kind, view: str, centre: DrawnCurve, size: Size, value: float) -> Grip | None:
    """Return the point on the curve in focus; an average belongs to no single threshold."""
    per_class = scope.a.results.rankings.per_class
    if centre.which >= len(per_class) or not per_class[centre.which].defined:
        return None
    second = scope.b.results.rankings.per_class[centre.which] if scope.b else None
    others = [(second_colour(view), second)] if second and second.defined else []
    ranking, name = per_class[centre.which], scope.a.results.predictions.classes[centre.which]
    return threshold.grip(ranking, name, centre.colour, value, kind.frame(size), kind.place, others)


def _outside(kind: Kind, grip: Grip | None, size: Size) -> str:
    """Say that the point is not to be seen, where it is not."""
    if grip is None:
        return ""
    x, y = (getattr(grip.here, name) for name in kind.place)
    if visible(x, y, kind.frame(size)).all():
        return ""
    return " The point of this threshold lies outside of what is shown: turn *Zoom in* off to see it."


def _how_to_read(scope: Scope, kind: Kind, centre: DrawnCurve, size: Size) -> str:
    curve, names = centre.results.roc.every[centre.which], pair_names(scope)
    name = "the macro average" if curve is centre.results.roc.macro else names[centre.which]
    if kind is Roc:
        return read_roc(curve, name, sum(size) > 1)
    rate = curve_kinds.base_rate(centre.results, centre.which)
    own = centre.results.precision_recall.every[centre.which]
    return read_precision_recall(own, name, rate, rate > 1 - size[1])


def _panel(scope: Scope, chosen: int, value: float) -> None:
    """Show what the threshold means: in words, as two-by-two table, and the rates that follow."""
    from explorer.analysis.evaluation.thresholds import elements_at

    true = true_names(scope)[chosen]
    element = elements_at(scope.a.results.predictions, chosen, value)
    st.html(threshold.html(element, true))
    st.caption(at_threshold(replace(element, name=true), value, "A: " if scope.b else ""))
    if scope.b:
        other = elements_at(scope.b.results.predictions, chosen, value)
        st.caption(at_threshold(replace(other, name=true), value, "B: "))
    ranking = scope.a.results.rankings.per_class[chosen]
    if not ranking.defined:
        st.info(undefined(true, ranking.positives, ranking.negatives))


def _crossing(scope: Scope, chosen: int, before: float, value: float) -> None:
    """Show the images that change sides when the threshold moves from its last place to this one."""
    from explorer.analysis.evaluation.thresholds import crossing
    from explorer.ui.evaluate import images

    name = scope.a.results.predictions.classes[chosen]
    rows = crossing(scope.a.results.predictions, chosen, before, value)
    heading = "Images that cross the threshold"
    if len(rows):
        heading = f"{heading}: {crossed(name, before, value, len(rows))}"
    images.show(scope, rows, key="crossing", heading=heading, empty=nothing_crossed(name, before, value))


def _meaning(scope: Scope, chosen: int, value: float) -> None:
    """Explain areas and averages, and the one kind of curve against the other."""
    from explorer.analysis.evaluation.thresholds import elements_at

    results, names = scope.a.results, true_names(scope)
    areas, curves = results.areas, results.roc
    element = elements_at(results.predictions, chosen, value)
    paragraphs = [
        area(curves.per_class[chosen], names[chosen], areas.per_class[chosen], element.name),
        many_curves(curves, areas.macro, areas.micro, pair_names(scope)),
        roc_against_precision(element, value, names[chosen]),
    ]
    for column, paragraph in zip(st.columns(3, gap="medium"), paragraphs, strict=True):
        if paragraph:
            column.markdown(f":small[{paragraph}]")


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
        f"**AUC of {name}: {numbers.area(curve.auc)}{_interval(interval)}.** It is the probability that a random "
        f"positive outranks a random negative: that an image of {name} gets a higher probability for {called} than an "
        f"image of another class. Here that happens in {numbers.of_many(curve.auc)} such pairs (ties count half); "
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
        f"class is set against the rest. Macro, {numbers.area(curves.macro.auc)}{_interval(macro)}, is their "
        f"mean{left_out}; micro, {numbers.area(curves.micro.auc)}{_interval(micro)}, pools all yes-or-no answers. The "
        f"hardest class is {markdown(worst)} with {numbers.area(lowest)}. Class intervals are DeLong's; those "
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
    text = numbers.area_interval(*interval)
    return f" (95% interval {text})" if text else ""
