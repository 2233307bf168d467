"""What has been collected: the drawings, what the model says of them, and what can be done with them."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from explorer.data.own import export, sets
from explorer.data.own.export import FEWEST, TEST, VALIDATION, Download
from explorer.data.own.sets import OwnSet
from explorer.data.preparation.steps import Grey
from explorer.errors import ExplorerError
from explorer.experiments import fine_tuning as study
from explorer.experiments.fine_tuning import CorrectBeforeAfter, Forgetting
from explorer.store import runs
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.ui import charts
from explorer.ui.draw import own
from explorer.ui.draw.predictions import CanvasPredictions, DrawChoices, short
from explorer.ui.kit import background, explanations, figure, messages, numbers, state
from explorer.ui.kit.models import computing
from explorer.ui.kit.text import markdown, shorten, with_article
from explorer.ui.kit.tiles import Note, Tile, tiles

PAGE = 24
_PICKED = "collect:picked"
_MATRIX = "collect-matrix"
_WHICH = "collect-page"


def show(choices: DrawChoices) -> None:
    """Show the chosen set, in a part of the page that a stroke does not renew."""
    with messages.shown():
        own.show_said()
        number = st.session_state.get(own.SET, "")
        if not number:
            st.info(
                "Nothing is kept yet. Draw something, say what it is and press Keep it: your drawings will stand "
                "here, to be exported, judged and trained on."
            )
            return
        chosen = sets.get(number)
        if not len(own.read(chosen).labels):
            st.info(f"{markdown(chosen.name)} is empty. Draw something, say what it is and press Keep it.")
            return
        _judge(choices, chosen)
        _gallery(choices, chosen)
        show_tuning(choices, chosen)


def _judge(choices: DrawChoices, chosen: OwnSet) -> None:
    """Say how good the model is on the drawings, and offer the files."""
    from explorer.analysis.evaluation.confusion import ConfusionMatrix

    matrix = ConfusionMatrix.from_predictions(own.predictions(choices.models[0], chosen))
    right = int(matrix.counts.trace())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.metric("Drawings", numbers.count(matrix.n), width="content")
        st.metric(
            f"Accuracy of {short(choices.models[0], choices.dataset)}",
            numbers.percent(right / matrix.n),
            help=f"{explanations.accuracy(matrix)} With so few images the true share lies, with 95% confidence, "
            "anywhere in the interval beside it (Wilson).",
            width="content",
        )
        st.metric("95% interval", explanations.interval(matrix), width="content")
        st.toggle("Confusion matrix", key=_MATRIX)
        _exports(chosen)
        st.button(
            "Judge on Evaluate",
            icon=":material/query_stats:",
            key="collect-evaluate",
            disabled=matrix.n < FEWEST,
            help=f"Freezes the drawings as a data set, with {TEST:.0%} held out for testing; {FEWEST} are needed. "
            "All that Evaluate shows of a data set, it then shows of your drawings.",
            on_click=_evaluate,
            args=(chosen,),
        )
    if st.session_state[_MATRIX]:
        figure.figure(
            charts.confusion_matrix(matrix),
            name="own-confusion-matrix",
            how_to_read=explanations.confusion(matrix, "Counts"),
            table=lambda: charts.confusion_table(matrix, "Counts"),
            width=620,
        )


def _evaluate(chosen: OwnSet) -> None:
    try:
        state.go("evaluate", on=export.publish(chosen))
    except ExplorerError as error:
        own.say(str(error), problem=True)


def _exports(chosen: OwnSet) -> None:
    with st.popover("Export", icon=":material/download:", key="collect-export"), st.container(gap="xxsmall"):
        _download("PNG pictures (zip)", export.to_png, chosen, "-png.zip")
        _download("IDX, as MNIST (zip)", export.to_idx, chosen, "-idx.zip")
        _download("NumPy arrays (npz)", export.to_npz, chosen, ".npz")


def _download(label: str, make: Callable[[OwnSet], Download], chosen: OwnSet, ending: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in chosen.name.lower())[:40]
    st.download_button(
        label,
        lambda: make(chosen).content,
        f"{stem.strip('-') or 'drawings'}{ending}",
        key=f"collect-export-{ending}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


@st.fragment
def _gallery(choices: DrawChoices, chosen: OwnSet) -> None:
    """Show the drawings, the newest first; a click chooses one, to be deleted."""
    drawings, found = own.read(chosen), own.predictions(choices.models[0], chosen)
    order = np.arange(len(drawings.labels))[::-1]
    pages = -(-len(order) // PAGE)
    page = int(st.number_input(f"Page of {pages}", 1, pages, key=_WHICH, width=140)) if pages > 1 else 1
    items = []
    for row in order[(page - 1) * PAGE : page * PAGE].tolist():
        said = f"{found.classes[found.predicted[row]]} {numbers.percent(float(found.confidence[row]))}"
        title = choices.classes[drawings.labels[row]]
        items.append(Tile(int(drawings.ids[row]), drawings.images[row], title, (Note(said, bool(found.correct[row])),)))
    picked = st.session_state.get(_PICKED)
    tiles("collected", items, selected=picked, on_pick=_pick)
    place = np.flatnonzero(drawings.ids == picked) if picked is not None else np.empty(0)
    if not len(place):
        st.caption("Below each drawing what you called it, and what the model says. Click one to delete it.")
        return
    name = choices.classes[drawings.labels[int(place[0])]]
    label = f"Delete this {markdown(name)}"
    if st.button(label, icon=":material/delete:", key="collect-delete", on_click=_delete, args=(chosen, picked, name)):
        st.rerun()


def _pick(number: int) -> None:
    st.session_state[_PICKED] = number


def _delete(chosen: OwnSet, number: int, name: str) -> None:
    try:
        own.note(chosen, chosen.delete(number), f"a drawing of {name} was deleted")
        own.say(f"Deleted one {name}. Undo brings it back.")
    except ExplorerError as error:
        own.say(str(error), problem=True)
    st.session_state.pop(_PICKED, None)


_LABEL = "collect-label"


def show_collect(choices: DrawChoices, seen: CanvasPredictions | None) -> None:
    """Offer to keep the drawing; what is kept stands below, where a stroke does not renew it."""
    which, more, label, keep = st.columns([1.4, 0.9, 1.4, 1.3], gap="small", vertical_alignment="bottom")
    with which:
        chosen = own.choose(choices.dataset)
    with more:
        own.begin_another(choices.dataset)
    with label:
        right = st.selectbox(
            "That was wrong, it is" if _is_wrong(choices, seen) else "It is",
            range(len(choices.classes)),
            index=choices.target,
            format_func=lambda number: with_article(choices.classes[number]),
            placeholder="Say what it is",
            key=f"{_LABEL}-{choices.target}",
        )
    with keep:
        st.button(
            "Keep it",
            icon=":material/save:",
            type="primary",
            width="stretch",
            key="collect-keep",
            disabled=seen is None,
            on_click=_keep,
            args=(choices, chosen, None if seen is None else seen.image, right),
            help="The 28 × 28 pixels that the model sees go into your set, with this label.",
        )


def _is_wrong(choices: DrawChoices, seen: CanvasPredictions | None) -> bool:
    return seen is not None and choices.target is not None and seen.first.predicted != choices.target


def _keep(choices: DrawChoices, chosen: OwnSet | None, image: Grey | None, label: int | None) -> None:
    if image is None:
        return
    if label is None:
        own.say("Say first what it is.", problem=True)
        return
    try:
        chosen = chosen or sets.for_dataset(choices.dataset, own.FIRST)
        change = chosen.add(image, label)
    except ExplorerError as error:
        own.say(str(error), problem=True)
        return
    name = choices.classes[label]
    own.note(chosen, change, f"a drawing of {name} was kept")
    own.say(f"Kept as {name} in {chosen.name}.")


POLL_SECONDS = 1.5
SHOWN = 3
_REHEARSE = "collect-rehearse"


def show_tuning(choices: DrawChoices, chosen: OwnSet) -> None:
    """Offer to train a copy of the model on the drawings, and show what came of it."""
    st.markdown("**Train a copy of the model on your drawings**")
    n = len(own.read(chosen).labels)
    name = markdown(short(choices.models[0], choices.dataset))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            f"Fine-tune a copy of {name}",
            icon=":material/model_training:",
            key="collect-tune",
            disabled=n < FEWEST,
            on_click=_start,
            args=(choices, chosen),
        )
        rehearse = st.toggle(
            f"With {numbers.count(study.REHEARSED)} old images",
            key=_REHEARSE,
            help="Mixes original training images with your drawings (rehearsal), so that the copy forgets less. Try it "
            "without first, then with, and compare.",
        )
        if n < FEWEST:
            st.caption(f"{FEWEST} drawings are needed; {n} {'is' if n == 1 else 'are'} kept.", width="stretch")
        else:
            st.caption(
                f"{study.EPOCHS} epochs on these drawings{'' if rehearse else ' alone'}, less {TEST:.0%} that are held "
                f"out to test it and {VALIDATION:.0%} to choose the best epoch. The model itself stays as it is.",
                width="stretch",
            )
    found = study.tuned_on(chosen)
    if found:
        _results(found[:SHOWN])


def _start(choices: DrawChoices, chosen: OwnSet) -> None:
    from explorer.training.queue import supervisor

    model = choices.models[0]
    try:
        rehearsed = study.REHEARSED if st.session_state.get(_REHEARSE) else 0
        made = study.create(chosen, model.reference, model.checkpoint, rehearsed=rehearsed)
        supervisor.submit(made)
        own.say("The copy is in the queue.")
    except ExplorerError as error:
        own.say(str(error), problem=True)


def _results(found: tuple[Summary, ...]) -> None:
    """Show the runs; as long as something is going on, look again and again."""
    going = any(_is_going(run) for run in found)
    st.fragment(_table, run_every=POLL_SECONDS if going else None)(tuple(run.id for run in found), going)


def _is_going(run: Summary) -> bool:
    return run.status.state in ACTIVE or (run.status.state == "finished" and not _job(run.id).is_over)


def _table(ids: tuple[str, ...], going: bool) -> None:
    state.follow()
    found = [run for run in map(_summary, ids) if run is not None]
    if going and not any(_is_going(run) for run in found):
        st.rerun()
    for run in found:
        with st.container(border=True):
            _one(run)


def _one(run: Summary) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"**{markdown(shorten(run.name, 90))}**", width="stretch")
        st.button("Watch it on the page Train", key=f"tuned-{run.id}", type="tertiary", on_click=_watch, args=(run.id,))
    status = run.status
    if status.state in ACTIVE:
        st.progress(status.progress, f"{status.state.capitalize()}: epoch {status.epoch} of {status.epochs}")
    elif status.state != "finished":
        st.caption(markdown(status.message) or f"It is {status.state}.")
    else:
        _compare(run)


def _watch(number: str) -> None:
    state.go("train", run=number)


def _compare(run: Summary) -> None:
    job = _job(run.id)
    if isinstance(job.result, Forgetting):
        result = job.result
        with st.container(horizontal=True, gap="large"):
            _metric("Original test images", result.original)
            _metric("Your held-out drawings", result.drawings)
        st.caption(words(result))
    elif job.problem:
        st.caption(markdown(job.problem))
    else:
        st.caption("Both models now look at all original test images, to see what was forgotten …")


def _metric(label: str, change: CorrectBeforeAfter) -> None:
    before, after = change.before / change.n, change.after / change.n
    st.metric(
        f"{label} ({numbers.count(change.n)})",
        f"{numbers.percent(before)} → {numbers.percent(after)}",
        f"{numbers.points(before, after):+.1f} points",
        delta_color="normal" if change.after != change.before else "off",
        width="content",
    )


def words(result: Forgetting) -> str:
    """Say what the figures mean; Markdown without names."""
    original, drawings = result.original, result.drawings
    lost = original.before - original.after
    points = abs(numbers.points(original.before / original.n, original.after / original.n))
    if lost > 0 and result.rehearsed:
        text = (
            f"**How to read this.** The copy has forgotten {points:.1f} points of what it knew, although "
            f"{numbers.count(result.rehearsed)} original images were mixed in (rehearsal). Without "
            "them it usually forgets more: try it."
        )
    elif lost > 0:
        text = (
            f"**How to read this.** By learning your drawings the copy has forgotten {points:.1f} points of what it "
            "knew: trained on new images alone, a network overwrites its weights without regard to the old ones "
            "(catastrophic forgetting). Mix in old images to see how much of it comes back."
        )
    else:
        more = f"on {numbers.count(-lost)} more" if lost else "on no fewer"
        text = (
            f"**How to read this.** The copy is right {more} of the original test images than before: on the whole it "
            "has forgotten nothing."
        )
    if drawings.n < 30:
        text += f" {drawings.n} held-out drawings are few: each one counts {100 / drawings.n:.1f} points."
    return text


def _job(number: str) -> background.Job:
    return background.job(("forgetting", number), lambda: study.forgetting(runs.get(number), computing))


def _summary(number: str) -> Summary | None:
    from explorer.store import summaries

    try:
        return summaries.summarise(runs.get(number))
    except ExplorerError:
        return None
