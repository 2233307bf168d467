"""The map of images: what the last layer is given, in two dimensions."""

import base64
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from explorer.ui.charts.embedding import FIELD, embedding_map, embedding_table
from explorer.ui.charts.specs import CLICKED, clicked
from explorer.ui.inside import choices, results
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import controls, messages, state, theme
from explorer.ui.kit.figure import take_away
from explorer.ui.kit.images import img_tag, png
from explorer.ui.kit.models import computing, give_way
from explorer.ui.kit.numbers import count, percent
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.analysis.inside.embedding import Embedding

TSNE = "tsne"
METHODS = {"pca": "PCA", TSNE: "t-SNE"}
SECONDS = 40.0
"""After so long no further round of t-SNE is begun."""
TSNE_IMAGES = 1_000
SEED, SEEDS = "map-seed", 10
ABOUT_SEED = (
    "Of the noise with which the layout begins. What stays with another seed is in the network, what moves is not."
)
CHART = "figure-embedding"
SCALE = 4
Rows = NDArray[np.int64]


@section
def show(subject: InspectedModel) -> None:
    """Show the map; a click on a point leads to its image."""
    left, right = controls.columns()
    with left, messages.shown():
        method = controls.segments("Map by", METHODS, "map", labelled=False)
        size = choices.size(subject, "map-images")
        if method == TSNE and size > TSNE_IMAGES:
            st.caption(f"t-SNE takes {count(TSNE_IMAGES)} of them: its time grows faster than their number.")
            size = TSNE_IMAGES
        seed = choices.number("Seed", SEEDS - 1, SEED, help=ABOUT_SEED) if method == TSNE else 0
        thumbnails = controls.switch("Images as marks", "thumbnails", help="Drag to move, turn the wheel to zoom in.")
        predictions = results.predictions(subject, size)
        with right:
            found = _tsne(subject, size, seed) if method == TSNE else _pca(subject, size)
            if found is None:
                return
            _figure(subject, found, predictions, size, method, thumbnails)
        _clicked(subject, size, predictions)


def _pca(subject: InspectedModel, size: int) -> "Embedding":
    features = results.features(subject, size)
    return _project(subject.checkpoint.digest, subject.images_key, size, features)


@st.cache_data(max_entries=8, show_spinner=False)
def _project(digest: str, images: results.Images, size: int, _features: NDArray[np.float32]) -> "Embedding":
    from explorer.analysis.inside.embedding import pca

    with computing():
        return pca(_features)


def _tsne(subject: InspectedModel, size: int, seed: int) -> "Embedding | None":
    """Return the layout of this session, computing it when it is asked for."""
    from explorer.analysis.inside.embedding import Embedding

    key = (subject.checkpoint.digest, subject.images_key, size, seed)
    found = results.kept(TSNE, key)
    if isinstance(found, Embedding):
        return found
    if len(subject.split) < 4:
        st.info("t-SNE needs at least four images.")
        return None
    place = st.empty()
    with place.container():
        st.markdown(f"t-SNE lays out {count(size)} images so that neighbours stay neighbours.")
        if not st.button("Compute the map", type="primary", key="inside-tsne"):
            return None
    return results.keep(TSNE, key, lambda: _compute(subject, size, seed, place))


def _compute(subject: InspectedModel, size: int, seed: int, place: DeltaGenerator) -> "Embedding":
    from explorer.analysis.inside.embedding import tsne

    features = results.features(subject, size)
    with place.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text="t-SNE, 0 of 1,000 steps …")
        st.button("Stop", key="inside-stop-tsne")

    def progress(share: float) -> None:
        bar.progress(share, text=f"t-SNE, {1000 * share:,.0f} of 1,000 steps …")
        give_way()

    with computing():
        found = tsne(features, seconds=SECONDS, seed=seed, progress=progress)
    place.empty()
    return found


def _figure(
    subject: InspectedModel, found: "Embedding", predictions: "Predictions", size: int, method: str, thumbnails: bool
) -> None:
    rows = results.sample(subject.images_key, size)[1]
    wrong = int((~predictions.correct).sum())
    title = f"{METHODS[method]} of what the last layer is given"
    if found.explained is not None:
        names = [f"component {at} ({percent(share)} of the variance)" for at, share in enumerate(found.explained, 1)]
    else:
        names = ["t-SNE, first axis", "t-SNE, second axis"]
    chart = embedding_map(
        found.points,
        rows,
        predictions.labels,
        predictions.predicted,
        subject.classes,
        _thumbnails(subject.images_key, size),
        (names[0], names[1]),
        title,
        _tinted(subject.images_key, size, theme.mode(), len(subject.classes)) if thumbnails else None,
    )
    st.vega_lite_chart(chart, width="stretch", key=CHART, on_select="rerun", selection_mode=[CLICKED])
    with st.container(horizontal=True, wrap=False, gap="small"):
        st.caption(f"**How to read this.** {_how_to_read(found, wrong, predictions.n)}", width="stretch")
        take_away(
            chart,
            "embedding",
            lambda: embedding_table(found.points, rows, predictions.labels, predictions.predicted, subject.classes),
        )


def _how_to_read(found: "Embedding", wrong: int, n: int) -> str:
    text = f"Each of the {count(n)} marks is an image; near ones are alike to the network, whatever their pixels. "
    text += f"{count(wrong)} are classified wrongly and stand in a square frame. "
    if found.explained is not None:
        shown = percent(sum(found.explained))
        return text + f"The two axes show {shown} of the variance of the features; the rest is not seen here."
    stopped = "" if found.complete else f" It was ended after {count(found.steps)} of 1,000 steps, as time was up."
    text += "Only who is next to whom has a meaning, not the distance between groups or their size: another seed moves "
    return f"{text}them.{stopped}"


@st.cache_data(max_entries=4, show_spinner=False)
def _thumbnails(images: results.Images, size: int) -> list[str]:
    part, _ = results.sample(images, size)
    return [_url(image) for image in part.images]


@st.cache_data(max_entries=4, show_spinner=False)
def _tinted(images: results.Images, size: int, mode: theme.Mode, classes: int) -> list[str]:
    """Return the images as ink in the colour of their class on a ground that is not there."""
    part, _ = results.sample(images, size)
    colours = [theme.rgb(code) for code in theme.class_colours(classes, mode)]
    found = []
    for image, label in zip(part.images, part.labels, strict=True):
        ink = np.empty((*image.shape, 4), np.uint8)
        ink[..., :3], ink[..., 3] = colours[int(label)], image
        found.append(_url(ink))
    return found


def _url(image: NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def _clicked(subject: InspectedModel, size: int, predictions: "Predictions") -> None:
    """Show the image that was clicked, with the ways to it."""
    rows = results.sample(subject.images_key, size)[1].tolist()
    row = clicked(st.session_state.get(CHART), FIELD)
    if row not in rows:
        st.caption("Click a mark to see its image.")
        return
    at = rows.index(row)
    true, said = (markdown(subject.classes[int(one[at])]) for one in (predictions.labels, predictions.predicted))
    sign = "✓" if predictions.correct[at] else "×"
    st.html(img_tag(subject.split.images[row], SCALE, f"Image {row}"))
    st.markdown(
        f"Image {count(row)}  \nTrue: **{true}**  \nPredicted: {sign} **{said}** "
        f"with {percent(float(predictions.confidence[at]))}"
    )
    state.link("evaluate", ":material/grid_on: Open in Evaluate", image=row)
    state.link("explain", ":material/visibility: Explain", image=row)
