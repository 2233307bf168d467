"""Faithfulness, titled Lie detector: whether a map follows the model, is chance, or would be the same untrained."""

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import streamlit as st

from explorer.analysis.faithfulness.deletion import REPEATS, STEPS, PerturbationCurves
from explorer.analysis.faithfulness.randomisation import is_constant
from explorer.analysis.faithfulness.verdict import ALIKE, CONSTANT, Examination, FaithfulnessVerdict, examine
from explorer.ui.charts import attribution as charts
from explorer.ui.explain import methods
from explorer.ui.explain.choice import Question
from explorer.ui.explain.grid import coloured
from explorer.ui.explain.methods import Chosen
from explorer.ui.kit import answers, background, cache, controls, figure, messages
from explorer.ui.kit.background import Steps, WorkProgress
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.numbers import percent, seconds
from explorer.ui.kit.text import markdown
from explorer.ui.kit.tiles import Note, Tile, tiles

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
        titles = {one.name: _marked(one, background.known((WORK, keys[one]))) for one in chosen}
        name = controls.segments("Examined", titles, "examined", labelled=False)
        one = next(one for one in chosen if one.name == name)
        if _is_constant(question, one):
            st.info(CONSTANT)
            _all(question, keys)
            return
        expected = _expected(question, one)
        found = background.result(
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
    return f"{BADGES[found.verdict].mark} {one.title}"


def _steps(question: Question, one: Chosen) -> Steps[Examination]:
    """Examine one map; the last step is complete."""
    import torch

    from explorer.analysis.attribution import Target, get
    from explorer.analysis.evaluation.predictions import to_pixels

    model = classifier(question.chosen)
    pixels = to_pixels(question.main.image[None]).to(model.mean.device)
    aim = question.main.aim
    target = Target(torch.tensor([aim.target]), None if aim.against is None else torch.tensor([aim.against]))
    explain = get(one.name).with_options(one.values, _mean(question, one))
    for found in examine(explain, model, pixels, target):
        done = len(found.stages)
        said = f"{layer(found.stages[-1].layer, found.stages[-1].kind)} random" if done else "deletion and insertion"
        yield WorkProgress((1 + done) / (1 + len(found.layers)), f"{one.title}: {said}", found)


def _expected(question: Question, one: Chosen) -> float:
    """Return about how many seconds an examination takes, measured once for each model and method."""
    return _measured(question.chosen.digest, one, question)


@st.cache_data(max_entries=128, show_spinner=False)
def _measured(digest: str, one: Chosen, _question: Question) -> float:
    import torch

    from explorer.analysis.evaluation.predictions import predict
    from explorer.analysis.faithfulness.randomisation import DRAWS, DRAWS_BETWEEN, parametrised_layers

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
    badge = BADGES[found.verdict]
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(f"**{one.title}**", width="content")
            st.badge(found.verdict.value, color=badge.colour, icon=badge.icon)
        st.markdown(why(found, question.main.aim.title(question.classes)))


def _figures(found: Examination, question: Question) -> None:
    """Show both curves, and the maps while the network forgets."""
    target = question.main.aim.title(question.classes)
    both: tuple[charts.What, charts.What] = ("deletion", "insertion")
    for place, what in zip(st.columns(2, gap="small"), both, strict=True):
        with place:
            figure.figure(
                charts.perturbation_chart(found.curves, what, target),
                name=what,
                how_to_read=curve(found.curves, what),
                table=lambda: charts.perturbation_table(found.curves),
            )
    names = [layer(stage.layer, stage.kind) for stage in found.stages]
    st.markdown("**The map while the network forgets, layer by layer**")
    tiles("forgetting", _stages(found, names), scale=3, clickable=False)
    figure.figure(
        charts.randomisation_chart(found, names),
        name="randomisation",
        how_to_read=cascade(found),
        table=lambda: charts.randomisation_table(found),
    )


def _stages(found: Examination, names: Sequence[str]) -> list[Tile]:
    """Return the map of the trained network, then one for each layer that is random, each with its own scale."""
    maps = [("trained", found.attribution, "the map itself")]
    for name, stage in zip(names, found.stages, strict=True):
        note = "constant" if np.isnan(stage.signed[0]) else f"alike {alike(stage.signed[0])}"
        maps.append((name, stage.example, note))
    result = []
    for at, (name, example, note) in enumerate(maps):
        values = example[0].sum(dim=0).float().cpu().numpy()
        result.append(Tile(at, coloured(values, float(np.abs(values).max())), name, (Note(note),)))
    return result


def _all(question: Question, keys: Mapping[Chosen, Hashable]) -> None:
    """List what is known of all chosen methods, and offer to examine the rest."""
    known: dict[Chosen, Examination] = {
        one: found for one, key in keys.items() if (found := background.known((WORK, key))) is not None
    }
    missing = [one for one in keys if one not in known and not _is_constant(question, one)]
    if len(keys) > 1 and missing:
        done = background.result(
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
        kept: Examination | None = background.known((WORK, key))
        if kept is None and not _is_constant(question, one):
            for step in _steps(question, one):
                kept = step.result
                yield WorkProgress((number + step.share) / len(keys), step.said, found)
            background.keep((WORK, key), kept)
        if kept is not None:
            found[one] = kept
        yield WorkProgress((number + 1) / len(keys), one.title, dict(found))


def _line(one: Chosen, found: Examination) -> dict[str, str]:
    verdict = "–" if found.verdict is None else f"{BADGES[found.verdict].mark} {found.verdict.value}"
    return {
        "Method": one.title,
        "Verdict": verdict,
        "Deletion": percent(found.curves.deletion_area),
        "Insertion": percent(found.curves.insertion_area),
        "Alike": "–" if found.similarity is None else alike(found.similarity),
    }


class Badge(NamedTuple):
    """How a verdict is shown: a mark for plain text, a colour and an icon."""

    mark: str
    colour: Literal["green", "orange", "red"]
    icon: str


BADGES: Mapping[FaithfulnessVerdict, Badge] = {
    FaithfulnessVerdict.FOLLOWS: Badge("✓", "green", ":material/check:"),
    FaithfulnessVerdict.CHANCE: Badge("?", "orange", ":material/question_mark:"),
    FaithfulnessVerdict.INDEPENDENT: Badge("×", "red", ":material/close:"),
    FaithfulnessVerdict.UNKNOWN: Badge("?", "orange", ":material/question_mark:"),
}


def why(found: Examination, target: str) -> str:
    """Give the reason of the verdict in a sentence or two."""
    similarity = alike(found.similarity or 0.0)
    last = found.stages[-1].signed if found.stages else np.ones(1)
    constant = int(np.isnan(last).sum())
    left_out = f" {constant} of {len(last)} such maps are constant and not counted." if constant else ""
    if found.verdict is FaithfulnessVerdict.INDEPENDENT:
        return (
            f"With random weights throughout the network the map stays alike: rank correlation {similarity}, and from "
            f"{ALIKE} on it counts as the same picture. It shows the image, not what the network has learned.{left_out}"
        )
    curves = found.curves
    random = float(curves.random_areas.mean())
    areas = (
        f"deletion area {percent(curves.deletion_area)}, insertion area {percent(curves.insertion_area)}, random "
        f"orders {percent(random)} on average"
    )
    if found.verdict is FaithfulnessVerdict.UNKNOWN:
        return (
            "Every map of a network with random weights has the same value everywhere, so nobody can tell whether this "
            f"one depends on what was learned ({areas})."
        )
    forgets = f"With random weights the map becomes another one (rank correlation {similarity})"
    if found.verdict is FaithfulnessVerdict.FOLLOWS:
        deletes = curves.p_deletion <= curves.p_insertion
        what = "Taking away its most important pixels lowers" if deletes else "Adding its most important pixels raises"
        return (
            f"{what} the probability of {markdown(target)} faster than random orders do ({areas}). {forgets}.{left_out}"
        )
    return (
        f"{forgets}, but the probability of {markdown(target)} reacts to its most important pixels no faster than to "
        f"random ones, as far as can be told ({areas}).{left_out}"
    )


def curve(curves: PerturbationCurves, what: str) -> str:
    """Explain the curve of deletion or insertion."""
    low, high = np.quantile(curves.random_areas, [0.025, 0.975])
    area, chance = (
        (curves.deletion_area, curves.p_deletion) if what == "deletion" else (curves.insertion_area, curves.p_insertion)
    )
    good = "The sooner the line falls" if what == "deletion" else "The sooner the line rises"
    return (
        f"{good}, the better the map. Its area is {percent(area)}; grey is what 95% of {len(curves.random)} random "
        f"orders give, with areas from {percent(float(low))} to {percent(float(high))}. Of these orders and the map's "
        f"own, a share of {percent(chance)} does as well."
    )


def cascade(found: Examination) -> str:
    """Explain the randomisation of the layers."""
    text = (
        "From left to right the layers forget what they learned, the last one first. A map that shows the network must "
        f"change: a rank correlation of 1 is the same map, 0 another one, and {ALIKE} the dashed limit."
    )
    if found.indifferent_to:
        many = len(found.indifferent_to)
        return f"{text} Here {many} of {len(found.layers)} layers could be random before it became another map."
    return f"{text} Here it becomes another map with the first layer that is random."


def layer(name: str, kind: str = "") -> str:
    """Return the type and name of a layer, without the part of the name that all have in common."""
    return f"{kind} {name.removeprefix('network.')}".strip()


def alike(value: float) -> str:
    """Write a rank correlation."""
    return "undefined" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
