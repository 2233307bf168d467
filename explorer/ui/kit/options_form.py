"""Input widgets made from a Pydantic model: one for each field, with its range, choices and description.

The options of every architecture and the training configuration are shown by this, so a new field or a new file in
`models/` needs no page to be edited.
"""

import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from explorer.errors import ConfigError
from explorer.ui.kit.text import choice, label

__all__ = ["choice", "label", "options_form", "parse_numbers", "preset_state", "put"]

_PRESET = "options:preset"


class Bounds(NamedTuple):
    """Lowest and highest value of a field, and whether the widget may offer those two themselves."""

    low: float | None
    high: float | None
    closed: bool


def options_form(
    model: type[BaseModel],
    values: Mapping[str, Any],
    key: str,
    *,
    fields: Sequence[str] | None = None,
    choices: Mapping[str, Mapping[str, str]] | None = None,
    **widget: Any,
) -> dict[str, Any]:
    """Show a widget for each field and return what the user has set, as plain JSON values.

    Widgets keep numbers in range; what a widget cannot know (exclusive bounds, settings that contradict each other)
    is for the model's own validation, which the caller runs on the result.

    Parameters
    ----------
    model : type of BaseModel
        Its fields may be `int`, `float`, `bool`, `str`, a `Literal`, a tuple of `int`, or one of these or None. Fields
        of other types are not shown. `json_schema_extra={"step": ...}` sets the step of a number.
    values : mapping
        What the widgets show at first; the fields' defaults where a name is missing.
    key : str
        Stem of the widgets' keys. Widgets keep what the user has set as long as it stays the same.
    fields : sequence of str, optional
        Show only these, in this order.
    choices : mapping, optional
        For a text field, the values to choose from and their titles. A value that is not among them is offered too.
    **widget
        Passed on to every widget, such as `on_change` or `persist_state`.

    Returns
    -------
    dict
        One entry for each widget shown.

    Raises
    ------
    ConfigError
        A text is not a list of whole numbers. All widgets are shown nevertheless.
    """
    chosen: dict[str, Any] = {}
    problems: list[str] = []
    for name in model.model_fields if fields is None else fields:
        field = model.model_fields[name]
        kind, optional = _kind(field)
        if kind is None:
            continue
        value = values.get(name, field.get_default(call_default_factory=True))
        common = {"label": _title(name, field), "help": field.description, "key": f"{key}-{name}"} | widget
        try:
            if kind is str and choices and name in choices:
                chosen[name] = _choice(choices[name], value, common)
            else:
                chosen[name] = _widget(kind, optional, field, value, common)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(" ".join(problems))
    return chosen


def preset_state(model: type[BaseModel], values: Mapping[str, Any], key: str) -> None:
    """Set the widgets of a form, whether they are shown or not, from values that the model has validated.

    To be called in a callback, or before the form is shown.

    Parameters
    ----------
    model, key
        Those of `options_form`.
    values : mapping
        The fields' defaults are taken where a name is missing.
    """
    for name, field in model.model_fields.items():
        kind, _ = _kind(field)
        if kind is not None:
            value = values.get(name, field.get_default(call_default_factory=True))
            put(f"{key}-{name}", _shown(kind, field, value))


def put(key: str, value: Any) -> None:
    """Set the widget with this key to a value as it holds it, before it is shown."""
    st.session_state[key] = value
    st.session_state.setdefault(_PRESET, set()).add(key)


def _title(name: str, field: FieldInfo) -> str:
    """Return what stands above the widget of a field."""
    return field.title or label(name)


def parse_numbers(text: str, title: str) -> list[int]:
    """Return the whole numbers in a text, separated by commas, semicolons or spaces; none in an empty one.

    Raises
    ------
    ConfigError
        Something in it is not a whole number.
    """
    try:
        return [int(part) for part in re.split(r"[\s,;]+", text.strip()) if part]
    except ValueError:
        raise ConfigError(
            f"{title}: write whole numbers separated by commas, such as 128, 64; {text[:40]!r} is not that."
        ) from None


