"""Collect: keeping the drawing under its right name, in the user's own set."""

import streamlit as st

from explorer.data import own_sets
from explorer.data.own_set import OwnSet
from explorer.data.placement import Grey
from explorer.errors import ExplorerError
from explorer.ui.draw import own
from explorer.ui.draw.sight import Scene, Sight
from explorer.ui.text import with_article

_LABEL = "collect-label"


def show(scene: Scene, sight: Sight | None) -> None:
    """Offer to keep the drawing; what is kept stands below, where a stroke does not renew it."""
    which, more, label, keep = st.columns([1.4, 0.9, 1.4, 1.3], gap="small", vertical_alignment="bottom")
    with which:
        chosen = own.choose(scene.dataset)
    with more:
        own.begin_another(scene.dataset)
    with label:
        right = st.selectbox(
            "That was wrong, it is" if _is_wrong(scene, sight) else "It is",
            range(len(scene.classes)),
            index=scene.target,
            format_func=lambda number: with_article(scene.classes[number]),
            placeholder="Say what it is",
            key=f"{_LABEL}-{scene.target}",
        )
    with keep:
        st.button(
            "Keep it",
            icon=":material/save:",
            type="primary",
            width="stretch",
            key="collect-keep",
            disabled=sight is None,
            on_click=_keep,
            args=(scene, chosen, None if sight is None else sight.image, right),
            help="The 28 × 28 pixels that the model sees go into your set, with this label.",
        )


def _is_wrong(scene: Scene, sight: Sight | None) -> bool:
    return sight is not None and scene.target is not None and sight.first.predicted != scene.target


def _keep(scene: Scene, chosen: OwnSet | None, image: Grey | None, label: int | None) -> None:
    if image is None:
        return
    if label is None:
        own.say("Say first what it is.", problem=True)
        return
    try:
        chosen = chosen or own_sets.for_dataset(scene.dataset, own.FIRST)
        change = chosen.add(image, label)
    except ExplorerError as error:
        own.say(str(error), problem=True)
        return
    name = scene.classes[label]
    own.note(chosen, change, f"a drawing of {name} was kept")
    own.say(f"Kept as {name} in {chosen.name}.")
