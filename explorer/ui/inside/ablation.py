"""Units switched off: what each class loses, which pairs break, and which unit matters most."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui.charts import ablation as charts
from explorer.ui.inside import choices, results
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import address, controls, figure, messages
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.numbers import count, many, percent
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.inside.steps import LayerCall

UNITS, LAYER, SAMPLE = "off", "layer", "ablated-images"
FIRST, NONE = "0", "none"
"""What is switched off to begin with, so that there is something to see; and what the URL has for nothing."""
PAIRS, NAMED = 8, 3
"""Pairs of classes and units that are listed by name."""
NO_UNITS = (
    "This network has no hidden units: its outputs are sums over the pixels. Choose a network with a hidden layer or a "
    "convolution to switch some off."
)


@section
def show(subject: InspectedModel) -> None:
    """Let the user switch units off, and show what follows."""
    from explorer.analysis.inside.steps import hidden

    left, right = controls.columns()
    known = results.steps(subject)
    offered = hidden(known)
    if not offered:
        st.info(NO_UNITS)
        return
    with left, messages.shown():
        step = choices.units_of(known, offered)
        units = _units(step)
        size = choices.size(subject, SAMPLE, whole=True)
        asked = _turn_button(step, size)
        with right:
            if units:
                _effect(subject, size, step, units)
            else:
                st.info("Choose what to switch off: one map or unit, or several. Here you see what is lost by it.")
            _turns(subject, size, step, asked, units)


def _units(step: "LayerCall") -> tuple[int, ...]:
    """Let the user choose units; the URL lists them with commas."""
    what = "maps" if step.has_maps else "units"
    slot = f"{UNITS}-{step.key}"
    if slot not in st.session_state or address.is_new(UNITS):
        asked = address.listed(address.asked(UNITS) or FIRST)
        st.session_state[slot] = sorted(int(name) for name in asked if address.is_row(name, step.units))
    chosen = st.multiselect(
        f"Switch off {what}, 0 to {count(step.units - 1)}",
        range(step.units),
        key=slot,
        placeholder="None is switched off",
        select_all=False,
        help="Their output is set to zero, for every image and at every place.",
    )
    units = tuple(sorted(int(unit) for unit in chosen))
    address.keep({UNITS: address.joined(units) or NONE}, {UNITS: FIRST})
    return units


def _effect(subject: InspectedModel, size: int, step: "LayerCall", units: tuple[int, ...]) -> None:
    found = results.ablation(subject, size, step.key, units)
    before, after = found.before.accuracy, found.after.accuracy
    images = many(found.before.n, f"{subject.selection.split} image")
    figure.numbers(
        [
            ("Accuracy before", percent(before), f"Of {images}, with all units."),
            ("Accuracy after", percent(after), f"Of the same images, with {_named(step, units)} at zero."),
            ("Right before, wrong now", count(len(found.changed)), "Images that are no longer classified correctly."),
        ]
    )
    columns = st.columns([1.15, 1], gap="small")
    change = found.recall[1] - found.recall[0]
    with columns[0]:
        worst = int(np.nanargmin(change))
        name = markdown(subject.classes[worst])
        was, now = (float(one[worst]) for one in found.recall)
        lost = f"{name} loses most: {percent(was)} of its images were found before, {percent(now)} now."
        lost = lost if now < was else "No class loses anything."
        figure.figure(
            charts.recall_before_and_after(found, f"Recall without {_named(step, units)}"),
            name="ablated-recall",
            how_to_read=f"Circle: with all units; diamond: without. {lost}",
            table=lambda: charts.recall_table(found),
        )
    with columns[1]:
        pairs = found.broken(PAIRS)
        if not pairs:
            st.success("No pair of classes is confused more often than before.")
            return
        first = pairs[0]
        true, said = (markdown(subject.classes[one]) for one in (first.true, first.predicted))
        figure.figure(
            charts.broken_pairs(pairs, subject.classes),
            name="broken-pairs",
            how_to_read=f"Taken for {said} now: {many(first.after, 'image')} of {true}; before, {count(first.before)}.",
            table=lambda: charts.broken_table(pairs, subject.classes),
        )


def _named(step: "LayerCall", units: tuple[int, ...]) -> str:
    what = "map" if step.has_maps else "unit"
    if len(units) == 1:
        return f"{what} {units[0]}"
    shown = ", ".join(map(str, units[:NAMED]))
    return f"{what}s {shown}" + (f" and {count(len(units) - NAMED)} more" if len(units) > NAMED else "")


def _turn_button(step: "LayerCall", size: int) -> bool:
    """Offer to switch each unit off in turn, where there are not too many."""
    from explorer.analysis.inside.ablation import MOST_UNITS

    possible = step.units <= MOST_UNITS
    asked = st.button(
        "Which one matters most?",
        key="inside-turns",
        icon=":material/troubleshoot:",
        disabled=not possible,
        help=f"Switches each of the {count(step.units)} off alone and predicts {many(size, 'image')} without it.",
    )
    if not possible:
        st.caption(f"One after the other is for layers of at most {MOST_UNITS}; this one has {count(step.units)}.")
    return bool(asked)


def _turns(subject: InspectedModel, size: int, step: "LayerCall", asked: bool, units: tuple[int, ...]) -> None:
    """Show which unit matters most, once it was asked for."""
    key = (subject.checkpoint.digest, subject.images_key, size, step.key)
    found = results.kept("turns", key)
    if found is None and asked:
        found = results.keep("turns", key, lambda: _compute(subject, size, step))
    if not isinstance(found, tuple):
        return
    whole, accuracies, n = found
    order = np.argsort(accuracies, kind="stable")
    worst, harmless = int(order[0]), sum(accuracy >= whole for accuracy in accuracies)
    what = "map" if step.has_maps else "unit"
    figure.figure(
        charts.importance(accuracies, whole, f"Accuracy lost without each {what} of {step.label}", units),
        name="importance",
        how_to_read=f"Of {many(n, 'image')}, {percent(whole)} are right with all {what}s. Without {what} {worst} it is "
        f"{percent(accuracies[worst])}; {count(harmless)} of {count(len(accuracies))} can go without any loss here. "
        "Each is switched off alone, so two that do the same work both look harmless.",
        table=lambda: charts.importance_table(accuracies, whole),
    )


def _compute(subject: InspectedModel, size: int, step: "LayerCall") -> tuple[float, list[float], int]:
    """Switch each unit off in turn; a rerun, as by the button that stops, ends the work."""
    from explorer.analysis.inside.ablation import one_by_one

    before = results.predictions(subject, size)
    part, _ = results.sample(subject.images_key, size)
    place: DeltaGenerator = st.empty()
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text="Switching off one after the other …")
        st.button("Stop", key="inside-stop-turns")
    accuracies: list[float] = []
    model = classifier(subject.checkpoint)
    work = one_by_one(model, part, step.key)
    while len(accuracies) < step.units:
        with computing():  # for each unit anew, so that others get their turn
            _, predicted = next(work)
        accuracies.append(float((predicted == part.labels).mean()))
        done = len(accuracies)
        bar.progress(done / step.units, text=f"{done} of {step.units} switched off")
    place.empty()
    return before.accuracy, accuracies, before.n
