"""How well a model holds under attack on a sample of the split, beside another one, and training against attacks."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from explorer.analysis.robustness import BOTH, EPSILONS, RobustPoint, robust_accuracy, sampled
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import ConfigError
from explorer.store import summaries
from explorer.store.checkpoints import Checkpoint
from explorer.training.config import TrainConfig
from explorer.ui import address, cache, controls, listing, state, widgets
from explorer.ui.charts import fooling as drawn
from explorer.ui.explain import fooling_words, work
from explorer.ui.explain.question import Question
from explorer.ui.explain.work import Step, Steps
from explorer.ui.formats import many
from explorer.ui.loaded import classifier
from explorer.ui.text import markdown, plain, shorten

COUNTS = {"100": "100 images", "500": "500", "2000": "2,000"}
WITH, NOBODY = "with", ""
"""The second model in the URL, as on the page Evaluate."""
EPSILON, EPOCHS, RATE = 0.1, 5, 0.0005
"""Of a defence: how far images are changed, and a short, gentle training."""

Points = tuple[RobustPoint, ...]


def show(question: Question) -> None:
    """Show accuracy against epsilon, of the model and of another one where one is chosen."""
    st.caption(f"{fooling_words.ABOUT['fgsm']} {fooling_words.ABOUT['pgd']}")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        size = int(controls.segments("Images", COUNTS, "attacked-images", labelled=False))
        other = _other(question)
    models = {"this model": question.chosen} | ({other[0]: other[1]} if other else {})
    split = load_split(question.selection.dataset, question.selection.split)
    sample = min(size, len(split))
    checksum = catalog.get(split.dataset).checksum
    key: Hashable = (tuple(one.digest for one in models.values()), checksum, split.name, size)
    curves = work.result(
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
        widgets.figure(
            drawn.accuracy_chart(curves),
            name="accuracy-under-attack",
            how_to_read=fooling_words.accuracy(curves),
            table=lambda: drawn.accuracy_table(curves),
        )
    defend(question)


def _other(question: Question) -> tuple[str, Checkpoint] | None:
    """Let the user choose a second model of the same data set."""
    entries = listing.load().of_dataset(question.selection.dataset)
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
        kept: Points | None = work.shelf().get(place)
        if kept is None:
            points: list[RobustPoint] = []
            for point in robust_accuracy(classifier(checkpoint), sample.images, sample.labels):
                done = (number * len(EPSILONS) * len(BOTH) + len(points)) * len(sample) + point.n
                if point.complete:
                    points.append(point)
                said = f"{drawn.TITLES[point.method]}, epsilon {point.epsilon:g}"
                yield Step(done / total, said, found)
            kept = tuple(points)
            work.shelf().put(place, kept)
        found[name] = kept
        yield Step((number + 1) / len(models), name, dict(found))


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
        "adversarial": EPSILON,
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
    from explorer.ui import train_form

    train_form.open_with(config)
