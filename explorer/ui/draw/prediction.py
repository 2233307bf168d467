"""Predict: the three most probable classes in words, what the confidence is worth, and what decides."""

from collections.abc import Iterator

import streamlit as st

from explorer.ui import answers, formats, known
from explorer.ui.draw import words
from explorer.ui.draw.models import short
from explorer.ui.draw.sight import Scene, Sight
from explorer.ui.images import map_tag
from explorer.ui.known import Known
from explorer.ui.text import html_text

METHOD = "input-gradient"
SCALE = 5


def show(scene: Scene, sight: Sight | None) -> None:
    """Show what there is to say of the prediction."""
    if sight is None:
        st.caption("What the model says in words, what its confidence is worth and what it looks at will stand here.")
        return
    text, picture = st.columns([1.6, 1], gap="large")
    learnt = known.of(scene.models[0].checkpoint, scene.dataset)
    with text:
        st.markdown("\n\n".join([words.top_three(sight.first, scene.classes), *_worth(learnt, sight)]))
        if learnt is None:
            known.missing(scene.models[0].checkpoint, scene.dataset)
        if sight.photo and (about := known.about_pictures(scene.models[0].checkpoint)):
            st.caption(about)
        if len(sight.views) > 1:
            _table(scene, sight)
    with picture:
        _saliency(scene, sight)


def _worth(learnt: Known | None, sight: Sight) -> Iterator[str]:
    """Say in paragraphs what the confidence means, if that has been found out."""
    if learnt is None:
        return
    confidence = sight.first.confidence
    found, novelty = learnt.trust(confidence), learnt.judge(sight.first.logits, sight.image)
    if found is not None:
        yield words.trust(found, confidence)
    yield known.strange_why(novelty, confidence) if novelty.novel else f":small[{known.familiar(novelty)}]"


def _table(scene: Scene, sight: Sight) -> None:
    """Show the models side by side in numbers."""
    rows = []
    for view in sight.views:
        row = {
            "Model": short(view.model, scene.dataset),
            "Says": scene.classes[view.predicted],
            "Confidence": formats.percent(view.confidence),
        }
        if scene.target is not None:
            row["Meant class"] = formats.percent(view.probabilities[scene.target])
            row["Rank"] = str(view.rank(scene.target))
        rows.append(row)
    right = st.column_config.TextColumn(alignment="right")
    columns = dict.fromkeys(("Confidence", "Meant class", "Rank"), right)
    st.dataframe(rows, hide_index=True, column_config=columns, height="content", row_height=28, key="draw-models-table")


def _saliency(scene: Scene, sight: Sight) -> None:
    name = scene.classes[sight.first.predicted]
    gradient = answers.attribution(scene.models[0].checkpoint, sight.image, METHOD, sight.first.predicted)
    picture = map_tag(gradient, SCALE, f"Input gradient for {name}")
    title, reading = html_text(f"Saliency for {name}"), html_text(words.SALIENCY.format(name))
    st.html(f'{picture}<div style="font-size:.85rem;padding-top:.3rem"><b>{title}.</b> {reading}</div>')
