"""What the newest epoch of a run looks like: images, confusion matrix, filters. Made once an epoch, then kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.store.runs import Run, Status
from explorer.ui import charts, explanations, theme, watch_images
from explorer.ui.seed_groups import Group
from explorer.ui.text import markdown
from explorer.ui.watch_curves import explain_curves, explain_objective, explain_rate, learning_rate, objective
from explorer.ui.watch_history import History
from explorer.ui.watch_parts import Explanation, about, live_chart, picture_file, table_file

if TYPE_CHECKING:
    from explorer.analysis.confusion import ConfusionMatrix
    from explorer.analysis.filters import Filters
    from explorer.analysis.predictions import Predictions

IMAGES, MATRIX, FILTERS, RATE, OBJECTIVE = "Images", "Confusion matrix", "Filters", "Learning rate", "Objective"
VIEWS = (IMAGES, MATRIX, FILTERS, RATE)
HEIGHT = 250
"""Pixels kept free until there is something to show."""

MATRIX_HEIGHT = 180


def prepare(run: Run) -> None:
    """Load what the first epoch will need, so that it does not hold up one of the ticks.

    Raises
    ------
    ExplorerError
        The run is damaged, or its data set is not here.
    """
    import explorer.analysis.confusion
    import explorer.analysis.filters
    import explorer.analysis.prediction_files  # noqa: F401

    watch_images.watched_rows(load_split(run.config["dataset"], "validation").labels)


def newest(run: Run, status: Status, history: History, group: Group) -> None:
    """Show one view of the newest epoch."""
    views = (*VIEWS, OBJECTIVE) if run.objective else VIEWS
    if st.session_state.get("watch-view") not in (None, *views):
        del st.session_state["watch-view"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = st.segmented_control(
            "View", views, default=IMAGES, required=True, wrap=True, key="watch-view", label_visibility="collapsed"
        )
        view = chosen or IMAGES
        about(lambda: [explain_curves(run, history, group), _explain(view, run, status.epoch, history)])
    if view == RATE:
        learning_rate(history)
    elif view == OBJECTIVE:
        objective(run, history)
    elif not status.epoch:
        over = status.state == "failed"
        _empty(
            "There are no pictures: no epoch was complete."
            if over
            else "The first pictures come at the end of epoch 1."
        )
    else:
        try:
            _show(view, run, status.epoch)
        except ExplorerError as error:
            _empty(str(error))


def _empty(text: str) -> None:
    with st.container(height=HEIGHT, border=False):
        st.caption(markdown(text))


def _show(view: str, run: Run, epoch: int) -> None:
    if view == MATRIX:
        live_chart(_matrix_chart(run.id, epoch, theme.mode(), run), "watch-matrix")
    elif view == FILTERS:
        st.html(_filters(run.id, epoch, theme.mode(), run.weights(epoch)))
    else:
        st.html(_images(run.id, epoch, theme.mode(), run))


def _explain(view: str, run: Run, epoch: int, history: History) -> Explanation:
    if view == RATE:
        return explain_rate(history)
    if view == OBJECTIVE:
        return explain_objective(run, history)
    title = f"{view}, after epoch {epoch}"
    if not epoch:
        return Explanation(view, "It comes at the end of epoch 1, and is renewed at the end of every epoch.")
    try:
        return {IMAGES: _explain_images, MATRIX: _explain_matrix, FILTERS: _explain_filters}[view](title, run, epoch)
    except ExplorerError as error:
        return Explanation(title, markdown(str(error)))


def _explain_images(title: str, run: Run, epoch: int) -> Explanation:
    right, total = _right(run.id, epoch, run)
    text = (
        "Validation images, the same in every run of this data set: on top the target, below it the prediction with "
        "its probability, after × and in a frame where it is wrong. The bar is the probability of the target. "
        f"Of these {total}, {right} are right now."
    )
    return Explanation(title, text)


def _explain_matrix(title: str, run: Run, epoch: int) -> Explanation:
    matrix = _matrix(run.id, epoch, run)
    files = [
        table_file("Matrix", lambda: charts.confusion_table(matrix, "Counts"), "confusion-matrix"),
        *picture_file("Matrix", lambda: charts.confusion_matrix(matrix), "confusion-matrix"),
    ]
    return Explanation(title, f"Of the validation images. {explanations.confusion(matrix, 'Counts')}", files)


def _explain_filters(title: str, run: Run, epoch: int) -> Explanation:
    from explorer.ui.charts.filters import filter_table, filters_png

    filters = _layer(run.weights(epoch))
    files = [
        table_file("Weights", lambda: filter_table(filters), "filters"),
        ("Picture as PNG", lambda: filters_png(filters), "filters.png", "image/png"),
    ]
    return Explanation(title, _read_filters(filters), files)


@st.cache_data(max_entries=16, show_spinner=False)
def _images(run_id: str, epoch: int, mode: str, _run: Run) -> str:
    return watch_images.picture(_watched(_run, epoch))


@st.cache_data(max_entries=16, show_spinner=False)
def _right(run_id: str, epoch: int, _run: Run) -> tuple[int, int]:
    items = _watched(_run, epoch)
    return sum(item.right for item in items), len(items)


@st.cache_data(max_entries=16, show_spinner=False)
def _matrix(run_id: str, epoch: int, _run: Run) -> "ConfusionMatrix":
    from explorer.analysis.confusion import ConfusionMatrix

    return ConfusionMatrix.from_predictions(_predictions(_run, epoch))


@st.cache_data(max_entries=16, show_spinner=False)
def _matrix_chart(run_id: str, epoch: int, mode: str, _run: Run) -> dict[str, Any]:
    title = {"text": "Confusion matrix of the validation images", "offset": 6}
    return charts.confusion_matrix(_matrix(run_id, epoch, _run)) | {"height": MATRIX_HEIGHT, "title": title}


@st.cache_data(max_entries=16, show_spinner=False)
def _filters(run_id: str, epoch: int, mode: str, _path: Path) -> str:
    from explorer.ui.charts.filters import filter_pictures

    return filter_pictures(_layer(_path))


def _watched(run: Run, epoch: int) -> list[watch_images.Watched]:
    predictions = _predictions(run, epoch)
    return watch_images.watched(predictions, load_split(predictions.dataset, "validation"))


def _layer(path: Path) -> "Filters":
    from explorer.analysis.filters import first_layer_filters

    return first_layer_filters(path)


def _predictions(run: Run, epoch: int) -> "Predictions":
    from explorer.analysis.prediction_files import load_predictions

    return load_predictions(run.predictions("validation", epoch))


def _read_filters(filters: "Filters") -> str:
    text = "Warm: a brighter pixel here raises the output; cold: it lowers it; one scale for all. "
    if filters.of_classes:
        return (
            text + "Without a hidden layer, each picture is the template that an image of the class should look like."
        )
    if filters.kind == "kernels":
        height, width = filters.images.shape[1:]
        return text + (
            f"Each kernel of {height} × {width} weights slides over the image and answers where it "
            "finds its like: an edge, a corner, a spot."
        )
    return text + "Each hidden unit weighs every pixel; what looks like noise was hardly changed by training."
