"""How settings get into the form of a new duel: from a suggestion, a preset, a run or another duel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic import BaseModel

import models
from explorer.errors import ConfigError, ExplorerError
from explorer.experiments import duels
from explorer.experiments.duels import OPTION
from explorer.training.config import TrainConfig
from explorer.ui.kit.options_form import preset_state

KEY = "duel"
"""Stem of the keys of the form's widgets."""
FIELD, SEEDS = f"{KEY}-field", f"{KEY}-seeds"
FIRST_FIELD, FIRST_SEEDS = "optimizer", 5
MAX_SEEDS = 10
_ASKED, _BASE, _ROUND, _FIRST = "duel:asked", "duel:base", "duel:round", "duel:first"
_NOTE, _PROBLEM = "duel:note", "duel:problem"


@dataclass(frozen=True)
class Suggestion:
    """A duel that is worth a look."""

    name: str
    title: str
    summary: str
    setting: str
    other: Any
    config: Mapping[str, Any]


SUGGESTIONS = (
    Suggestion(
        "optimizer",
        "Adam against SGD",
        "Two optimizers with the same learning rate.",
        "optimizer",
        "sgd",
        {"learning_rate": 0.01, "subset": 10_000},
    ),
    Suggestion(
        "dropout",
        "Dropout 0 against 0.5",
        "A wide network with few images learns them by heart: does dropout help?",
        "options.dropout",
        0.5,
        {"options": {"hidden": [400]}, "subset": 5_000, "epochs": 20},
    ),
    Suggestion(
        "batch",
        "Batches of 64 against 1,024",
        "Many small, noisy steps or few large ones.",
        "batch_size",
        1024,
        {"subset": 10_000},
    ),
)


@dataclass(frozen=True)
class _Asked:
    config: TrainConfig
    setting: str
    other: Any
    seeds: int


def ask(
    config: Mapping[str, Any], note: str, setting: str | None = None, other: Any = None, seeds: int | None = None
) -> None:
    """Let the form be set, in a callback.

    Parameters
    ----------
    config : mapping
        Fields of `TrainConfig`; the data set is the sidebar's.
    note : str
        Markdown, said once.
    setting, other : str, Any
        What differs, and its value on side b; by default what the form says, where the model has such a setting.
    seeds : int, optional
    """
    try:
        parsed = TrainConfig.parse(config)
    except ExplorerError as error:
        st.session_state[_PROBLEM] = str(error)
        return
    wanted = setting or st.session_state.get(FIELD, FIRST_FIELD)
    wanted = wanted if wanted in duels.fields(parsed) else FIRST_FIELD
    value = other if setting else proposal(parsed, wanted)
    st.session_state[_ASKED] = _Asked(parsed, wanted, value, seeds or st.session_state.get(SEEDS, FIRST_SEEDS))
    st.session_state[_NOTE] = note
    st.session_state.pop(_PROBLEM, None)


def suggest(name: str, dataset: str) -> None:
    """Fill in a suggestion, in a callback."""
    found = next(one for one in SUGGESTIONS if one.name == name)
    note = f"**{found.title}** is filled in. {found.summary}"
    ask({"dataset": dataset, **found.config}, note, found.setting, found.other, FIRST_SEEDS)


def apply() -> None:
    """Set all widgets of the form, before they are shown."""
    asked: _Asked | None = st.session_state.pop(_ASKED, None)
    if asked is None:
        return
    values = asked.config.model_dump(mode="json")
    st.session_state[_BASE] = values
    preset_state(TrainConfig, values, KEY)
    st.session_state[f"{KEY}-model"] = asked.config.model
    for name in models.names():
        preset_state(models.get(name).options, values["options"] if name == asked.config.model else {}, f"{KEY}-{name}")
    st.session_state[FIELD] = asked.setting
    st.session_state[SEEDS] = asked.seeds
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state[_FIRST] = {_place(asked.config.model, asked.setting): asked.other}


def base() -> dict[str, Any]:
    """Return the settings that were filled in last, those included for which the form has no widget."""
    found: dict[str, Any] = st.session_state.get(_BASE, {})
    return found


def say() -> str:
    """Say once what was filled in, and return what went wrong instead; not escaped."""
    if told := st.session_state.pop(_NOTE, ""):
        st.toast(told, icon=":material/check:", duration="long")
    return str(st.session_state.get(_PROBLEM, ""))


def other_key(model: str) -> str:
    """Return the stem of the keys of side b's widgets; each filling begins with fresh ones."""
    return f"{KEY}-b{st.session_state.get(_ROUND, 0)}-{model}"


def first_other(config: TrainConfig, setting: str) -> Any:
    """Return the value that side b has at first; it stays the same while side a is changed."""
    known: dict[str, Any] = st.session_state.setdefault(_FIRST, {})
    place = _place(config.model, setting)
    if place not in known:
        known[place] = proposal(config, setting)
    return known[place]


def owner(config: TrainConfig, setting: str) -> tuple[type[BaseModel], str]:
    """Return the Pydantic model that has a setting, and the field's name there."""
    if setting.startswith(OPTION):
        return models.get(config.model).options, setting.removeprefix(OPTION)
    return TrainConfig, setting


def proposal(config: TrainConfig, setting: str) -> Any:
    """Return another value of a setting with which the network can be trained, where one is easily found."""
    candidates = list(_candidates(config, setting))
    for candidate in candidates:
        try:
            duels.rival(config, setting, candidate)
        except ExplorerError:
            continue
        return candidate
    return candidates[0]


def _place(model: str, setting: str) -> str:
    return f"{model}/{setting}" if setting.startswith(OPTION) else setting


_WORTH_A_TRY: dict[str, Any] = {
    "patience": 3,
    "time_budget": 60.0,
    "weight_decay": 0.001,
    "label_smoothing": 0.1,
    "ema": 0.99,
    "shift": 2,
    "adversarial": 0.1,
}


def _candidates(config: TrainConfig, setting: str) -> Iterator[Any]:
    model, name = owner(config, setting)
    value, kind = duels.value(config, setting), model.model_fields[name].annotation
    if name in _WORTH_A_TRY and not value:
        yield _WORTH_A_TRY[name]
    if get_origin(kind) is Literal:
        yield from (choice for choice in get_args(kind) if choice != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, list):
        yield [2 * number for number in value] or [100]
        yield [max(1, number // 2) for number in value]
    elif isinstance(value, float):
        yield from (number for number in (0.5, 0.1) if not value or 0.1 <= value < 1)
        yield from (2 * value, value / 2) if value >= 1 else (10 * value, value / 10, 0.01)
    elif isinstance(value, int):
        yield from (value + 1, value - 1) if value < 10 else (2 * value, value // 2)
    else:
        yield 1


def checked(values: Mapping[str, Any], problems: Sequence[str]) -> TrainConfig:
    """Return what the form says as a configuration.

    Raises
    ------
    ConfigError
        A text in it cannot be understood, or a field is out of range.
    """
    if problems:
        raise ConfigError(" ".join(problems))
    return TrainConfig.parse(values)
