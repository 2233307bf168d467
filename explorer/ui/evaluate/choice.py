"""What is judged, by one checkpoint or two and on which data set; and the evaluation as files."""

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.data import catalog
from explorer.errors import DataError, ExplorerError, RunError
from explorer.ui.evaluate import scope as evaluate_scope
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.kit import address, cache, checkpoints, messages, numbers, run_text, state
from explorer.ui.kit.checkpoints import Entry, Listing
from explorer.ui.kit.numbers import percent
from explorer.ui.kit.state import Selection
from explorer.ui.kit.text import markdown, shorten

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
    known = checkpoints.load()
    entry = known.get(chosen.checkpoint)
    with place:
        said = st.container(width="content")
        dataset = _dataset(chosen.dataset)
        with_b = choose(known, chosen)
        menu = st.container(width="content")
    chosen = replace(chosen, dataset=dataset)
    _fit(chosen)
    a = _judged(chosen, entry)
    b = _second(a, with_b)
    found = Scope(a, b, _foreign(entry, dataset), own=entry is not None and entry.dataset == dataset)
    with said:
        st.markdown(_said(found))
    with menu:
        export_menu(found)
    if notice := matched(found.a.results.predictions.classes, dataset, found.foreign):
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
    st.error(misfit(classes, chosen.dataset, bool(fitting)), icon=":material/error:")
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
    address.put(ON, value)


def _foreign(entry: Entry | None, dataset: str) -> str | None:
    """Return the title of the set that a checkpoint was trained on, where the images are of another."""
    own = entry.dataset if entry else None
    if own is None or catalog.base(own) == catalog.base(dataset):
        return None
    return run_text.dataset(own)


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
    return Judged(selection, name, evaluate_scope.of(cache.predictions(selection)))


def _second(a: Judged, choice: tuple[Entry, int | None] | None) -> Judged | None:
    """Return the second checkpoint on the same images; None, with what is wrong, where it cannot be compared."""
    if choice is None:
        return None
    from explorer.analysis.evaluation.comparison import Comparison

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
    images = numbers.many(found.a.results.predictions.n, f"{found.a.selection.split} image")
    return f"{'A: ' if found.b else ''}**{name}** :small[on {images}]"


LISTED = 10
"""So many classes are named at most."""


def matched(classes: Sequence[str], dataset: str, foreign: str | None) -> str:
    """Say how the labels of the images were matched with the classes of the checkpoint.

    Parameters
    ----------
    classes : sequence of str
        Of the checkpoint, at least as many as the data set has.
    dataset : str
        Name of the set that is judged.
    foreign : str or None
        Title of the set that the checkpoint was trained on, where that is another one.

    Returns
    -------
    str
        Empty where there is nothing to say.
    """
    spec = catalog.get(dataset)
    title, same = markdown(spec.title), tuple(classes) == spec.classes
    if foreign is None and same:
        return ""
    text = f"These are images of {title}, "
    if foreign is None:
        text += "whose classes have other names than those of this checkpoint. "
    else:
        text += f"judged by a network that knows only {markdown(foreign)}. "
    if same:
        return text + "Both sets have classes of the same names."
    pairs = list(zip(spec.classes, classes, strict=False))
    text += "Labels are matched by number, so right is: "
    text += ", ".join(f"{markdown(theirs)} → {markdown(own)}" for theirs, own in pairs[:LISTED])
    text += f" and {len(pairs) - LISTED} more. " if len(pairs) > LISTED else ". "
    if extra := len(classes) - len(pairs):
        text += f"The other {extra} of its classes do not occur here. " if extra > 1 else ""
        text += "The last of its classes does not occur here. " if extra == 1 else ""
    if foreign is None:
        return text.rstrip()
    return f"{text}Choosing a class at random would be right in {percent(1 / len(classes))} of cases."


def misfit(classes: int, dataset: str, fitting: bool) -> str:
    """Say that a checkpoint has too few classes for a data set."""
    spec = catalog.get(dataset)
    text = (
        f"This checkpoint knows {classes} {'class' if classes == 1 else 'classes'}, but {markdown(spec.title)} has "
        f"{len(spec.classes)}, so it has no answer for some of the images. "
    )
    return text + ("Judge it on a set that fits:" if fitting else "No set here fits: choose another checkpoint.")


WITH, EPOCH = "with", "with-epoch"
"""Widgets and URL parameters: reference of the second checkpoint, and its epoch where it is of a run."""
NOBODY = ""
NOT_COMPARED = "Nothing: judge one alone"
_HERE = "with-here"
_BEFORE = "second:before"


def choose(found: Listing, chosen: Selection) -> tuple[Entry, int | None] | None:
    """Let the user choose a second checkpoint of the same data set, and an epoch of it.

    Parameters
    ----------
    found : Listing
        All checkpoints.
    chosen : Selection
        The first one.

    Returns
    -------
    tuple of Entry and int or None, or None
        None where nothing is compared.
    """
    offered = offers(found, chosen)
    titles = {entry.reference: entry.title for entry in offered}
    unknown = address.adopt(WITH, [NOBODY, *titles], NOBODY)
    entry = next((one for one in offered if one.reference == st.session_state[WITH]), None)
    label = f"B: {markdown(shorten(entry.title, 28))}" if entry else "Compare with …"
    with st.popover(label, icon=":material/compare_arrows:", key="compare-with"):
        st.selectbox(
            "Second model (B)",
            [NOBODY, *titles],
            format_func=lambda reference: shorten(titles.get(str(reference), NOT_COMPARED), 60),
            key=WITH,
            on_change=address.touched,
            args=(WITH,),
        )
        epoch = _epoch(entry, chosen) if entry else None
        st.caption("Both judge the same images, and every section shows them side by side where that helps.")
    if entry is None:
        st.session_state[_BEFORE] = None
    best = entry.best_epoch if entry else None
    address.keep({WITH: st.session_state[WITH], EPOCH: epoch}, {WITH: NOBODY, EPOCH: best})
    if unknown is not None:
        st.warning(
            f"There is no second model “{markdown(shorten(unknown))}” of this data set here; one is judged alone."
        )
    return (entry, epoch) if entry else None


