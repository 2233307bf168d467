"""The form of a new duel: what both sides share, the setting in which they differ, and the number of seeds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st

import models
from explorer.errors import ConfigError, ExplorerError
from explorer.experiments import duels
from explorer.experiments.duels import OPTION, StartingPoint
from explorer.store import summaries
from explorer.training.advice import advice
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.training.presets import Preset, presets
from explorer.training.seeds.loop import objection_to_vectorising
from explorer.ui.experiments import filling, progress
from explorer.ui.experiments.filling import FIELD, FIRST_FIELD, FIRST_SEEDS, KEY, MAX_SEEDS, SEEDS, SUGGESTIONS
from explorer.ui.kit import preset_menu, run_text
from explorer.ui.kit.options_form import options_form
from explorer.ui.kit.text import choice, label, markdown, shorten
from explorer.ui.kit.training_form import ONLY_WITH

COMMON = ("optimizer", "learning_rate", "momentum", "batch_size", "epochs", "subset")
SHOWN_CHANGES = 200
_KEPT: dict[str, Any] = {"persist_state": "session"}


class Outlook(NamedTuple):
    """What a duel that can be fought amounts to.

    Attributes
    ----------
    parameters : tuple of int
        Trainable ones of both sides.
    point : StartingPoint
    hints : tuple of tuple of str
        For each side, what is probably not meant.
    """

    parameters: tuple[int, int]
    point: StartingPoint
    hints: tuple[tuple[str, ...], tuple[str, ...]]


def show(dataset: str) -> duels.Duel | None:
    """Show the form for a data set; return the duel that was just started by its button."""
    filling.apply()
    fill_menu(dataset)
    model = _model()
    field = _field(model)
    values, problems = _common(dataset, model, field)
    problems += _side_a(values, field)
    config, other, found, problem = None, None, None, ""
    try:
        config = filling.checked(values, problems)
        other = _side_b(config, field)
        found = outlook(config.model_dump_json(), field, other)
    except ExplorerError as error:
        problem = str(error)
    seeds = _seeds()
    with st.container(key=f"start-{KEY}", gap="xsmall"):
        if found is None:
            st.error(markdown(problem), icon=":material/error:")
        pressed = st.button(
            "Start the duel",
            type="primary",
            icon=":material/swords:",
            width="stretch",
            disabled=found is None,
            key=f"{KEY}-start",
        )
    if config is None or found is None:
        return None
    _say(found, field, _how(config.model_dump_json(), field, other, seeds))
    return duels.start(config, field, other, seeds) if pressed else None


@st.cache_data(max_entries=128, show_spinner=False)
def outlook(document: str, field: str, other: Any) -> Outlook:
    """Return what a duel amounts to.

    Parameters
    ----------
    document : str
        The configuration of side a as JSON.
    field, other : str, Any
        The setting that differs, and its value on side b.

    Raises
    ------
    ExplorerError
        One side cannot be trained, both are the same, or the setting has no effect.
    """
    config = TrainConfig.parse_json(document)
    plan = make_plan(config)
    changed = duels.rival(config, field, other)
    name, needed = ONLY_WITH.get(field, ("", ()))
    if name and getattr(config, name) not in needed:
        options = " or ".join(choice(one) for one in needed)
        raise ConfigError(
            f"{label(field)} has an effect only with {label(name).lower()} {options}, so both sides would be alike. "
            "Choose that first, or another setting that differs."
        )
    plans = plan, make_plan(changed)
    hints = advice(config, plans[0]), advice(changed, plans[1])
    return Outlook((plans[0].parameters, plans[1].parameters), duels.starting_point(config, changed), hints)


def _model() -> str:
    titles = {name: models.get(name).title for name in models.names()}
    about = "\n".join(f"- **{title}**: {models.get(name).summary}" for name, title in titles.items())
    return str(
        st.selectbox("Model", list(titles), format_func=lambda name: titles[name], key=f"{KEY}-model", help=about)
    )


def _field(model: str) -> str:
    """Return what differs; its widget stands below the settings that it is left out of."""
    if st.session_state.get(FIELD) not in duels.fields(TrainConfig(model=model)):
        st.session_state[FIELD] = FIRST_FIELD
    return str(st.session_state[FIELD])


def _common(dataset: str, model: str, field: str) -> tuple[dict[str, Any], list[str]]:
    """Show what both sides share; return that and what was filled in, and what is wrong with the texts."""
    before = filling.base()
    values: dict[str, Any] = {**before, "dataset": dataset, "model": model, "options": {}}
    problems: list[str] = []
    with st.expander("Settings of both sides"):
        options = models.get(model).options
        names = [name for name in options.model_fields if OPTION + name != field]
        try:
            values["options"] = options_form(options, {}, f"{KEY}-{model}", fields=names, **_KEPT)
        except ConfigError as error:
            problems.append(str(error))
        for name in COMMON:
            needs, needed = ONLY_WITH.get(name, ("", ()))
            if name != field and (not needs or values.get(needs, TrainConfig().optimizer) in needed):
                values |= options_form(TrainConfig, {}, KEY, fields=(name,), **_KEPT)
    if before and (model, dataset) != (before["model"], before["dataset"]):
        values["initial"] = ""
    _say_others(values, before, field)
    return values, problems


def _say_others(values: dict[str, Any], before: dict[str, Any], field: str) -> None:
    """Say which settings were filled in that have no widget here."""
    others = {name: value for name, value in before.items() if name not in (*COMMON, "options", "model", field)}
    changed = run_text.changed_settings(others | {"model": values["model"]})
    shown = [f"{label(name)} {run_text.setting_value(name, value)}" for name, value in changed.items()]
    if shown:
        st.caption(f"Also: {markdown(shorten(' · '.join(shown), SHOWN_CHANGES))}")


def _side_a(values: dict[str, Any], field: str) -> list[str]:
    """Show what differs, and its value on side a, which goes into the common settings."""
    options = duels.fields(TrainConfig(model=values["model"]))
    st.selectbox("What differs", options, format_func=progress.setting, key=FIELD, persist_state="session")
    model = values["model"]
    try:
        if field.startswith(OPTION):
            name = field.removeprefix(OPTION)
            form = models.get(model).options
            values["options"] |= options_form(
                form, {}, f"{KEY}-{model}", fields=(name,), label=f"A: {label(name).lower()}", **_KEPT
            )
        else:
            values |= options_form(TrainConfig, {}, KEY, fields=(field,), label=f"A: {label(field).lower()}", **_KEPT)
    except ConfigError as error:
        return [str(error)]
    return []


def _side_b(config: TrainConfig, field: str) -> Any:
    form, name = filling.owner(config, field)
    first = {name: filling.first_other(config, field)}
    key = filling.other_key(config.model if field.startswith(OPTION) else "")
    return options_form(form, first, key, fields=(name,), label=f"B: {label(name).lower()}", **_KEPT)[name]


def _seeds() -> int:
    if SEEDS not in st.session_state:
        st.session_state[SEEDS] = FIRST_SEEDS
    return st.slider(
        "Seeds",
        1,
        MAX_SEEDS,
        key=SEEDS,
        persist_state="session",
        help="Each seed draws other initial weights and another order of images; several show how much of the "
        "difference is chance.",
    )


def _say(found: Outlook, field: str, how: str) -> None:
    """Say what the duel amounts to, and what is probably not meant."""
    one, two = found.parameters
    st.caption(f"{progress.beginning(found.point, field, one == two)} {progress.size(one, two)}. {how}")
    for hint in dict.fromkeys((*found.hints[0], *found.hints[1])):
        st.caption(f":material/lightbulb: **{_whose(hint, found.hints)}:** {markdown(hint)}")


def _whose(hint: str, hints: Sequence[Sequence[str]]) -> str:
    return "Both" if all(hint in some for some in hints) else "A" if hint in hints[0] else "B"


@st.cache_data(max_entries=128, show_spinner=False)
def _how(document: str, field: str, other: Any, seeds: int) -> str:
    """Say how several seeds are computed."""
    if seeds == 1:
        return ""
    config = TrainConfig.parse_json(document)
    slow = any(objection_to_vectorising(one, seeds) for one in (config, duels.rival(config, field, other)))
    return f"The {seeds} seeds are computed {'one after the other' if slow else 'at once'}."


WIDTH = 380
"""Of the contents on the screen, wider than the column that they hang from; on a small screen what there is."""
OFFERED = 50
"""Runs to choose from, the newest."""
OF_OTHERS = ("seed", "device", "threads", "snapshots")
"""Settings of a run that are about where and how often, not about what."""
_PRESET, _RUN = "duel-preset", "duel-run"


def fill_menu(dataset: str) -> None:
    """Show the menu, and what went wrong when it was used."""
    with st.popover("Fill in from …", icon=":material/tune:", width="stretch"), st.container(width=WIDTH):
        with st.container(horizontal=True, gap="small"):
            suggestions(dataset, "menu")
            st.button(
                "The defaults",
                icon=":material/restart_alt:",
                key="duel-defaults",
                on_click=filling.ask,
                args=({"dataset": dataset}, "The defaults are filled in."),
            )
        _choose_preset(dataset)
        _choose_run(dataset)
    if problem := filling.say():
        st.error(markdown(problem), icon=":material/error:")


def suggestions(dataset: str, place: str) -> None:
    """Show a button for each suggestion; `place` tells those of several places apart."""
    for one in SUGGESTIONS:
        st.button(
            one.title,
            icon=":material/lightbulb:",
            help=one.summary,
            key=f"duel-{place}-{one.name}",
            on_click=filling.suggest,
            args=(one.name, dataset),
        )


def _choose_preset(dataset: str) -> None:
    found = [one for one in presets() if one.config.get("dataset") == dataset]
    preset_menu.choose("A preset", preset_menu.by_question(found, _PRESET), _PRESET, _use_preset)


def _use_preset(preset: Preset) -> None:
    filling.ask(preset.config, f"**{markdown(preset.title)}** is filled in. {markdown(preset.summary)}")


def _choose_run(dataset: str) -> None:
    found = [run for run in summaries.listing() if run.dataset == dataset and not run.problem][:OFFERED]
    titles = {run.id: f"{run_text.title(run, 50)} · {run_text.moment(run.started)}" for run in found}
    configs = {run.id: (run_text.title(run), run.config) for run in found}
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
        filling.ask(kept, f"The settings of **{markdown(name)}** are filled in.")
