"""Adversarial images, titled Fooling: how small a change makes the model err, and how to train against it."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.adversarial.attacks import STEPS, Attack
from explorer.analysis.adversarial.images import Adversarial, Method
from explorer.analysis.adversarial.robustness import (
    BOTH,
    EPSILONS,
    LIMIT,
    RobustPoint,
    SmallestEpsilon,
    robust_accuracy,
    sampled,
)
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError
from explorer.store import summaries
from explorer.store.checkpoints import Checkpoint
from explorer.training.config import TrainConfig
from explorer.ui import charts
from explorer.ui.charts import adversarial as drawn
from explorer.ui.charts.adversarial import GREYS
from explorer.ui.charts.probabilities import response_chart, response_table
from explorer.ui.explain.choice import Question
from explorer.ui.explain.grid import coloured
from explorer.ui.kit import (
    address,
    background,
    cache,
    checkpoints,
    controls,
    figure,
    messages,
    numbers,
    state,
    training_form,
)
from explorer.ui.kit.background import Steps, WorkProgress
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.numbers import interval, many, percent, percents, short
from explorer.ui.kit.text import html_text, markdown, plain, shorten

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
            show_sample(question)
        else:
            _one(question)


def _one(question: Question) -> None:
    """Show the image before and after, the change between, and what the model says."""
    classes, image = question.classes, question.main.image
    left, middle, right = st.columns([1, 1.3, 2], gap="small", vertical_alignment="bottom")
    with left:
        about = f"{ABOUT['fgsm']}\n\n{ABOUT['pgd']}"
        name = controls.segments("Method", drawn.TITLES, "method", about)
        method: Method = "pgd" if name == "pgd" else "fgsm"
    with middle:
        target = controls.select("Towards", dict(enumerate(classes)), "towards", "Away from its class")
    with st.spinner("Looking for the smallest change …"):
        found = _smallest(question.chosen.digest, image.tobytes(), method, target, question)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.markdown(smallest(found, classes, target), width="stretch")
        if found.epsilon:
            levels = min(LEVELS[-1], math.ceil(found.epsilon * drawn.GREYS - 1e-9))
            st.button("Show it", key="show-smallest", on_click=address.put, args=(EPSILON, levels))
    with right:
        help = f"The most by which a pixel may change: black is 0, white {drawn.GREYS}."
        level = controls.slide("Epsilon, in grey levels", LEVELS, DEFAULT, EPSILON, "%d", help)
    after = _attacked(question.chosen.digest, image.tobytes(), method, target, level, question)
    _pictures(after, classes)
    left, right = st.columns([1, 1], gap="small")
    with left:
        _bars(after, classes, target)
    with right:
        figure.figure(
            drawn.epsilon_chart(found.tried, classes, level / drawn.GREYS, found.epsilon),
            name="against-epsilon",
            how_to_read=against_epsilon(found, method),
            table=lambda: drawn.epsilon_table(found.tried, classes),
        )
    defend(question)


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
        _picture(drawn.grey(after.originals[0]), "Original", f"{classes[was]} {numbers.percent(first)}")
        _picture(coloured(change, largest), "Change, enlarged", scale)
        sign = "" if was == now else "→ "
        _picture(drawn.grey(after.images[0]), "Result", f"{sign}{classes[now]} {numbers.percent(last)}")
        figure.take_away(
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
    figure.figure(
        chart,
        name="before-and-after",
        how_to_read=attacked(after, classes),
        table=lambda: response_table(classes, logits, shares, target),
    )


COUNTS = {"100": "100 images", "500": "500", "2000": "2,000"}
WITH, NOBODY = "with", ""
"""The second model in the URL, as on the page Evaluate."""
SAMPLE_EPSILON, EPOCHS, RATE = 0.1, 5, 0.0005
"""Of a defence: how far images are changed, and a short, gentle training."""

Points = tuple[RobustPoint, ...]


def show_sample(question: Question) -> None:
    """Show accuracy against epsilon, of the model and of another one where one is chosen."""
    st.caption(f"{ABOUT['fgsm']} {ABOUT['pgd']}")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        size = int(controls.segments("Images", COUNTS, "attacked-images", labelled=False))
        other = _other(question)
    models = {"this model": question.chosen} | ({other[0]: other[1]} if other else {})
    split = load_split(question.selection.dataset, question.selection.split)
    sample = min(size, len(split))
    checksum = catalog.get(split.dataset).checksum
    key: Hashable = (tuple(one.digest for one in models.values()), checksum, split.name, size)
    curves = background.result(
        "accuracy-under-attack",
        key,
        f"Attack {many(sample, 'image')} with {len(EPSILONS) - 1} epsilons",
        lambda: _steps(models, question, size, (checksum, split.name, size)),
    )
    if curves is None:
        st.caption(
            "The same images of the split are attacked, in equal parts of all classes, away from their true classes, "
            "and the accuracy is counted for each epsilon."
        )
    else:
        figure.figure(
            drawn.accuracy_chart(curves),
            name="accuracy-under-attack",
            how_to_read=accuracy(curves),
            table=lambda: drawn.accuracy_table(curves),
        )
    defend(question)


def _other(question: Question) -> tuple[str, Checkpoint] | None:
    """Let the user choose a second model of the same data set."""
    entries = checkpoints.load().of_dataset(question.selection.dataset)
    titles = {one.reference: one.title for one in entries if one.reference != question.selection.checkpoint}
    address.adopt(WITH, [NOBODY, *titles], NOBODY)
    reference = st.selectbox(
        "Beside",
        [NOBODY, *titles],
        format_func=lambda name: plain(titles.get(str(name), "Compare with …")),
        key=WITH,
        label_visibility="collapsed",
        on_change=address.touched,
        args=(WITH,),
    )
    address.keep({WITH: reference}, {WITH: NOBODY})
    if not reference:
        return None
    found = cache.checkpoint(replace(question.selection, checkpoint=reference, epoch=None))
    if len(found.classes) != len(question.classes):
        st.info("The second model has other classes and is left out.")
        return None
    return shorten(titles[reference], 40), found


def _steps(models: dict[str, Checkpoint], question: Question, size: int, data: Hashable) -> Steps[dict[str, Points]]:
    """Attack with one model after the other; what is known of one is taken as it is."""
    sample = sampled(load_split(question.selection.dataset, question.selection.split), size)
    total = len(models) * len(EPSILONS) * len(BOTH) * len(sample)
    found: dict[str, Points] = {}
    for number, (name, checkpoint) in enumerate(models.items()):
        place = ("robust", checkpoint.digest, data)
        kept: Points | None = background.known(place)
        if kept is None:
            points: list[RobustPoint] = []
            for point in robust_accuracy(classifier(checkpoint), sample.images, sample.labels):
                done = (number * len(EPSILONS) * len(BOTH) + len(points)) * len(sample) + point.n
                if point.complete:
                    points.append(point)
                said = f"{drawn.TITLES[point.method]}, epsilon {point.epsilon:g}"
                yield WorkProgress(done / total, said, found)
            kept = tuple(points)
            background.keep(place, kept)
        found[name] = kept
        yield WorkProgress((number + 1) / len(models), name, dict(found))


def defend(question: Question) -> None:
    """Offer to train the model on adversarial examples, and to compare it with those that were."""
    defended = _defended(question)
    with st.container(border=True, gap="xsmall"):
        st.markdown(
            "**Defend.** Train the model further on images of which every second one is attacked: it learns to resist, "
            "mostly at the price of some accuracy on unchanged images."
        )
        try:
            TrainConfig.parse(defence(question))
        except ConfigError as error:
            st.caption(markdown(str(error)))
            return
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Train against it",
                key="defend",
                icon=":material/shield:",
                on_click=_open,
                args=(defence(question),),
                help="Opens the page Train with the settings filled in; nothing is started yet.",
            )
            for title, query in defended:
                state.link("evaluate", f"Compare with {markdown(title)}", section="Two models", **query)


def defence(question: Question) -> dict[str, Any]:
    """Return the settings of a run that goes on from the model with adversarial examples."""
    chosen = question.chosen
    return {
        "dataset": question.selection.dataset,
        "model": chosen.model,
        "options": dict(chosen.options),
        "initial": question.selection.reference,
        "adversarial": SAMPLE_EPSILON,
        "epochs": EPOCHS,
        "learning_rate": RATE,
    }


def _defended(question: Question) -> Sequence[tuple[str, dict[str, str]]]:
    """Return the newest runs that began with this model and were trained against attacks, or what it began with."""
    own = question.chosen.config
    found = []
    if own.get("adversarial") and own.get("initial"):
        found.append(("what it was before", {WITH: str(own["initial"]).partition("@")[0]}))
    for run in summaries.listing():
        config = run.config
        begun = str(config.get("initial") or "").partition("@")[0]
        usable = not run.problem and run.status.best_epoch is not None
        if usable and config.get("adversarial") and begun == question.selection.checkpoint:
            found.append((shorten(run.name, 30), {WITH: run.id}))
    return found[:3]


def _open(config: dict[str, Any]) -> None:
    training_form.open_with(config)


TYPICAL = 0.05
"""The epsilon by which a curve is explained."""
ABOUT = {
    "fgsm": "FGSM (Goodfellow et al., 2015) moves every pixel by epsilon, up or down, as far as black and white allow: "
    "one step along the sign of the gradient, which leads away from the class or towards the one chosen.",
    "pgd": f"PGD (Madry et al., 2018) takes {STEPS} smaller steps of that kind from a random start, and never moves a "
    "pixel by more than epsilon: slower, but mostly stronger.",
}
FAILS: dict[Method, str] = {
    "fgsm": "as it follows the slope at the image alone",
    "pgd": f"as its {STEPS} steps may end in another place",
}
"""Why an attack may fail again at a larger epsilon."""


def epsilon(value: float) -> str:
    """Write an epsilon, in shares of white and in grey levels."""
    return f"{value:.3f} ({value * GREYS:.1f} of {GREYS} grey levels)"


def smallest(found: SmallestEpsilon, classes: Sequence[str], target: int | None) -> str:
    """Say how little it takes."""
    before = markdown(classes[int(found.tried.predicted_before[0])])
    if found.place is None or found.epsilon is None:
        limit = float(found.tried.epsilon[-1])
        aim = "flips it" if target is None else f"leads to {markdown(classes[target])}"
        return f"No change up to epsilon {limit:.2f} that was tried {aim}: it stays {before}."
    if found.epsilon == 0:
        return f"The model says {before} without any change."
    after = markdown(classes[int(found.tried.predicted_after[found.place])])
    return f"The smallest change found that makes {before} into **{after}**: epsilon **{epsilon(found.epsilon)}**."


def attacked(found: Adversarial, classes: Sequence[str]) -> str:
    """Explain the bars before and after."""
    was, now = int(found.predicted_before[0]), int(found.predicted_after[0])
    first, last = float(found.probabilities_before[0, was]), float(found.probabilities_after[0, was])
    size = float(abs(found.perturbation).max())
    text = (
        f"No pixel changed by more than {size * GREYS:.1f} of {GREYS} grey levels. The probability of "
        f"{markdown(classes[was])} went from {' to '.join(percents(first, last))}"
    )
    if was == now:
        return f"{text}, and it is still the first choice."
    return (
        f"{text}; now the model says {markdown(classes[now])} with {percent(float(found.probabilities_after[0, now]))}."
    )


def against_epsilon(found: SmallestEpsilon, method: Method = "fgsm") -> str:
    """Explain the probabilities against epsilon."""
    text = "Each line is the probability of a class while every pixel may change by more; the thin line is the epsilon "
    text += "shown above"
    if found.epsilon:
        text += f", the dashed one the smallest that flips the class, {found.epsilon:.3f}"
    return f"{text}. An attack may fail again at a larger epsilon, {FAILS[method]}."


def accuracy(curves: Mapping[str, Sequence[RobustPoint]]) -> str:
    """Explain accuracy against epsilon, by one epsilon."""
    said = []
    for model, points in curves.items():
        clean = next(point for point in points if point.epsilon == 0)
        hit = next(point for point in points if point.epsilon >= TYPICAL and point.method == "pgd")
        said.append(
            f"{markdown(model)[:1].upper()}{markdown(model)[1:]} is right on {percent(clean.accuracy)} of "
            f"{many(clean.n, 'image')} as they are, and on {percent(hit.accuracy)} ({interval(*hit.interval)}) "
            f"if PGD may change every pixel by {hit.epsilon:g}"
        )
    return (
        f"{'. '.join(said)}. The bands are 95% intervals. Each model is attacked with its own gradients, which is the "
        "worst case."
    )