def offers(found: Listing, chosen: Selection) -> tuple[Entry, ...]:
    """Return what can be compared with the first: all others of the data set, and other epochs of the same run."""
    entries = found.of_dataset(chosen.dataset)
    return tuple(entry for entry in entries if entry.reference != chosen.checkpoint or len(_epochs(entry)) > 1)


def choose_here(offered: tuple[Entry, ...]) -> None:
    """Offer the same choice inside a section, which the whole page then follows."""
    titles = {entry.reference: entry.title for entry in offered}
    picked = st.selectbox(
        "Second model (B)",
        list(titles),
        index=None,
        format_func=lambda reference: shorten(titles.get(str(reference), str(reference)), 60),
        placeholder="Choose a checkpoint",
        key=_HERE,
        on_change=_take_over,
    )
    if picked:
        st.rerun()


def _take_over() -> None:
    address.put(WITH, st.session_state[_HERE])


def _epoch(entry: Entry, chosen: Selection) -> int | None:
    """Let the user choose among several epochs; a new choice of the run begins at its best one."""
    epochs = _epochs(entry)
    if len(epochs) < 2:
        st.session_state[_BEFORE] = None
        return None
    best = entry.best_epoch if entry.best_epoch in epochs else epochs[-1]
    if st.session_state.get(_BEFORE) != entry.reference and not address.is_new(EPOCH):
        same = chosen.checkpoint == entry.reference and chosen.epoch == best
        address.put(EPOCH, epochs[0] if same and best != epochs[0] else epochs[-1] if same else best)
    st.session_state[_BEFORE] = entry.reference
    unknown = address.adopt(EPOCH, epochs, best)
    st.select_slider("Epoch of B", epochs, key=EPOCH, on_change=address.touched, args=(EPOCH,))
    if unknown is not None:
        st.warning(f"There is no epoch “{markdown(shorten(unknown))}” of it here; this one is shown instead.")
    return int(st.session_state[EPOCH])


def _epochs(entry: Entry) -> tuple[int, ...]:
    try:
        return entry.epochs
    except RunError:
        return ()  # deleted since it was listed


def export_menu(scope: Scope) -> None:
    """Offer the files, each made only when it is asked for."""
    a, both = scope.a.selection, scope.b is not None
    place = f"{a.dataset}-{a.split}"
    with st.popover("Export", icon=":material/download:", key="export"), st.container(gap="xxsmall"):
        for letter, judged in zip("AB", scope.both, strict=False):
            label = f"Predictions of {letter} as CSV" if both else "Predictions as CSV"
            _button(label, partial(predictions_csv, judged), f"predictions-{_stem(judged)}-{place}.csv")
        stem = "-and-".join(_stem(judged) for judged in scope.both)
        name = f"{'comparison' if both else 'evaluation'}-{stem}-{place}.json"
        _button("All figures as JSON", lambda: json_text(document(scope)), name)
        st.caption(
            "The CSV has a line for each image: its place in the file of the set, its label, the answer and all "
            "probabilities. The JSON has what this page shows. On the command line: " + _commands(scope)
        )


def predictions_csv(judged: Judged) -> str:
    """Return the same table as `python -m explorer evaluate --csv`: numbers alone, so safe for any spreadsheet."""
    from explorer.analysis.evaluation.summary import write_predictions_csv

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.csv"
        write_predictions_csv(path, judged.results.predictions)
        return path.read_text("utf-8")


def document(scope: Scope) -> dict[str, Any]:
    """Return all figures as on the command line.

    Returns
    -------
    dict
        The document of `evaluate --json`; with two checkpoints `{"a": ..., "b": ..., "comparison": ...}`, these two
        and that of `compare --json`.
    """
    from explorer.analysis.evaluation.comparison import Comparison
    from explorer.analysis.evaluation.summary import evaluation_document

    names = [str(judged.selection.reference) for judged in scope.both]
    found = [judged.results.predictions for judged in scope.both]
    documents = [evaluation_document(one, name) for one, name in zip(found, names, strict=True)]
    if scope.b is None:
        return documents[0]
    comparison = Comparison.from_predictions(*found).document(*names)
    return {"a": documents[0], "b": documents[1], "comparison": comparison}


def json_text(content: dict[str, Any]) -> str:
    """Write strict JSON."""
    return json.dumps(content, allow_nan=False, indent=2) + "\n"


def _commands(scope: Scope) -> str:
    where = f"--dataset {scope.a.selection.dataset} --split {scope.a.selection.split}"
    lines = [f"`evaluate {scope.a.selection.reference} {where} --json`"]
    if scope.b:
        names = f"{scope.a.selection.reference} {scope.b.selection.reference}"
        lines.append(f"`compare {names} {where} --json`")
    return " and ".join(lines) + "."


def _stem(judged: Judged) -> str:
    return str(judged.selection.reference).replace("@", "-epoch-")


def _button(label: str, content: Callable[[], str], file: str) -> None:
    mime = "application/json" if file.endswith(".json") else "text/csv"
    st.download_button(
        label,
        content,
        file,
        mime,
        key=f"export-{label}",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