def _kind(field: FieldInfo) -> tuple[Any, bool]:
    """Return the type that decides the widget (None: there is no widget for it) and whether None is allowed."""
    kind, optional = field.annotation, False
    if get_origin(kind) in (Union, types.UnionType):
        others = [part for part in get_args(kind) if part is not type(None)]
        optional = len(others) < len(get_args(kind))
        kind = others[0] if len(others) == 1 else None
    if kind in (int, float, bool, str) or get_origin(kind) is Literal:
        return kind, optional
    if get_origin(kind) is tuple and all(_is_int(part) for part in get_args(kind) if part is not Ellipsis):
        return tuple, optional
    return None, optional


def _is_int(kind: Any) -> bool:
    return kind is int or getattr(kind, "__origin__", None) is int


def _widget(kind: Any, optional: bool, field: FieldInfo, value: Any, common: dict[str, Any]) -> Any:
    shown = _shown(kind, field, value)
    if kind is bool:
        return st.toggle(**_initial(common, value=shown))
    if kind is str:
        return st.text_input(**_initial(common, value=shown)) or (None if optional else "")
    if kind is tuple:
        text = st.text_input(placeholder="none", **_initial(common, value=shown))
        return parse_numbers(text, common["label"])
    if get_origin(kind) is Literal:
        options = [*([None] if optional else []), *get_args(kind)]
        return _select(options, choice, shown, common)
    return _number(kind, optional, field, shown, common)


def _choice(titles: Mapping[str, str], value: str, common: dict[str, Any]) -> str:
    """Show a text field as a choice; what is set already stays possible, so that the user sees what is wrong."""
    set_before = st.session_state.get(common["key"], value)
    options = [*titles, *([set_before] if set_before not in titles else [])]
    return str(_select(options, lambda name: titles.get(name, name), value, common))


def _select(options: list[Any], titles: Callable[[Any], str], value: Any, common: dict[str, Any]) -> Any:
    index = options.index(value) if value in options else 0
    return st.selectbox(options=options, format_func=titles, **_initial(common, index=index))


def _initial(common: dict[str, Any], **first: Any) -> dict[str, Any]:
    """Return the arguments of a widget, without a first value where `preset_state` has just set one."""
    preset: set[str] = st.session_state.get(_PRESET, set())
    if common["key"] not in preset:
        return common | first
    preset.discard(common["key"])
    return common


def _shown(kind: Any, field: FieldInfo, value: Any) -> Any:
    """Return a value of a field as its widget holds it."""
    if kind is bool:
        return bool(value)
    if kind is str:
        return str(value or "")
    if kind is tuple:
        return ", ".join(str(number) for number in value or ())
    if kind not in (int, float) or value is None:
        return value
    bounds = _bounds(field)
    value = kind(value)
    value = value if bounds.low is None else max(kind(bounds.low), value)
    return value if bounds.high is None else min(kind(bounds.high), value)


def _number(kind: Any, optional: bool, field: FieldInfo, value: Any, common: dict[str, Any]) -> Any:
    """Show a slider for a share from 0 to 1, a number input for everything else."""
    bounds = _bounds(field)
    step = kind(_step(kind, field, bounds))
    low = None if bounds.low is None else kind(bounds.low)
    high = None if bounds.high is None else kind(bounds.high)
    if kind is float and (bounds.low, bounds.high) == (0, 1) and bounds.closed and not optional:
        return st.slider(min_value=low, max_value=high, step=step, **_initial(common, value=value))
    return st.number_input(
        min_value=low,
        max_value=high,
        step=step,
        format="%d" if kind is int else "%g",
        placeholder="none" if optional else None,
        **({"value": None} if optional else {}) | _initial(common, value=value),
    )


def _bounds(field: FieldInfo) -> Bounds:
    found: dict[str, float] = {}
    for rule in field.metadata:
        found |= {name: getattr(rule, name) for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)}
    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    return Bounds(low, high, not found.keys() & {"gt", "lt"})


def _step(kind: Any, field: FieldInfo, bounds: Bounds) -> float:
    """Return what one click of the plus adds: about a tenth of an integer's default, half a digit of a float's."""
    if isinstance(field.json_schema_extra, dict) and isinstance(
        step := field.json_schema_extra.get("step"), int | float
    ):
        return step
    default = field.default if isinstance(field.default, int | float) else 0
    if kind is int:
        return 1 if abs(default) < 100 else 10 ** (len(str(abs(int(default)))) - 2)
    if bounds.high is not None and bounds.high <= 1 and default in (0, 0.5):
        return 0.05
    return 0.5 * 10 ** math.floor(math.log10(abs(default))) if default else 0.0005
