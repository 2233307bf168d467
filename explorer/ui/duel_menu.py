"""What the form of a new duel can be filled from: the defaults, a suggestion, a preset, a run."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from explorer.store import summaries
from explorer.training.presets import Preset, presets
from explorer.ui import duel_filling, preset_menu, runs_words
from explorer.ui.duel_filling import SUGGESTIONS
from explorer.ui.text import markdown

WIDTH = 380
"""Of the contents on the screen, wider than the column that they hang from; on a small screen what there is."""
OFFERED = 50
"""Runs to choose from, the newest."""
OF_OTHERS = ("seed", "device", "threads", "snapshots")
"""Settings of a run that are about where and how often, not about what."""
_PRESET, _RUN = "duel-preset", "duel-run"


def show(dataset: str) -> None:
    """Show the menu, and what went wrong when it was used."""
    with st.popover("Fill in from …", icon=":material/tune:", width="stretch"), st.container(width=WIDTH):
        with st.container(horizontal=True, gap="small"):
            suggestions(dataset, "menu")
            st.button(
                "The defaults",
                icon=":material/restart_alt:",
                key="duel-defaults",
                on_click=duel_filling.ask,
                args=({"dataset": dataset}, "The defaults are filled in."),
            )
        _choose_preset(dataset)
        _choose_run(dataset)
    if problem := duel_filling.say():
        st.error(markdown(problem), icon=":material/error:")


def suggestions(dataset: str, place: str) -> None:
    """Show a button for each suggestion; `place` tells those of several places apart."""
    for one in SUGGESTIONS:
        st.button(
            one.title,
            icon=":material/lightbulb:",
            help=one.summary,
            key=f"duel-{place}-{one.name}",
            on_click=duel_filling.suggest,
            args=(one.name, dataset),
        )


def _choose_preset(dataset: str) -> None:
    found = [one for one in presets() if one.config.get("dataset") == dataset]
    preset_menu.choose("A preset", preset_menu.by_question(found, _PRESET), _PRESET, _use_preset)


def _use_preset(preset: Preset) -> None:
    duel_filling.ask(preset.config, f"**{markdown(preset.title)}** is filled in. {markdown(preset.summary)}")


def _choose_run(dataset: str) -> None:
    found = [run for run in summaries.listing() if run.dataset == dataset and not run.problem][:OFFERED]
    titles = {run.id: f"{runs_words.title(run, 50)} · {runs_words.moment(run.started)}" for run in found}
    configs = {run.id: (runs_words.title(run), run.config) for run in found}
    st.selectbox(
        "The settings of a run",
        list(titles),
        index=None,
        format_func=lambda run_id: titles[run_id],
        placeholder="Choose a run" if found else "No run on this data set yet",
        key=_RUN,
        disabled=not found,
        on_change=_use_run,
        args=(configs,),
    )


def _use_run(configs: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    chosen = configs.get(st.session_state[_RUN])
    st.session_state[_RUN] = None
    if chosen:
        name, config = chosen
        kept = {name: value for name, value in config.items() if name not in OF_OTHERS}
        duel_filling.ask(kept, f"The settings of **{markdown(name)}** are filled in.")
