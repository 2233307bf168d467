"""Which methods explain, with which options, and which do not suit the model and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.errors import ConfigError
from explorer.ui.explain.choice import Question
from explorer.ui.kit import address, explanations
from explorer.ui.kit.models import classifier, computing
from explorer.ui.kit.options_form import options_form, preset_state
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.store.checkpoints import Checkpoint

METHODS, OPTIONS = "methods", "options"
"""Widgets and URL parameters."""
DEFAULT = ("input-gradient", "integrated-gradients", "occlusion", "grad-cam")


@dataclass(frozen=True)
class Chosen:
    """A method with its options.

    Attributes
    ----------
    name : str
    options : str
        As JSON, only those that differ from the defaults.
    """

    name: str
    options: str = "{}"

    @property
    def title(self) -> str:
        """Name for people."""
        return explanations.METHODS[self.name]

    @property
    def values(self) -> dict[str, Any]:
        """The options."""
        found: dict[str, Any] = json.loads(self.options)
        return found


def choose(question: Question) -> tuple[Chosen, ...]:
    """Let the user choose among the methods that suit the model; say why others do not."""
    _follow_link(_kept())
    unsuitable = objections(question.chosen)
    suitable = [name for name in explanations.METHODS if name not in unsuitable]
    default = [name for name in DEFAULT if name in suitable]
    names, refused = address.adopt_several(METHODS, lambda name: name in suitable, default)
    unknown = [name for name in refused if name not in explanations.METHODS]
    st.pills(
        "Methods",
        suitable,
        format_func=lambda name: explanations.METHODS.get(str(name), str(name)),
        selection_mode="multi",
        key=address.widget(METHODS),
        on_change=address.changed(METHODS),
        label_visibility="collapsed",
        wrap=True,
    )
    if unsuitable:
        reasons = "\n".join(f"- **{explanations.METHODS[name]}**: {markdown(why)}" for name, why in unsuitable.items())
        titles = ", ".join(explanations.METHODS[name] for name in unsuitable)
        st.caption(f"Not for this model: {titles}.", help=reasons)
    if unknown:
        said = ", ".join(f"“{markdown(shorten(name))}”" for name in unknown)
        st.caption(
            f"There is no method {said}; {'the usual ones are' if names == default else 'the others are'} shown."
        )
    ordered = [name for name in suitable if name in names]
    return tuple(Chosen(name, _text(_kept().get(name, {}))) for name in ordered)


def options(question: Question, chosen: tuple[Chosen, ...]) -> tuple[Chosen, ...]:
    """Show a menu with the options of the chosen methods; return the methods with what is set there."""
    from explorer.analysis.attribution import get

    kept = _kept()
    result: list[Chosen] = []
    with st.popover("Options", icon=":material/tune:", key="method-options"):
        for one in chosen:
            method = get(one.name)
            if not method.options.model_fields:
                result.append(one)
                continue
            st.markdown(f"**{method.title}**")
            values = options_form(
                method.options,
                kept.get(one.name, {}),
                f"option-{one.name}",
                choices={"layer": _layers(question.chosen)},
            )
            try:
                typed = method.validate(values)
            except ConfigError as error:
                st.error(markdown(str(error)))
                result.append(one)
                continue
            kept[one.name] = _changed(typed.model_dump(), method.options().model_dump())
            result.append(Chosen(one.name, _text(kept[one.name])))
        if not any(get(one.name).options.model_fields for one in chosen):
            st.caption("The chosen methods have no options.")
    address.keep({OPTIONS: _text({name: values for name, values in kept.items() if values})}, {OPTIONS: "{}"})
    return tuple(result)


def change(name: str, values: Mapping[str, Any]) -> None:
    """Set options of a method in a callback, as by a button beside its map."""
    from explorer.analysis.attribution import get

    options = get(name).options
    kept = _kept().get(name, {}) | dict(values)
    _kept()[name] = _changed(kept, options().model_dump())
    preset_state(options, kept, f"option-{name}")


def objections(chosen: "Checkpoint") -> dict[str, str]:
    """Return why methods do not suit a model, by their names."""
    return _objections(chosen.digest, chosen)


@st.cache_data(max_entries=64, show_spinner="Looking at the layers of the model …")
def _objections(digest: str, _chosen: "Checkpoint") -> dict[str, str]:
    from explorer.analysis.attribution import METHODS as ALL

    model = classifier(_chosen)
    with computing():
        found = {name: method.objection(model) for name, method in ALL.items()}
    return {name: why for name, why in found.items() if why}


def _layers(chosen: "Checkpoint") -> dict[str, str]:
    """Return the titles of the layers with maps, the default under the empty name."""
    return _layer_titles(chosen.digest, chosen)


@st.cache_data(max_entries=64, show_spinner=False)
def _layer_titles(digest: str, _chosen: "Checkpoint") -> dict[str, str]:
    from explorer.analysis.attribution import layers

    model = classifier(_chosen)
    usual = layers.default(model)
    titles = {layer.name: layer.title for layer in layers.candidates(model)}
    return {"": f"Usual: {usual.title}" if usual else "Usual"} | titles


def _kept() -> dict[str, dict[str, Any]]:
    """Return the changed options of all methods in this session."""
    found: dict[str, dict[str, Any]] = st.session_state.setdefault("explain:options", {})
    return found


def _follow_link(kept: dict[str, dict[str, Any]]) -> None:
    """Take the options from a link that has just been opened; what is not valid is left out."""
    from explorer.analysis.attribution import METHODS as ALL

    if not address.is_new(OPTIONS):
        return
    kept.clear()
    for name, values in _read(address.asked(OPTIONS)).items():
        method = ALL.get(name)
        if method is None or not isinstance(values, dict):
            continue
        try:
            typed = method.validate(values)
        except ConfigError:
            continue
        kept[name] = _changed(typed.model_dump(), method.options().model_dump())
    for name, method in ALL.items():
        preset_state(method.options, kept.get(name, {}), f"option-{name}")


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != usual[name]}


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))
