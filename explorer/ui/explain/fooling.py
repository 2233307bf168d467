"""The section Fooling: how small a change makes the model see another class, and how to train against it."""

import math

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.adversarial import Attack
from explorer.analysis.adversarial_images import Adversarial, Method
from explorer.analysis.robustness import LIMIT, SmallestEpsilon
from explorer.ui import charts, controls, formats, messages, widgets
from explorer.ui.charts import fooling as drawn
from explorer.ui.charts.response import response_chart, response_table
from explorer.ui.explain import fooling_many, fooling_words
from explorer.ui.explain.colouring import coloured
from explorer.ui.explain.figures import short
from explorer.ui.explain.question import Question
from explorer.ui.images import img_tag
from explorer.ui.loaded import classifier, computing
from explorer.ui.text import html_text, plain

ONE, MANY = "one", "many"
OF = {ONE: "This image", MANY: "Accuracy of many"}
EPSILON, DEFAULT = "epsilon", 16
LEVELS = range(math.floor(LIMIT * drawn.GREYS) + 1)
"""Grey levels that the slider offers."""
SCALE = 5


def show(question: Question) -> None:
    """Attack the image, or a sample of the split."""
    with messages.shown():
        of = controls.segments("Attack", OF, "attacked", labelled=False)
        if of == MANY:
            fooling_many.show(question)
        else:
            _one(question)


def _one(question: Question) -> None:
    """Show the image before and after, the change between, and what the model says."""
    classes, image = question.classes, question.main.image
    left, middle, right = st.columns([1, 1.3, 2], gap="small", vertical_alignment="bottom")
    with left:
        about = f"{fooling_words.ABOUT['fgsm']}\n\n{fooling_words.ABOUT['pgd']}"
        name = controls.segments("Method", drawn.TITLES, "method", about)
        method: Method = "pgd" if name == "pgd" else "fgsm"
    with middle:
        target = controls.select("Towards", dict(enumerate(classes)), "towards", "Away from its class")
    with st.spinner("Looking for the smallest change …"):
        found = _smallest(question.chosen.digest, image.tobytes(), method, target, question)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.markdown(fooling_words.smallest(found, classes, target), width="stretch")
        if found.epsilon:
            levels = min(LEVELS[-1], math.ceil(found.epsilon * drawn.GREYS - 1e-9))
            st.button("Show it", key="show-smallest", on_click=controls.put, args=(EPSILON, levels))
    with right:
        help = f"The most by which a pixel may change: black is 0, white {drawn.GREYS}."
        level = controls.slide("Epsilon, in grey levels", LEVELS, DEFAULT, EPSILON, "%d", help)
    after = _attacked(question.chosen.digest, image.tobytes(), method, target, level, question)
    _pictures(after, classes)
    left, right = st.columns([1, 1], gap="small")
    with left:
        _bars(after, classes, target)
    with right:
        widgets.figure(
            drawn.epsilon_chart(found.tried, classes, level / drawn.GREYS, found.epsilon),
            name="against-epsilon",
            how_to_read=fooling_words.against_epsilon(found, method),
            table=lambda: drawn.epsilon_table(found.tried, classes),
        )
    fooling_many.defend(question)


@st.cache_data(max_entries=64, show_spinner=False)
def _smallest(digest: str, content: bytes, method: Method, target: int | None, _question: Question) -> SmallestEpsilon:
    model = classifier(_question.chosen)
    with computing():
        return SmallestEpsilon.find(model, _question.main.image, Attack(method, target))


@st.cache_data(max_entries=256, show_spinner=False)
def _attacked(
    digest: str, content: bytes, method: Method, target: int | None, level: int, _question: Question
) -> Adversarial:
    model = classifier(_question.chosen)
    with computing():
        return Attack(method, target).run(model, _question.main.image[None], epsilon=level / drawn.GREYS)


def _pictures(after: Adversarial, classes: tuple[str, ...]) -> None:
    """Show original, change and result side by side, with what the model says."""
    change = after.perturbation[0, 0]
    largest = float(np.abs(change).max())
    was, now = int(after.predicted_before[0]), int(after.predicted_after[0])
    first, last = float(after.probabilities_before[0, was]), float(after.probabilities_after[0, now])
    scale = (
        f"warm brighter, cold darker, by up to {short(largest * drawn.GREYS)} grey levels" if largest else "no change"
    )
    with st.container(horizontal=True, gap="medium"):
        _picture(drawn.grey(after.originals[0]), "Original", f"{classes[was]} {formats.percent(first)}")
        _picture(coloured(change, largest), "Change, enlarged", scale)
        sign = "" if was == now else "→ "
        _picture(drawn.grey(after.images[0]), "Result", f"{sign}{classes[now]} {formats.percent(last)}")
        widgets.take_away(
            charts.attribution_map(change, "Change of each pixel", "brightness, white is 1"),
            "change",
            lambda: charts.attribution_table(change),
        )


def _picture(image: NDArray[np.uint8], title: str, said: str) -> None:
    width = image.shape[1] * SCALE + 2
    st.html(
        f'<div style="width:{width}px;font-size:.8rem;line-height:1.3"><b>{title}</b>'
        f"{img_tag(image, SCALE, f'{title}: {said}')}"
        f'<div style="padding-top:.2rem">{html_text(plain(said))}</div></div>',
        width="content",
    )


def _bars(after: Adversarial, classes: tuple[str, ...], target: int | None) -> None:
    shares = {"before": after.probabilities_before[0].tolist(), "after": after.probabilities_after[0].tolist()}
    logits = {"before": after.logits_before[0].tolist(), "after": after.logits_after[0].tolist()}
    chart = response_chart(classes, shares, None)
    chart["title"] = "What the model says"
    widgets.figure(
        chart,
        name="before-and-after",
        how_to_read=fooling_words.attacked(after, classes),
        table=lambda: response_table(classes, logits, shares, target),
    )
