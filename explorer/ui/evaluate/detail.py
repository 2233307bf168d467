"""One image: what the models say of it, which pixels they look at, and the training images that are like it."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.ui import charts
from explorer.ui.evaluate.scope import Judged, Scope, true_names
from explorer.ui.kit import address, cache, drawing, explanations, figure, messages, numbers, state
from explorer.ui.kit.images import img_tag, map_tag
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.text import markdown, shorten
from explorer.ui.kit.tiles import Note, Tile, tiles

if TYPE_CHECKING:
    from explorer.analysis.drawings.neighbours import Neighbours
    from explorer.store.checkpoints import Checkpoint


PARAMETER = "image"
"""The row of the open image in the URL; the page Explain calls its image so too."""
SCALE = 7
METHOD = "input-gradient"

_GALLERY = "detail:gallery"


def choose(gallery: str, row: int) -> None:
    """Open an image of a gallery in the next run, as a callback."""
    st.query_params[PARAMETER] = str(row)
    st.session_state[_GALLERY] = gallery


def offer(scope: Scope, rows: NDArray[np.int64] | None = None, gallery: str | None = None) -> None:
    """Open the image that the URL names, unless it is open already.

    Parameters
    ----------
    scope : Scope
    rows : ndarray, optional
        int64: the images of a gallery, among which the user can go back and forth.
    gallery : str, optional
        Its key. A gallery opens what was clicked in it, or what came with a link if it holds that image; without
        one, any image is opened.
    """
    row = asked(scope)
    if row is None or _is_open():
        return
    if rows is not None:
        owner = st.session_state.get(_GALLERY)
        if owner != gallery and not (owner is None and row in rows):
            return
    show(scope, row, rows, gallery)


def show(scope: Scope, row: int, rows: NDArray[np.int64] | None = None, gallery: str | None = None) -> None:
    """Open the detail of a row of the split; `rows` and `gallery` as in `offer`."""
    if asked(scope) != row:
        st.query_params[PARAMETER] = str(row)
    _dialog(scope, np.array([row]) if rows is None else rows, gallery)


def asked(scope: Scope) -> int | None:
    """Return the row that the URL names; None where it names none of this split."""
    text = address.asked(PARAMETER)
    return int(text) if address.is_row(text, scope.a.results.predictions.n) else None


def close() -> None:
    """Take the image out of the URL, as a callback."""
    st.query_params.pop(PARAMETER, None)
    st.session_state.pop(_GALLERY, None)


def _is_open() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.has_dialog_opened


@st.dialog("One image", width="large", on_dismiss=close)
def _dialog(scope: Scope, rows: NDArray[np.int64], gallery: str | None) -> None:
    state.follow()
    row = asked(scope)
    if row is None:
        st.rerun()
    with messages.shown():
        content(scope, row, rows, gallery)


def content(scope: Scope, row: int, rows: NDArray[np.int64], gallery: str | None = None) -> None:
    """Show everything there is to say of one image.

    Parameters
    ----------
    scope : Scope
    row : int
    rows : ndarray
        int64: the images before and after it.
    gallery : str, optional
        Where they are from.
    """
    _head(scope, row, rows, gallery)
    picture, *places = st.columns([1.0, 2.2, 1.2] if scope.b is None else [1.0, 1.9, 1.9], gap="medium")
    with picture:
        _picture(scope, row)
    if scope.b is None:
        with places[0]:
            _bars(scope, scope.a, row, "a")
        with places[1]:
            _saliency(scope.a, row)
    else:
        for place, judged, sign in zip(places, scope.both, "ab", strict=True):
            with place:
                _bars(scope, judged, row, sign)
                _saliency(judged, row)
    show_nearest(scope, row)


def _head(scope: Scope, row: int, rows: NDArray[np.int64], gallery: str | None) -> None:
    """Name the image, and lead to its neighbours in the gallery and to the other pages."""
    split = scope.images
    places = np.flatnonzero(rows == row)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(rows) > 1 and len(places):
            at = int(places[0])
            _step("Previous", "Left", rows, at - 1, gallery)
            st.markdown(f"{numbers.count(at + 1)} of {numbers.count(len(rows))}", width="content")
            _step("Next", "Right", rows, at + 1, gallery)
        st.caption(
            f"Image {numbers.count(row)} of the {split.name} split, "
            f"number {numbers.count(int(split.indices[row]))} in the file",
            width="stretch",
        )
        state.link("explain", ":material/visibility: Explain", image=row)
        state.link("inside", ":material/hub: Inside", inside="activations", image=row)
        st.button(
            "Edit it on the canvas",
            icon=":material/draw:",
            key="detail-edit",
            on_click=_edit,
            args=(split.images[row],),
        )


def _step(label: str, shortcut: str, rows: NDArray[np.int64], to: int, gallery: str | None) -> None:
    possible = 0 <= to < len(rows)
    st.button(
        label,
        key=f"detail-{label}",
        shortcut=shortcut,
        disabled=not possible,
        on_click=choose,
        args=(gallery, int(rows[to]) if possible else 0),
    )


def _edit(image: NDArray[np.uint8]) -> None:
    drawing.begin(image, "The image from Evaluate")
    state.go("draw")


def _picture(scope: Scope, row: int) -> None:
    """Show the image, what it is, and how each model fares with it."""
    true = true_names(scope)[scope.a.results.predictions.labels[row]]
    st.html(img_tag(scope.images.images[row], SCALE, f"Image {row}: {true}"))
    st.markdown(f"True: **{markdown(true)}**")
    for judged, sign in zip(scope.both, ("",) if scope.b is None else ("A: ", "B: "), strict=True):
        st.markdown(sign + verdict(judged, row, scope.foreign is not None))


def verdict(judged: Judged, row: int, foreign: bool = False) -> str:
    """Say in Markdown what a model says of an image, with its loss and margin."""
    found = judged.results.predictions
    said = markdown(found.classes[found.predicted[row]])
    sign = "" if foreign else "✓ " if found.correct[row] else "× "
    text = f"Predicted: {sign}**{said}** with {numbers.percent(float(found.confidence[row]))}"
    if not foreign:
        share = numbers.precise(float(found.probabilities[row, found.labels[row]]))
        loss = numbers.loss(float(found.loss[row]))
        text += f"  \n:small[Loss {loss}: minus the logarithm of {share}, the probability of the true class.]"
    margin = numbers.percent(float(found.margin[row])).removesuffix("%")
    return f"{text}  \n:small[Margin {margin} points: how far its first choice lies above the second.]"


def _bars(scope: Scope, judged: Judged, row: int, sign: str) -> None:
    found = judged.results.predictions
    shares, true = found.probabilities[row].tolist(), int(found.labels[row])
    foreign = scope.foreign is not None
    chart = charts.probability_bars(found.classes, shares, None if foreign else true)
    if scope.b is not None:
        chart["title"] = f"{sign.upper()}: {shorten(judged.name, 30)}"
    figure.figure(
        chart,
        name=f"probabilities-{sign}",
        how_to_read="The bars add up to 100%. The model knows only the classes of the data set it was trained on."
        if foreign
        else explanations.probabilities(found.classes, shares, true),
        table=lambda: charts.probability_table(found.classes, shares),
    )


def _saliency(judged: Judged, row: int) -> None:
    """Show which pixels move the score of the predicted class."""
    found = judged.results.predictions
    predicted = int(found.predicted[row])
    name = found.classes[predicted]
    st.markdown(f"**Saliency for {markdown(name)}**")
    if weights(judged) is None:
        st.caption(f"{NO_WEIGHTS} so there is no saliency map.")
        return
    values = cache.attribution(judged.selection, row, METHOD, predicted)
    st.html(map_tag(values, SCALE, f"Input gradient for {name}"))
    st.caption(f"**How to read this.** {explanations.attribution(METHOD, name, values)}")


COUNT = 8
EVERY = 10
"""Of the training images, every tenth is compared by its features."""
PIXELS, FEATURES = "Pixels", "Features of the network"
NO_WEIGHTS = "The weights of this epoch are not kept, only its predictions,"


def show_nearest(scope: Scope, row: int) -> None:
    """Show the training images nearest to a row of the split, with what they are."""
    names = true_names(scope)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown("**Nearest training images**")
        by = st.segmented_control(
            "Nearest by", [PIXELS, FEATURES], default=PIXELS, required=True, key="nearest", label_visibility="collapsed"
        )
    own = scope.a.selection.split == "train"
    if by == PIXELS:
        _pixels(scope, row, names, own)
        return
    for judged in scope.both:
        if scope.b is not None:
            st.markdown(f":small[{markdown(judged.name)}]")
        _features(scope, judged, row, names, own)


def _pixels(scope: Scope, row: int, names: tuple[str, ...], own: bool) -> None:
    from explorer.analysis.drawings.neighbours import nearest

    train = load_split(scope.a.selection.dataset, "train")
    found = nearest(scope.images.images[row], train.images, COUNT, exclude=row if own else None)
    _show("pixels", scope, found, np.arange(len(train)), names, unit=255)
    st.caption(
        f"Of all {numbers.count(len(train))} training images, those whose pixels (0 to 1) are nearest, by Euclidean "
        f"distance d. {_agreement(scope, row, train.labels[found.rows], names)}"
    )


def _features(scope: Scope, judged: Judged, row: int, names: tuple[str, ...], own: bool) -> None:
    from explorer.analysis.drawings.neighbours import features, nearest

    chosen = weights(judged)
    if chosen is None:
        st.caption(f"{NO_WEIGHTS} so the network cannot be asked for its features.")
        return
    train = load_split(judged.selection.dataset, "train")
    sample = np.arange(0, len(train), EVERY)
    known = _sample_features(chosen, judged.selection.dataset, sample)
    with computing(quick=True):
        query = features(classifier(chosen), scope.images.images[row : row + 1])[0]
    exclude = row // EVERY if own and row % EVERY == 0 else None
    found = nearest(query, known, COUNT, exclude=exclude)
    _show(f"features-{judged.selection.reference}", scope, found, sample, names, unit=1)
    st.caption(
        f"Of {numbers.count(len(sample))} training images (every {EVERY}th of {numbers.count(len(train))}), those "
        f"whose {numbers.count(known.shape[1])} features, the numbers that enter the last layer, are nearest. "
        f"{_agreement(scope, row, train.labels[sample[found.rows]], names)}"
    )


def _show(
    key: str, scope: Scope, found: "Neighbours", sample: NDArray[np.int64], names: tuple[str, ...], unit: int
) -> None:
    train = load_split(scope.a.selection.dataset, "train")
    rows = sample[found.rows].tolist()
    items = [
        Tile(row, train.images[row], names[train.labels[row]], (Note(f"d = {distance / unit:.2f}"),))
        for row, distance in zip(rows, found.distances.tolist(), strict=True)
    ]
    tiles(f"nearest-{key}", items, clickable=False)


def _agreement(scope: Scope, row: int, labels: NDArray[np.int64], names: tuple[str, ...]) -> str:
    true = int(scope.a.results.predictions.labels[row])
    same = int((labels == true).sum())
    return f"The class of this image, {markdown(names[true])}, is that of {same} of these {len(labels)}."


def weights(judged: Judged) -> "Checkpoint | None":
    """Return the checkpoint whose weights made the predictions; None where they are not kept."""
    try:
        return cache.checkpoint(judged.selection)
    except ExplorerError:
        return None


def _sample_features(chosen: "Checkpoint", dataset: str, sample: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the features of the sample, from memory where they are known; with progress otherwise."""
    from explorer.analysis.drawings.neighbours import features

    kept = _kept(chosen.digest, catalog.get(dataset).checksum)
    if not kept:
        model = classifier(chosen)
        bar = st.progress(0.0, f"Computing the features of {numbers.count(len(sample))} training images …")
        with computing():
            kept.append(
                features(model, load_split(dataset, "train").images[sample], progress=lambda share: _move(bar, share))
            )
        bar.empty()
    return kept[0]


def _move(bar: "st.delta_generator.DeltaGenerator", share: float) -> None:
    bar.progress(share)


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(digest: str, checksum: str) -> list[NDArray[np.float32]]:
    """Return where the features of a checkpoint are kept: an empty list until they are computed."""
    return []
