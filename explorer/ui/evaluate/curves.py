"""ROC and precision-recall: the curves, a threshold on one of them, and what they mean."""

from dataclasses import replace

import streamlit as st

from explorer.data.splits import SPLITS
from explorer.ui import controls, state, widgets
from explorer.ui.charts.class_curves import WHOLE, Grip, Size, visible
from explorer.ui.evaluate import curve_choice, curve_kinds, curve_words, threshold, two_by_two
from explorer.ui.evaluate.curve_choice import VIEWS, Other
from explorer.ui.evaluate.curve_kinds import Kind, Roc, Series
from explorer.ui.evaluate.names import pair_names, true_names
from explorer.ui.evaluate.scope import Scope
from explorer.ui.text import markdown


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
    centre = curve_choice.focus(scope, view, chosen, laid_over)
    with right:
        _figure(scope, kind, view, centre, laid_over, near, value)
    _crossing(scope, chosen, before, value)
    _meaning(scope, chosen, value)


def _laid_over(scope: Scope) -> list[Other]:
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
    found, problems = curve_choice.others(scope, splits)
    for problem in problems:
        st.info(markdown(problem))
    return found


def _figure(
    scope: Scope, kind: Kind, view: str, centre: Series, laid_over: list[Other], near: bool, value: float
) -> None:
    drawn = curve_choice.drawn(scope, view, centre, laid_over)
    name = kind.name if view == "all" else f"{kind.name}-{view}"
    key = f"figure-{name}"
    size = curve_kinds.corner(kind, drawn) if near else WHOLE
    grip = _grip(scope, kind, view, centre, size, value)
    widgets.figure(
        kind.chart(drawn, centre, size, grip),
        name=name,
        how_to_read=_how_to_read(scope, kind, centre, size) + _outside(kind, grip, size),
        table=lambda: kind.table(drawn),
        width="stretch",
        on_select=lambda: threshold.dragged(key),
    )


def _grip(scope: Scope, kind: Kind, view: str, centre: Series, size: Size, value: float) -> Grip | None:
    """Return the point on the curve in focus; an average belongs to no single threshold."""
    per_class = scope.a.results.rankings.per_class
    if centre.which >= len(per_class) or not per_class[centre.which].defined:
        return None
    second = scope.b.results.rankings.per_class[centre.which] if scope.b else None
    others = [(curve_choice.second_colour(view), second)] if second and second.defined else []
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


def _how_to_read(scope: Scope, kind: Kind, centre: Series, size: Size) -> str:
    curve, names = centre.results.roc.every[centre.which], pair_names(scope)
    name = "the macro average" if curve is centre.results.roc.macro else names[centre.which]
    if kind is Roc:
        return curve_words.read_roc(curve, name, sum(size) > 1)
    rate = curve_kinds.base_rate(centre.results, centre.which)
    own = centre.results.precision_recall.every[centre.which]
    return curve_words.read_precision_recall(own, name, rate, rate > 1 - size[1])


def _panel(scope: Scope, chosen: int, value: float) -> None:
    """Show what the threshold means: in words, as two-by-two table, and the rates that follow."""
    from explorer.analysis.thresholds import elements_at

    true = true_names(scope)[chosen]
    element = elements_at(scope.a.results.predictions, chosen, value)
    st.html(two_by_two.html(element, true))
    st.caption(curve_words.at_threshold(replace(element, name=true), value, "A: " if scope.b else ""))
    if scope.b:
        other = elements_at(scope.b.results.predictions, chosen, value)
        st.caption(curve_words.at_threshold(replace(other, name=true), value, "B: "))
    ranking = scope.a.results.rankings.per_class[chosen]
    if not ranking.defined:
        st.info(curve_words.undefined(true, ranking.positives, ranking.negatives))


def _crossing(scope: Scope, chosen: int, before: float, value: float) -> None:
    """Show the images that change sides when the threshold moves from its last place to this one."""
    from explorer.analysis.thresholds import crossing
    from explorer.ui.evaluate import images

    name = scope.a.results.predictions.classes[chosen]
    rows = crossing(scope.a.results.predictions, chosen, before, value)
    heading = "Images that cross the threshold"
    if len(rows):
        heading = f"{heading}: {curve_words.crossed(name, before, value, len(rows))}"
    images.show(scope, rows, key="crossing", heading=heading, empty=curve_words.nothing_crossed(name, before, value))


def _meaning(scope: Scope, chosen: int, value: float) -> None:
    """Explain areas and averages, and the one kind of curve against the other."""
    from explorer.analysis.thresholds import elements_at

    results, names = scope.a.results, true_names(scope)
    areas, curves = results.areas, results.roc
    element = elements_at(results.predictions, chosen, value)
    paragraphs = [
        curve_words.area(curves.per_class[chosen], names[chosen], areas.per_class[chosen], element.name),
        curve_words.many_curves(curves, areas.macro, areas.micro, pair_names(scope)),
        curve_words.roc_against_precision(element, value, names[chosen]),
    ]
    for column, paragraph in zip(st.columns(3, gap="medium"), paragraphs, strict=True):
        if paragraph:
            column.markdown(f":small[{paragraph}]")
