"""Explain: one image, what the model says of it, and which pixels speak for a class."""

import random

import streamlit as st

from explorer.data.splits import load_split
from explorer.ui import cache, charts, explanations, formats, messages, state, widgets
from explorer.ui.images import img_tag
from explorer.ui.text import markdown

PREDICTED, TRUE = "predicted class", "true class"

st.title("Explain")
selection = state.selection()
if selection.checkpoint is None:
    messages.no_checkpoint()
split = load_split(selection.dataset, selection.split)
last = len(split) - 1
classes = cache.checkpoint(selection).classes
controls, place = st.columns([1, 2.8], gap="large")

with controls:
    with st.container(horizontal=True, gap="small"):
        if st.button("Random", help="A random image of the split."):
            st.session_state["image"] = random.randint(0, last)
        if st.button("A mistake", help="A random image that the model gets wrong."):
            wrong = cache.predictions(selection).mistakes().tolist()
            if wrong:
                st.session_state["image"] = random.choice(wrong)
            else:
                st.info("The model makes no mistake on this split.")
    st.session_state["image"] = min(st.session_state.get("image", 0), last)
    row = st.number_input(
        f"Image of the {selection.split} split, 0 to {formats.count(last)}", 0, last, key="image", bind="query-params"
    )
    wanted = st.selectbox(
        "Explain the score of",
        [PREDICTED, TRUE, *classes],
        key="target",
        bind="query-params",
        help="The score is the output (logit) of this class, before the softmax makes probabilities of all scores.",
    )
    chosen = st.pills(
        "Methods",
        list(explanations.METHODS),
        default=list(explanations.METHODS),
        selection_mode="multi",
        format_func=explanations.METHODS.get,
        wrap=True,
        key="methods",
        bind="query-params",
    )

true = int(split.labels[row])
probabilities = cache.probabilities(selection, row).tolist()
predicted = probabilities.index(max(probabilities))
target = {PREDICTED: predicted, TRUE: true}.get(wanted, classes.index(wanted) if wanted in classes else predicted)

with place:
    picture, bars = st.columns([1, 1.5], gap="medium")
    with picture:
        st.html(img_tag(split.images[row], 7, f"Image {row}: {classes[true]}"))
        sign = "✓" if predicted == true else "×"
        st.markdown(f"True: **{markdown(classes[true])}**  \nPredicted: {sign} **{markdown(classes[predicted])}**")
        st.caption(f"Number {formats.count(int(split.indices[row]))} in the file of the data set.")
    with bars:
        widgets.figure(
            charts.probability_bars(classes, probabilities, true, target),
            name="probabilities",
            how_to_read=explanations.probabilities(classes, probabilities, true),
            table=lambda: charts.probability_table(classes, probabilities),
            width=420,
        )


def show_map(name: str) -> None:
    """Compute and show one attribution map."""
    title = explanations.METHODS[name]
    with st.spinner(f"{title} …"):
        values = cache.attribution(selection, row, name, target)
    widgets.figure(
        charts.attribution_map(values, f"{title}: {classes[target]}", explanations.UNITS[name]),
        name=name,
        how_to_read=explanations.attribution(name, classes[target], values),
        table=lambda: charts.attribution_table(values),
        width=270,
        stretch=False,
    )


st.subheader(f"Which pixels speak for {markdown(classes[target])}?")
with st.container(horizontal=True, gap="small"):
    for method in chosen:
        show_map(method)
if not chosen:
    st.info("Choose a method on the left.")
