"""One image: what the models say of it, which pixels they look at, and the training images that are like it."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.ui import cache, charts, explanations, formats, messages, sketch, state, widgets
from explorer.ui.evaluate import nearest
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.images import img_tag, map_tag
from explorer.ui.text import markdown, shorten

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
    text = st.query_params.get(PARAMETER, "")
    known = len(text) < 9 and text.isascii() and text.isdigit() and int(text) < scope.a.results.predictions.n
    return int(text) if known else None


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
    nearest.show(scope, row)


def _head(scope: Scope, row: int, rows: NDArray[np.int64], gallery: str | None) -> None:
    """Name the image, and lead to its neighbours in the gallery and to the other pages."""
    split = scope.images
    places = np.flatnonzero(rows == row)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(rows) > 1 and len(places):
            at = int(places[0])
            _step("Previous", "Left", rows, at - 1, gallery)
            st.markdown(f"{formats.count(at + 1)} of {formats.count(len(rows))}", width="content")
            _step("Next", "Right", rows, at + 1, gallery)
        st.caption(
            f"Image {formats.count(row)} of the {split.name} split, "
            f"number {formats.count(int(split.indices[row]))} in the file",
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
    sketch.begin(image, "The image from Evaluate")
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
    text = f"Predicted: {sign}**{said}** with {formats.percent(float(found.confidence[row]))}"
    if not foreign:
        share = formats.precise(float(found.probabilities[row, found.labels[row]]))
        loss = formats.loss(float(found.loss[row]))
        text += f"  \n:small[Loss {loss}: minus the logarithm of {share}, the probability of the true class.]"
    margin = formats.percent(float(found.margin[row])).removesuffix("%")
    return f"{text}  \n:small[Margin {margin} points: how far its first choice lies above the second.]"


def _bars(scope: Scope, judged: Judged, row: int, sign: str) -> None:
    found = judged.results.predictions
    shares, true = found.probabilities[row].tolist(), int(found.labels[row])
    foreign = scope.foreign is not None
    chart = charts.probability_bars(found.classes, shares, None if foreign else true)
    if scope.b is not None:
        chart["title"] = f"{sign.upper()}: {shorten(judged.name, 30)}"
    widgets.figure(
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
    if nearest.weights(judged) is None:
        st.caption(f"{nearest.NO_WEIGHTS} so there is no saliency map.")
        return
    values = cache.attribution(judged.selection, row, METHOD, predicted)
    st.html(map_tag(values, SCALE, f"Input gradient for {name}"))
    st.caption(f"**How to read this.** {explanations.attribution(METHOD, name, values)}")
