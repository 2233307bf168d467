"""The section Lie detector: whether a map follows the model, is chance, or would be the same without learning."""

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.analysis.faithfulness import CONSTANT, Examination, examine
from explorer.analysis.perturbation import REPEATS, STEPS
from explorer.analysis.randomisation import is_constant
from explorer.ui import answers, cache, controls, messages, widgets
from explorer.ui.charts import faithfulness as charts
from explorer.ui.explain import lie_words, methods, work
from explorer.ui.explain.colouring import coloured
from explorer.ui.explain.methods import Chosen
from explorer.ui.explain.question import Question
from explorer.ui.explain.work import Step, Steps
from explorer.ui.formats import percent, seconds
from explorer.ui.loaded import classifier, computing
from explorer.ui.text import markdown
from explorer.ui.tiles import Note, Tile, tiles

if TYPE_CHECKING:
    from torch import Tensor

WORK = "examination"
AT_ONCE = 2.0
"""Seconds that an examination may take to begin without being asked for."""
_PASSES = (REPEATS + 2) * (STEPS - 1)
"""Images of deletion and insertion: all orders with the steps between their ends."""


def show(question: Question) -> None:
    """Examine the map of a method for the image, and list what is known of the others."""
    with messages.shown():
        chosen = methods.choose(question)
        if not chosen:
            st.info("Choose a method above; its map is then examined.")
            return
        keys: dict[Chosen, Hashable] = {one: _key(question, one) for one in chosen}
        titles = {one.name: _marked(one, work.shelf().get((WORK, keys[one]))) for one in chosen}
        name = controls.segments("Examined", titles, "examined", labelled=False)
        one = next(one for one in chosen if one.name == name)
        if _is_constant(question, one):
            st.info(CONSTANT)
            _all(question, keys)
            return
        expected = _expected(question, one)
        found = work.result(
            WORK,
            keys[one],
            f"Examine this map (about {seconds(expected)})",
            lambda: _steps(question, one),
            at_once=expected < AT_ONCE,
        )
        if found is None:
            st.caption(
                "It takes pixels away in the order of the map and in 80 random orders, and computes the map again "
                "while the layers of the network forget what they learned, one after the other."
            )
        else:
            _verdict(found, one, question)
            _figures(found, question)
        _all(question, keys)


def _is_constant(question: Question, one: Chosen) -> bool:
    main = question.main
    aim = (main.aim.target, main.aim.against)
    return is_constant(cache.explained(question.selection, main.image, one.name, *aim, one.values).values)


def _key(question: Question, one: Chosen) -> Hashable:
    return question.chosen.digest, question.main.image.tobytes(), question.main.aim, one


def _marked(one: Chosen, found: Examination | None) -> str:
    if found is None or found.verdict is None:
        return one.title
    return f"{lie_words.BADGES[found.verdict].mark} {one.title}"


def _steps(question: Question, one: Chosen) -> Steps[Examination]:
    """Examine one map; the last step is complete."""
    import torch

    from explorer.analysis.attribution import Target, get
    from explorer.analysis.predictions import to_pixels

    model = classifier(question.chosen)
    pixels = to_pixels(question.main.image[None]).to(model.mean.device)
    aim = question.main.aim
    target = Target(torch.tensor([aim.target]), None if aim.against is None else torch.tensor([aim.against]))
    explain = get(one.name).with_options(one.values, _mean(question, one))
    for found in examine(explain, model, pixels, target):
        done = len(found.stages)
        said = (
            f"{lie_words.layer(found.stages[-1].layer, found.stages[-1].kind)} random"
            if done
            else "deletion and insertion"
        )
        yield Step((1 + done) / (1 + len(found.layers)), f"{one.title}: {said}", found)


def _expected(question: Question, one: Chosen) -> float:
    """Return about how many seconds an examination takes, measured once for each model and method."""
    return _measured(question.chosen.digest, one, question)


@st.cache_data(max_entries=128, show_spinner=False)
def _measured(digest: str, one: Chosen, _question: Question) -> float:
    import torch

    from explorer.analysis.predictions import predict
    from explorer.analysis.randomisation import DRAWS, DRAWS_BETWEEN, parametrised_layers

    main, model = _question.main, classifier(_question.chosen)
    aim = (main.aim.target, main.aim.against)
    cache.explained(_question.selection, main.image, one.name, *aim, one.values)
    images = np.repeat(main.image[None], 64, axis=0)
    with computing(), torch.inference_mode():
        layers = len(parametrised_layers(model, (1, *main.image.shape)))
        predict(model, images)  # the first call is slower than all others
        begun = time.perf_counter()
        predict(model, images)
        passes = time.perf_counter() - begun
    begun = time.perf_counter()
    answers.explain(_question.chosen, main.image, one.name, *aim, one.values, _mean(_question, one))
    each = time.perf_counter() - begun
    return passes * _PASSES / len(images) + each * (1 + DRAWS_BETWEEN * max(0, layers - 1) + DRAWS)


