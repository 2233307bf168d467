"""Tuning a copy of the model on the user's drawings, and what it has forgotten by that."""

import streamlit as st

from explorer.data.own_set import OwnSet
from explorer.data.own_set_export import FEWEST, TEST, VALIDATION
from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.store.runs import ACTIVE
from explorer.store.summaries import Summary
from explorer.studies import tuning as study
from explorer.studies.tuning import Change, Forgetting
from explorer.ui import background, formats, state
from explorer.ui.draw import own
from explorer.ui.draw.models import short
from explorer.ui.draw.sight import Scene
from explorer.ui.loaded import computing
from explorer.ui.text import markdown, shorten

POLL_SECONDS = 1.5
SHOWN = 3
_REHEARSE = "collect-rehearse"


def show(scene: Scene, chosen: OwnSet) -> None:
    """Offer to train a copy of the model on the drawings, and show what came of it."""
    st.markdown("**Train a copy of the model on your drawings**")
    n = len(own.read(chosen).labels)
    name = markdown(short(scene.models[0], scene.dataset))
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.button(
            f"Fine-tune a copy of {name}",
            icon=":material/model_training:",
            key="collect-tune",
            disabled=n < FEWEST,
            on_click=_start,
            args=(scene, chosen),
        )
        rehearse = st.toggle(
            f"With {formats.count(study.REHEARSED)} old images",
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


def _start(scene: Scene, chosen: OwnSet) -> None:
    from explorer.training import supervisor

    model = scene.models[0]
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


def _metric(label: str, change: Change) -> None:
    before, after = change.before / change.n, change.after / change.n
    st.metric(
        f"{label} ({formats.count(change.n)})",
        f"{formats.percent(before)} → {formats.percent(after)}",
        f"{formats.points(before, after):+.1f} points",
        delta_color="normal" if change.after != change.before else "off",
        width="content",
    )


def words(result: Forgetting) -> str:
    """Say what the figures mean; Markdown without names."""
    original, drawings = result.original, result.drawings
    lost = original.before - original.after
    points = abs(formats.points(original.before / original.n, original.after / original.n))
    if lost > 0 and result.rehearsed:
        text = (
            f"**How to read this.** The copy has forgotten {points:.1f} points of what it knew, although "
            f"{formats.count(result.rehearsed)} original images were mixed in (rehearsal). Without "
            "them it usually forgets more: try it."
        )
    elif lost > 0:
        text = (
            f"**How to read this.** By learning your drawings the copy has forgotten {points:.1f} points of what it "
            "knew: trained on new images alone, a network overwrites its weights without regard to the old ones "
            "(catastrophic forgetting). Mix in old images to see how much of it comes back."
        )
    else:
        more = f"on {formats.count(-lost)} more" if lost else "on no fewer"
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
