"""How a whole configuration gets into the form of a new run: from the URL, a preset, a file or another page.

Whoever has one asks for it; the form's widgets take it on at the beginning of the next run of the page.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import streamlit as st
from pydantic import BaseModel
from streamlit.runtime.scriptrunner import get_script_run_ctx

import models
from explorer.data import catalog
from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.ui.kit import address, state
from explorer.ui.kit.options_form import preset_state, put
from explorer.ui.kit.text import markdown, shorten

KEY = "train"
"""Stem of the keys of the form's widgets."""
START = f"{KEY}-start"
_ASKED = "train:asked"
_CHANGED = "train:changed"
_VALUES = "train:values"
_NOTE = "train:note"
_PROBLEM = "train:problem"


ONLY_WITH = {
    "momentum": ("optimizer", ("momentum", "nesterov")),
    "step_epochs": ("schedule", ("step",)),
    "step_factor": ("schedule", ("step",)),
    "warmup": ("schedule", ("one-cycle",)),
    "label_smoothing": ("loss", ("cross-entropy",)),
    "flip_order": ("flip", (True,)),
}
"""Fields that mean something only with certain values of a field shown before them."""


def fill(config: Mapping[str, Any]) -> None:
    """Set the form, and with it the sidebar's data set, from a configuration; nothing is started.

    To be called in a callback. Fields that are missing get their defaults, but a missing data set leaves the
    sidebar's. From other pages `open_with` is shorter.

    Raises
    ------
    ConfigError
        A field is unknown or out of range; the form stays as it is.
    """
    ask(TrainConfig.parse(config))


def open_with(config: Mapping[str, Any]) -> None:
    """Open the page Train, in a callback of another page, with its form set as by `fill`."""
    fill(config)
    state.go("train", **parameters(TrainConfig.parse(config)))


def ask(config: TrainConfig) -> None:
    """Let the form be set, in a callback; a data set that the configuration does not name stays the sidebar's."""
    changed()
    st.session_state[_ASKED] = config
    if _on_this_page() and "dataset" in config.model_fields_set and config.dataset != state.selection().dataset:
        wanted = parameters(config)
        if config.dataset == catalog.names()[0]:
            del wanted["dataset"]
        others = {key: value for key, value in st.query_params.items() if key not in (*state.SHARED, PARAMETER)}
        st.query_params.from_dict(others | wanted)  # at once: each change is a step in the browser's history


def changed() -> None:
    """Note, as the `on_change` of its widgets, that the user is changing the form; what was said is out of date.

    A part of the page that renews itself sends the values of all widgets, and may have done so before it heard of
    what was filled in; that is no change.
    """
    if not _in_fragment():
        st.session_state[_CHANGED] = True
        st.session_state.pop(_PROBLEM, None)
        st.session_state.pop(_NOTE, None)


def hold() -> None:
    """Undo what only such a late message has changed; at the beginning of every run of the page."""
    if not st.session_state.pop(_CHANGED, False):
        for key, value in st.session_state.get(_VALUES, {}).items():
            if st.session_state.get(key) != value:
                put(key, value)


def follow_url() -> None:
    """Ask for the configuration in the URL, where a link was opened or Back was pressed.

    While the page stays open, only Back and Forward count: the URL that a click sends may not have caught up yet.
    """
    before, found = st.session_state.setdefault(PARAMETER, ""), st.query_params.get(PARAMETER, "")
    if found == before or not (_by_history() if _on_this_page() else found):
        return
    st.session_state.pop(_PROBLEM, None)
    try:
        st.session_state[_ASKED] = from_parameter(found or "{}")
    except ConfigError as error:
        st.session_state[_PROBLEM] = str(error)


def apply(dataset: str) -> None:
    """Set all widgets of the form, before they are shown; another data set is first chosen in the sidebar."""
    config: TrainConfig | None = st.session_state.get(_ASKED)
    if config is None:
        return
    if "dataset" in config.model_fields_set and config.dataset != dataset:
        rest = config.model_dump(exclude={"dataset"})
        st.session_state[_ASKED] = TrainConfig.parse(rest)
        state.go("train", **parameters(config))
        st.rerun()
    del st.session_state[_ASKED]
    preset_state(TrainConfig, config.model_dump(mode="json"), KEY)
    for name in models.names():
        preset_state(models.get(name).options, config.options if name == config.model else {}, f"{KEY}-{name}")


