"""The training images most like a given one: by their pixels, or by what a network makes of them."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.ui import cache, formats
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.loaded import classifier, computing
from explorer.ui.text import markdown
from explorer.ui.tiles import Note, Tile, tiles

if TYPE_CHECKING:
    from explorer.analysis.neighbours import Neighbours
    from explorer.store.checkpoints import Checkpoint

COUNT = 8
EVERY = 10
"""Of the training images, every tenth is compared by its features."""
PIXELS, FEATURES = "Pixels", "Features of the network"
NO_WEIGHTS = "The weights of this epoch are not kept, only its predictions,"


def show(scope: Scope, row: int) -> None:
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
    from explorer.analysis.neighbours import nearest

    train = load_split(scope.a.selection.dataset, "train")
    found = nearest(scope.images.images[row], train.images, COUNT, exclude=row if own else None)
    _show("pixels", scope, found, np.arange(len(train)), names, unit=255)
    st.caption(
        f"Of all {formats.count(len(train))} training images, those whose pixels (0 to 1) are nearest, by Euclidean "
        f"distance d. {_agreement(scope, row, train.labels[found.rows], names)}"
    )


def _features(scope: Scope, judged: Judged, row: int, names: tuple[str, ...], own: bool) -> None:
    from explorer.analysis.neighbours import features, nearest

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
        f"Of {formats.count(len(sample))} training images (every {EVERY}th of {formats.count(len(train))}), those "
        f"whose {formats.count(known.shape[1])} features, the numbers that enter the last layer, are nearest. "
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
    from explorer.analysis.neighbours import features

    kept = _kept(chosen.digest, catalog.get(dataset).checksum)
    if not kept:
        model = classifier(chosen)
        bar = st.progress(0.0, f"Computing the features of {formats.count(len(sample))} training images …")
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
