"""Evaluate: how good the chosen checkpoint is, what it confuses, and its mistakes."""

import streamlit as st

from explorer.analysis.confusion import ConfusionMatrix
from explorer.data.splits import load_split
from explorer.ui import address, cache, charts, explanations, formats, messages, state, widgets
from explorer.ui.gallery import Item, gallery

PAGE = 24
INTERVAL = "With as many other images of the same kind, the true accuracy would probably lie in here (Wilson interval)."
SECTIONS = ("Confusion matrix", "ROC curves", "Mistakes")

st.title("Evaluate")
selection = state.selection()
if selection.checkpoint is None:
    messages.no_checkpoint()

predictions = cache.predictions(selection)
matrix = ConfusionMatrix.from_predictions(predictions)
widgets.numbers(
    [
        ("Accuracy", formats.percent(matrix.accuracy), explanations.accuracy(matrix)),
        (
            "Misclassification rate",
            formats.percent(matrix.misclassification_rate),
            explanations.misclassification(matrix),
        ),
        ("95% interval of the accuracy", explanations.interval(matrix), INTERVAL),
        ("Images", formats.count(matrix.n), f"All images of the {selection.split} split."),
    ]
)
if predictions.exact_predicted is not None:
    st.caption(explanations.rounded(selection.epoch))
address.adopt("section", SECTIONS, SECTIONS[0])
section = st.segmented_control(
    "Section",
    SECTIONS,
    required=True,
    key="section",
    on_change=address.touched,
    args=("section",),
    label_visibility="collapsed",
)
address.keep({"section": section}, {"section": SECTIONS[0]})


def choose_class() -> int:
    """Let the user choose the class that is explained."""
    name = st.selectbox("Class to explain", predictions.classes, key="class", bind="query-params")
    return predictions.classes.index(name)


def show_matrix() -> None:
    """Show the confusion matrix and the elements of one class."""
    controls, place = st.columns([1, 2.8], gap="large")
    with controls:
        view = st.segmented_control(
            "Numbers",
            charts.MATRIX_VIEWS,
            default="Counts",
            required=True,
            wrap=True,
            key="numbers",
            bind="query-params",
        )
        chosen = choose_class()
        with st.container(gap="xsmall"):
            for term, sentence in explanations.elements(matrix.element(chosen)):
                st.markdown(f"**{term}**  \n:small[{sentence}]")
    with place:
        widgets.figure(
            charts.confusion_matrix(matrix, view, chosen),
            name="confusion-matrix",
            how_to_read=explanations.confusion(matrix, view),
            table=lambda: charts.confusion_table(matrix, view),
        )


def show_roc() -> None:
    """Show the ROC curves and what they mean."""
    curves = cache.roc_curves(selection)
    controls, place = st.columns([1, 2.8], gap="large")
    with controls:
        chosen = choose_class()
        corner = st.toggle("Zoom into the corner", key="corner", bind="query-params")
        for paragraph in explanations.auc(curves, chosen):
            st.markdown(f":small[{paragraph}]")
    with place:
        widgets.figure(
            charts.roc_chart(curves, chosen, corner),
            name="roc-curves",
            how_to_read=explanations.roc(curves, chosen),
            table=lambda: charts.roc_table(curves),
        )


def show_mistakes() -> None:
    """Show the wrongly classified images, the most confident first."""
    rows = predictions.mistakes()
    st.caption(explanations.mistakes(predictions.confidence[rows].tolist(), matrix.n))
    if not len(rows):
        return
    pages = -(-len(rows) // PAGE)
    address.adopt("page", range(1, pages + 1), 1)
    number = st.pagination(pages, key="page", on_change=address.touched, args=("page",))
    address.keep({"page": number}, {"page": 1})
    split = load_split(selection.dataset, selection.split)
    items = [
        Item(
            row=int(row),
            image=split.images[row],
            true=predictions.classes[predictions.labels[row]],
            predicted=predictions.classes[predictions.predicted[row]],
            confidence=float(predictions.confidence[row]),
        )
        for row in rows[(number - 1) * PAGE : number * PAGE]
    ]
    gallery(items, key="mistakes")


{"Confusion matrix": show_matrix, "ROC curves": show_roc, "Mistakes": show_mistakes}[section]()
