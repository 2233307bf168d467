"""What a run looks like so far: its curves, and the images, confusion matrix and filters of its newest epoch.

The pictures are made once an epoch, then kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.splits import load_split
from explorer.errors import ExplorerError
from explorer.store import summaries
from explorer.store.losses import FIELDS
from explorer.store.runs import Run, Status
from explorer.ui import charts
from explorer.ui.charts import learning_curves
from explorer.ui.charts.learning_curves import Quantity, rate_curve
from explorer.ui.charts.specs import HEIGHT
from explorer.ui.kit import explanations, figure, numbers, run_text, seed_groups, theme
from explorer.ui.kit.figure import Table, beside, csv_text
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.run_history import History, Line
from explorer.ui.kit.run_text import rate
from explorer.ui.kit.seed_groups import Group, LearningCurve
from explorer.ui.kit.text import html_text, markdown

if TYPE_CHECKING:
    from explorer.analysis.evaluation.confusion import ConfusionMatrix
    from explorer.analysis.evaluation.predictions import Predictions
    from explorer.analysis.inside.filters import Filters
    from explorer.data.splits import Split

COUNT = 12
SEED = 12
SCALE = 2


@dataclass(frozen=True)
class Watched:
    """One of the images and what is said of it.

    Attributes
    ----------
    image : ndarray
        uint8, shape (H, W).
    target, predicted : str
        Class names.
    confidence, probability : float
        Of the predicted class and of the target.
    """

    image: NDArray[np.uint8]
    target: str
    predicted: str
    confidence: float
    probability: float

    @property
    def right(self) -> bool:
        """Whether the prediction is the target."""
        return self.target == self.predicted


def watched_rows(labels: NDArray[np.int64], count: int = COUNT) -> list[int]:
    """Choose rows of a split: spread evenly over the classes, within a class by a fixed draw.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    count : int
        How many; fewer where there are not so many images.

    Returns
    -------
    list of int
        Sorted by class. The draw is NumPy's frozen `RandomState` stream, so the same on every machine.
    """
    order = np.random.RandomState(SEED).permutation(len(labels))
    turns = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turns[of_class] = np.arange(len(of_class))
    names = np.unique(labels)
    spread = np.random.RandomState(SEED).permutation(len(names))
    place = dict(zip(names.tolist(), spread.tolist(), strict=True))
    ranked = sorted(range(len(labels)), key=lambda row: (turns[row], place[int(labels[row])]))
    return sorted(ranked[:count], key=lambda row: (labels[row], turns[row]))


def watched(predictions: "Predictions", split: "Split") -> list[Watched]:
    """Put together the images and what is said of them; predictions and split have the same rows."""
    found = []
    for row in watched_rows(split.labels):
        probabilities, predicted = predictions.probabilities[row], int(predictions.predicted[row])
        found.append(
            Watched(
                image=split.images[row],
                target=predictions.classes[int(split.labels[row])],
                predicted=predictions.classes[predicted],
                confidence=float(probabilities[predicted]),
                probability=float(probabilities[int(split.labels[row])]),
            )
        )
    return found


def picture(items: Sequence[Watched]) -> str:
    """Return the images as HTML: target, prediction after its sign, and the probability of the target as a bar."""
    cards = "".join(_card(item) for item in items)
    return (
        '<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(9.6rem,1fr));gap:.2rem .75rem">'
        f"{cards}</div>"
    )


def _card(item: Watched) -> str:
    accent = theme.colour("primaryColor")
    frame = "transparent" if item.right else accent
    said = f"{'✓' if item.right else '×'} {html_text(item.predicted)} {numbers.percent(item.confidence)}"
    line = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
    part = f"{100 * item.probability:.1f}%"
    bar = (
        f'<div title="{numbers.percent(item.probability)} for the target" style="height:.4rem;border-radius:2px;'
        'background:rgba(128,128,128,.25);margin-top:.3rem">'
        f'<div style="height:100%;border-radius:2px;background:{accent};width:{part}"></div></div>'
    )
    return (
        f'<div style="display:flex;gap:.5rem;align-items:center;padding:1px;border:2px dashed {frame};'
        'border-radius:4px;min-width:0;font-size:.8rem;line-height:1.35">'
        f"{img_tag(item.image, SCALE, f'{item.target}, predicted {item.predicted}')}"
        '<div style="min-width:0;flex:1">'
        f'<div style="{line}" title="{html_text(item.target)}">{html_text(item.target)}</div>'
        f'<div style="{line};font-weight:600" title="{html_text(item.predicted)}">{said}</div>{bar}</div></div>'
    )


File = tuple[str, Callable[[], str | bytes], str, str]
"""Label, content, name and media type of a file to take away."""


@dataclass(frozen=True)
class Explanation:
    """How to read a figure, in Markdown with names escaped, and what of it can be taken away."""

    title: str
    text: str
    files: Sequence[File] = ()


def live_chart(chart: dict[str, Any], name: str) -> None:
    """Show a chart whose specification stays the same, so that the browser only changes its data.

    The rows are made into Arrow here: Streamlit would do so by way of pandas, which takes five times as long, and more
    than everything else that is done each second.
    """
    data = {dataset: _arrow(rows) for dataset, rows in chart["datasets"].items()}
    st.vega_lite_chart(chart | {"datasets": data}, width="stretch", key=f"figure-{name}")


def _arrow(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(list(rows))
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return bytes(stream.getvalue().to_pybytes())


def about(explanations: Callable[[], Sequence[Explanation]]) -> None:
    """Offer how to read the figures, their data and pictures; nothing of it is made before somebody opens it."""
    place = st.popover(
        "How to read this", type="tertiary", icon=":material/help:", on_change="rerun", key="watch-about"
    )
    if not place.open:
        return
    with place:
        for explanation in explanations():
            with st.container(gap="xsmall"):
                st.caption(f"**{explanation.title}.** {explanation.text}")
                with st.container(horizontal=True, gap="medium"):
                    for file in explanation.files:
                        _download(*file)


def _download(label: str, content: Callable[[], str | bytes], name: str, mime: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    key = f"file-{name}"
    st.download_button(
        label, content, name, mime, key=key, on_click="ignore", type="tertiary", icon=":material/download:"
    )


def table_file(label: str, table: Callable[[], Table], name: str) -> File:
    """Return the data of a figure as a file."""
    return f"{label} as CSV", lambda: csv_text(*table()), f"{name}.csv", "text/csv"


def picture_file(label: str, chart: Callable[[], dict[str, Any]], name: str) -> list[File]:
    """Return a chart as a file, where it can be drawn."""
    if not figure.available():
        return []
    mode = theme.mode()  # read now: a file is made outside of the page's run
    return [(f"{label} as SVG", lambda: figure.svg(chart(), mode), f"{name}.svg", "image/svg+xml")]


IMAGES, MATRIX, FILTERS, RATE, OBJECTIVE = "Images", "Confusion matrix", "Filters", "Learning rate", "Objective"
VIEWS = (IMAGES, MATRIX, FILTERS, RATE)
EMPTY_HEIGHT = 250
"""Pixels kept free until there is something to show."""

MATRIX_HEIGHT = 180


def prepare(run: Run) -> None:
    """Load what the first epoch will need, so that it does not hold up one of the ticks.

    Raises
    ------
    ExplorerError
        The run is damaged, or its data set is not here.
    """
    import explorer.analysis.evaluation.confusion
    import explorer.analysis.evaluation.prediction_files  # noqa: F401

    watched_rows(load_split(run.config["dataset"], "validation").labels)


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
    with st.container(height=EMPTY_HEIGHT, border=False):
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
    from explorer.ui.charts.weights import filter_table, filters_png

    filters = _layer(run.weights(epoch))
    files = [
        table_file("Weights", lambda: filter_table(filters), "filters"),
        ("Picture as PNG", lambda: filters_png(filters), "filters.png", "image/png"),
    ]
    return Explanation(title, _read_filters(filters), files)


@st.cache_data(max_entries=16, show_spinner=False)
def _images(run_id: str, epoch: int, mode: str, _run: Run) -> str:
    return picture(_watched(_run, epoch))


@st.cache_data(max_entries=16, show_spinner=False)
def _right(run_id: str, epoch: int, _run: Run) -> tuple[int, int]:
    items = _watched(_run, epoch)
    return sum(item.right for item in items), len(items)


@st.cache_data(max_entries=16, show_spinner=False)
def _matrix(run_id: str, epoch: int, _run: Run) -> "ConfusionMatrix":
    from explorer.analysis.evaluation.confusion import ConfusionMatrix

    return ConfusionMatrix.from_predictions(_predictions(_run, epoch))


@st.cache_data(max_entries=16, show_spinner=False)
def _matrix_chart(run_id: str, epoch: int, mode: str, _run: Run) -> dict[str, Any]:
    title = {"text": "Confusion matrix of the validation images", "offset": 6}
    return charts.confusion_matrix(_matrix(run_id, epoch, _run)) | {"height": MATRIX_HEIGHT, "title": title}


@st.cache_data(max_entries=16, show_spinner=False)
def _filters(run_id: str, epoch: int, mode: str, _path: Path) -> str:
    from explorer.ui.charts.weights import filter_pictures

    return filter_pictures(_layer(_path))


def _watched(run: Run, epoch: int) -> list[Watched]:
    predictions = _predictions(run, epoch)
    return watched(predictions, load_split(predictions.dataset, "validation"))


def _layer(path: Path) -> "Filters":
    from explorer.analysis.inside.filters import first_layer_filters

    return first_layer_filters(path)


def _predictions(run: Run, epoch: int) -> "Predictions":
    from explorer.analysis.evaluation.prediction_files import load_predictions

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


QUANTITIES: tuple[Quantity, ...] = ("loss", "accuracy")


def curves(history: History, group: Group) -> None:
    """Show loss and accuracy of a run, or of the seeds that it was started with."""
    with beside("watch-curves"):
        for quantity in QUANTITIES:
            live_chart(_chart(quantity, history, group), quantity)


def _chart(quantity: Quantity, history: History, group: Group) -> dict[str, Any]:
    """Draw one run with its steps; several seeds, as soon as one has an epoch, with their mean."""
    if len(group) > 1:
        mean = seed_groups.curve(group, f"mean of {len(group)} seeds")
        if mean.epochs:
            return learning_curves.overlaid_curves([mean], quantity, history.horizon) | {"height": HEIGHT}
    draw = charts.loss_curve if quantity == "loss" else charts.accuracy_curve
    return draw(history.lines, history.horizon)


def objective(run: Run, history: History) -> None:
    """Show what the run minimises."""
    live_chart(charts.loss_curve(history.lines, history.horizon, run.objective), "objective")


def learning_rate(history: History) -> None:
    """Show the learning rate by step."""
    live_chart(rate_curve(history.lines, history.horizon), "learning-rate")


def explain_curves(run: Run, history: History, group: Group = ()) -> Explanation:
    """Explain loss and accuracy; the data are those of every epoch, also where the curves are thinned."""
    text = "Thin lines are single seeds, thick ones their mean. " if len(group) > 1 else ""
    text += "The loss is the cross entropy: how far the outputs are from the targets. Lower is better. "
    if history.epoch is None or history.best is None:
        text += "The thin line is the loss of single batches; the points come with the first full epoch."
    else:
        text += _read_epoch(history.epoch, history.best, run.config.get("seed") if len(group) > 1 else None)
    files = [table_file("History", lambda: charts.curve_table(run.history()), "history")]
    if len(group) > 1:
        files.append(table_file("All seeds", lambda: _seeds_table(group), "seeds"))
    for quantity in QUANTITIES:
        draw = partial(_chart, quantity, history, group)
        files += picture_file(quantity.capitalize(), draw, quantity)
    return Explanation("Loss and accuracy", text, files)


def explain_objective(run: Run, history: History) -> Explanation:
    """Explain what is minimised, where it is not the loss."""
    text = f"This run minimises the {run.objective}, here on the images it trains on and on the validation images. "
    last = history.epoch or {}
    values = [last.get(name) for name in FIELDS["epoch"]]
    if all(value is not None for value in values):
        train, validation = map(numbers.loss, values)
        text += f"After epoch {last['epoch']} it is {train} and {validation}. "
    text += "Runs that minimise something else have it on another scale: compare runs by loss and accuracy."
    chart = charts.loss_curve(history.lines, history.horizon, run.objective)
    return Explanation("Objective", text, picture_file("Objective", lambda: chart, "objective"))


def explain_rate(history: History) -> Explanation:
    """Explain the learning rate."""
    text = "It is the size of the optimizer's steps: too small learns slowly, too large jumps about. "
    if history.step is None:
        text += "The line begins with the first steps."
    else:
        text += (
            f"Now it is {rate(history.step['learning_rate'])}. It changes by the schedule, or when you change it; "
            "where it spans a factor of ten or more, the axis is logarithmic."
        )
    chart = picture_file("Learning rate", lambda: rate_curve(history.lines, history.horizon), "learning-rate")
    return Explanation("Learning rate", text, chart)


def _seeds_table(group: Group) -> Table:
    labels = run_text.labels(group)
    return learning_curves.curves_table(
        [LearningCurve(label, summaries.epochs(run.run)) for run, label in zip(group, labels, strict=True)]
    )


def _read_epoch(last: Line, best: Line, seed: int | None) -> str:
    of = "" if seed is None else f" of seed {seed}"
    validation = f"{numbers.loss(last['validation_loss'])} on the validation images, which it does not train on"
    if last["train_loss"] is None:
        text = f"After epoch {last['epoch']}{of} it is {validation}. "
    else:
        text = (
            f"After epoch {last['epoch']}{of} it is {numbers.loss(last['train_loss'])} on the images that it trains "
            f"on and {validation}; when the first keeps falling and the second rises, the network learns by heart. "
        )
    return (
        f"{text}Of the validation images {numbers.percent(last['validation_accuracy'])} are named correctly, at best "
        f"{numbers.percent(best['validation_accuracy'])} after epoch {best['epoch']}. On the images it trains on both "
        "are measured while the weights change, with dropout and augmentation on, so they may look worse."
    )