def _mean(question: Question, one: Chosen) -> "Tensor | None":
    return cache.mean_image(question.selection.dataset) if one.values.get("baseline") == "mean" else None


def _verdict(found: Examination, one: Chosen, question: Question) -> None:
    """Show the badge, and why."""
    if found.verdict is None:
        return
    badge = lie_words.BADGES[found.verdict]
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**{one.title}**", width="content")
            st.badge(found.verdict.value, color=badge.colour, icon=badge.icon)
        st.markdown(lie_words.why(found, question.main.aim.title(question.classes)))


def _figures(found: Examination, question: Question) -> None:
    """Show both curves, and the maps while the network forgets."""
    target = question.main.aim.title(question.classes)
    both: tuple[charts.What, charts.What] = ("deletion", "insertion")
    for place, what in zip(st.columns(2, gap="small"), both, strict=True):
        with place:
            widgets.figure(
                charts.perturbation_chart(found.curves, what, target),
                name=what,
                how_to_read=lie_words.curve(found.curves, what),
                table=lambda: charts.perturbation_table(found.curves),
            )
    names = [lie_words.layer(stage.layer, stage.kind) for stage in found.stages]
    st.markdown("**The map while the network forgets, layer by layer**")
    tiles("forgetting", _stages(found, names), scale=3, clickable=False)
    widgets.figure(
        charts.randomisation_chart(found, names),
        name="randomisation",
        how_to_read=lie_words.cascade(found),
        table=lambda: charts.randomisation_table(found),
    )


def _stages(found: Examination, names: Sequence[str]) -> list[Tile]:
    """Return the map of the trained network, then one for each layer that is random, each with its own scale."""
    maps = [("trained", found.attribution, "the map itself")]
    for name, stage in zip(names, found.stages, strict=True):
        note = "constant" if np.isnan(stage.signed[0]) else f"alike {lie_words.alike(stage.signed[0])}"
        maps.append((name, stage.example, note))
    result = []
    for at, (name, example, note) in enumerate(maps):
        values = example[0].sum(dim=0).float().cpu().numpy()
        result.append(Tile(at, coloured(values, float(np.abs(values).max())), name, (Note(note),)))
    return result


def _all(question: Question, keys: Mapping[Chosen, Hashable]) -> None:
    """List what is known of all chosen methods, and offer to examine the rest."""
    known: dict[Chosen, Examination] = {
        one: found for one, key in keys.items() if (found := work.shelf().get((WORK, key))) is not None
    }
    missing = [one for one in keys if one not in known and not _is_constant(question, one)]
    if len(keys) > 1 and missing:
        done = work.result(
            "examine-all",
            tuple(keys.values()),
            f"Examine all {len(keys)} methods",
            lambda: _every(question, keys),
            primary=False,
        )
        known |= done or {}
    if len(known) > 1:
        rows = [_line(one, known[one]) for one in keys if one in known]
        right = st.column_config.TextColumn(alignment="right")
        columns = dict.fromkeys(list(rows[0])[2:], right)
        random = next(iter(known.values())).curves.random_areas.mean()
        st.markdown(f"**All methods on {markdown(question.main.name)}**")
        st.dataframe(rows, hide_index=True, column_config=columns, height="content", row_height=28, key="verdicts")
        st.caption(
            f"Deletion: area under the curve, the smaller the better. Insertion: the larger the better. Random orders "
            f"have {percent(float(random))} on average in both. Alike: rank correlation with maps of networks with "
            "random weights, the nearer to 0 the better."
        )


def _every(question: Question, keys: Mapping[Chosen, Hashable]) -> Steps[dict[Chosen, Examination]]:
    found: dict[Chosen, Examination] = {}
    for number, (one, key) in enumerate(keys.items()):
        kept: Examination | None = work.shelf().get((WORK, key))
        if kept is None and not _is_constant(question, one):
            for step in _steps(question, one):
                kept = step.result
                yield Step((number + step.share) / len(keys), step.said, found)
            work.shelf().put((WORK, key), kept)
        if kept is not None:
            found[one] = kept
        yield Step((number + 1) / len(keys), one.title, dict(found))


def _line(one: Chosen, found: Examination) -> dict[str, str]:
    verdict = "–" if found.verdict is None else f"{lie_words.BADGES[found.verdict].mark} {found.verdict.value}"
    return {
        "Method": one.title,
        "Verdict": verdict,
        "Deletion": percent(found.curves.deletion_area),
        "Insertion": percent(found.curves.insertion_area),
        "Alike": "–" if found.similarity is None else lie_words.alike(found.similarity),
    }