def keep(config: TrainConfig | None) -> None:
    """Remember the form at the end of a run of the page, and put a valid configuration into the URL."""
    forms: dict[str, type[BaseModel]] = {f"{KEY}-{name}": models.get(name).options for name in models.names()}
    keys = [f"{key}-{field}" for key, form in ({KEY: TrainConfig} | forms).items() for field in form.model_fields]
    st.session_state[_VALUES] = {key: st.session_state[key] for key in keys if key in st.session_state}
    if config:
        text = parameters(config).get(PARAMETER, "")
        st.session_state[PARAMETER] = text
        address.keep({PARAMETER: text or None}, {})


def show_problem() -> None:
    """Show what is wrong with the link that was opened."""
    if problem := st.session_state.get(_PROBLEM):
        st.error(markdown(problem), icon=":material/error:")


def note(text: str, problem: bool = False) -> None:
    """Say, in Markdown, what has become of a preset or a file, until the form is changed."""
    st.session_state[_NOTE] = (text, problem)


def show_note() -> None:
    """Show what was said last."""
    text, problem = st.session_state.get(_NOTE, ("", False))
    if text:
        (st.error if problem else st.success)(text)


def _on_this_page() -> bool:
    """Whether the page was shown in the run before; a button's state, unlike the fields', is soon forgotten."""
    return START in st.session_state


def _in_fragment() -> bool:
    context = get_script_run_ctx()
    return context is not None and bool(context.fragment_ids_this_run)


def _by_history() -> bool:
    """Whether the browser's Back or Forward was pressed."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


PARAMETER = "config"
MAX_LENGTH = 4_000
"""Characters of a configuration in a link; the longest possible one has less than half as many."""
MAX_MEGABYTES = 1
MAX_MESSAGE = 400
_DATASET = TrainConfig.model_fields["dataset"].default


def differences(config: TrainConfig) -> dict[str, Any]:
    """Return the fields whose values are not the defaults, of the options too, in their order."""
    values, defaults = config.model_dump(mode="json"), TrainConfig().model_dump(mode="json")
    own = models.get(config.model).options().model_dump(mode="json")
    values["options"] = {name: value for name, value in config.options.items() if value != own[name]}
    defaults["options"] = {}
    return {name: value for name, value in values.items() if value != defaults[name]}


def to_parameter(config: TrainConfig) -> str:
    """Return what differs from the defaults as compact JSON; `from_parameter` gives the configuration back."""
    return json.dumps(differences(config), separators=(",", ":"), ensure_ascii=False)


def from_parameter(text: str) -> TrainConfig:
    """Return the configuration in a link.

    Raises
    ------
    ConfigError
        It is too long, not a JSON object, or a field is unknown or out of range.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"The configuration in the link has more than {MAX_LENGTH:,} characters. Copy the link anew.")
    return _parse(text, "The configuration in the link")


def parameters(config: TrainConfig) -> dict[str, str]:
    """Return the URL parameters of the page Train that stand for a configuration.

    The data set stands in the sidebar's own parameter alone, so that the two cannot contradict each other.
    """
    rest = to_parameter(config.model_copy(update={"dataset": _DATASET}))
    return {"dataset": config.dataset} | ({PARAMETER: rest} if rest != "{}" else {})


def link(config: TrainConfig, page: str) -> str:
    """Return the address that opens a page with this configuration."""
    query = {name: value for name, value in parameters(config).items() if (name, value) != ("dataset", _DATASET)}
    return f"{page}?{urlencode(query, quote_via=quote, safe=':,')}".removesuffix("?")


def to_document(config: TrainConfig) -> str:
    """Return all fields as JSON for people."""
    return json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def from_document(data: bytes) -> TrainConfig:
    """Return the configuration in a JSON file: the fields themselves, or a document with them under `config`.

    Raises
    ------
    ConfigError
        The file is too large, not a JSON object, or a field is unknown or out of range.
    """
    if len(data) > MAX_MEGABYTES << 20:
        raise ConfigError(f"The file is larger than {MAX_MEGABYTES} MB. A configuration has a few lines of JSON.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("The file is not text in UTF-8. Choose a JSON file.") from None
    return _parse(text, "The file")


def _parse(text: str, what: str) -> TrainConfig:
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ConfigError(f"{what} must be a JSON object of fields and values.")
        inner = document.get("config")
        return TrainConfig.parse(inner if isinstance(inner, dict) else document)
    except ConfigError as error:
        raise ConfigError(shorten(str(error), MAX_MESSAGE)) from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{what} is not valid JSON.") from None
