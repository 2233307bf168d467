"""What is judged: the checkpoint of the sidebar, alone or beside a second one, on its own data set or another."""

from contextlib import suppress
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data import catalog
from explorer.errors import DataError, ExplorerError
from explorer.ui import address, cache, formats, listing, messages, runs_words, state
from explorer.ui.evaluate import choice_words, export, results, second
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.listing import Entry
from explorer.ui.state import Selection
from explorer.ui.text import markdown, shorten

ON = "on"
"""URL parameter: the data set that is judged, where it is another than the checkpoint's own."""
OWN = ""


def scope(place: DeltaGenerator) -> Scope:
    """Show what is judged with the ways to change it, and return it; or stop and say what to do.

    Parameters
    ----------
    place : DeltaGenerator
        Where that is shown: a container that flows from left to right.

    Raises
    ------
    ExplorerError
        The checkpoint of the sidebar cannot be used.
    """
    chosen = state.selection()
    if chosen.checkpoint is None:
        messages.no_checkpoint()
    known = listing.load()
    entry = known.get(chosen.checkpoint)
    with place:
        said = st.container(width="content")
        dataset = _dataset(chosen.dataset)
        with_b = second.choose(known, chosen)
        menu = st.container(width="content")
    chosen = replace(chosen, dataset=dataset)
    _fit(chosen)
    a = _judged(chosen, entry)
    b = _second(a, with_b)
    found = Scope(a, b, _foreign(entry, dataset), own=entry is not None and entry.dataset == dataset)
    with said:
        st.markdown(_said(found))
    with menu:
        export.menu(found)
    if notice := choice_words.matched(found.a.results.predictions.classes, dataset, found.foreign):
        st.info(notice, icon=":material/swap_horiz:")
    return found


def _dataset(own: str) -> str:
    """Let the user choose the data set that is judged: the checkpoint's own, another one, or drawings of the user's."""
    others = [name for name in (*catalog.names(), *_drawn()) if name != own]
    if not others:
        return own
    unknown = address.adopt(ON, [OWN, *others], OWN)
    current = st.session_state[ON] or own
    with st.popover(f"of {markdown(catalog.get(current).title)}", icon=":material/dataset:", key="judge-on"):
        st.selectbox(
            "Judge on the images of",
            [OWN, *others],
            format_func=lambda name: catalog.get(name).title if name else f"{catalog.get(own).title} (its own)",
            key=ON,
            on_change=address.touched,
            args=(ON,),
        )
        st.caption(
            "The network stays as it is; only the images are others. On a set that it was not trained on you see what "
            "it makes of things for which it has no class."
        )
    address.keep({ON: st.session_state[ON]}, {ON: OWN})
    if unknown not in (None, own):
        st.warning(f"There is no data set “{markdown(shorten(str(unknown)))}” here; this one is judged instead.")
    return str(st.session_state[ON] or own)


def _fit(chosen: Selection) -> None:
    """Stop where the checkpoint has too few classes for the data set, and offer the sets that fit."""
    try:
        classes = len(cache.checkpoint(chosen).classes)
    except ExplorerError:
        return  # of an epoch without weights there may be predictions; whatever else is wrong is said with them
    if classes >= len(catalog.get(chosen.dataset).classes):
        return
    fitting = [name for name in catalog.names() if len(catalog.get(name).classes) == classes]
    st.error(choice_words.misfit(classes, chosen.dataset, bool(fitting)), icon=":material/error:")
    own = state.selection().dataset
    with st.container(horizontal=True):
        for name in fitting:
            st.button(
                f"Judge on {markdown(catalog.get(name).title)}",
                key=f"judge-on-{name}",
                on_click=_judge_on,
                args=(OWN if name == own else name,),
            )
    st.stop()


def _judge_on(value: str) -> None:
    st.session_state[ON] = value
    address.touched(ON)


def _foreign(entry: Entry | None, dataset: str) -> str | None:
    """Return the title of the set that a checkpoint was trained on, where the images are of another."""
    own = entry.dataset if entry else None
    if own is None or catalog.base(own) == catalog.base(dataset):
        return None
    return runs_words.dataset(own)


def _drawn() -> list[str]:
    """Return the published sets of drawings that can be read."""
    found = []
    for name in catalog.own_names():
        with suppress(DataError):
            found.append(catalog.get(name).name)
    return found


def _judged(selection: Selection, entry: Entry | None) -> Judged:
    title = entry.title if entry else str(selection.checkpoint)
    name = title if selection.epoch is None else f"{title}, epoch {selection.epoch}"
    return Judged(selection, name, results.of(cache.predictions(selection)))


def _second(a: Judged, choice: tuple[Entry, int | None] | None) -> Judged | None:
    """Return the second checkpoint on the same images; None, with what is wrong, where it cannot be compared."""
    if choice is None:
        return None
    from explorer.analysis.comparison import Comparison

    entry, epoch = choice
    try:
        b = _judged(replace(a.selection, checkpoint=entry.reference, epoch=epoch), entry)
        Comparison.from_predictions(a.results.predictions, b.results.predictions)
    except ExplorerError as error:
        said = f"The second model, {entry.title}, is left out. {error}"
        st.warning(markdown(said), icon=":material/compare_arrows:")
        return None
    return b


def _said(found: Scope) -> str:
    name = markdown(shorten(found.a.name, 34))
    images = formats.many(found.a.results.predictions.n, f"{found.a.selection.split} image")
    return f"{'A: ' if found.b else ''}**{name}** :small[on {images}]"
