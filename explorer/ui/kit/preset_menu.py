"""Choosing a preset: by the assignment and the question that ask for it."""

from collections.abc import Callable, Sequence

import streamlit as st

from explorer.training.presets import Preset, assignments


def by_question(found: Sequence[Preset], key: str) -> list[Preset]:
    """Let the user choose an assignment and one of its questions; return their presets, all as long as none is chosen.

    Parameters
    ----------
    found : sequence of Preset
    key : str
        Stem of the keys of the widgets.
    """
    known = {one.title: one.questions for one in assignments()}
    chosen = st.selectbox("Assignment", list(known), index=None, placeholder="All assignments", key=f"{key}-assignment")
    if chosen is None:
        return list(found)
    questions = {one.title: one.presets for one in known[chosen]}
    asked = st.selectbox(
        "Question", list(questions), index=None, placeholder="All questions", key=f"{key}-question-{chosen}"
    )
    wanted = questions[asked] if asked else [name for names in questions.values() for name in names]
    by_name = {one.name: one for one in found}
    return [by_name[name] for name in dict.fromkeys(wanted) if name in by_name]


def choose(label: str, found: Sequence[Preset], key: str, use: Callable[[Preset], None]) -> None:
    """Let the user choose a preset, which is handed to `use` in a callback; it can be chosen again at once."""
    titles = {one.title: one for one in found}
    st.selectbox(
        label,
        list(titles),
        index=None,
        placeholder="Choose a preset",
        key=key,
        on_change=_use,
        args=(key, titles, use),
    )


def _use(key: str, titles: dict[str, Preset], use: Callable[[Preset], None]) -> None:
    preset = titles.get(st.session_state[key])
    st.session_state[key] = None
    if preset:
        use(preset)
