"""Input widgets made from a Pydantic model: one for each field, with its range, choices and description.

The options of every architecture and the training configuration are shown by this, so a new field or a new file in
`models/` needs no page to be edited.
"""

import math
import re
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from explorer.errors import ConfigError

SPELLINGS = {
    "relu": "ReLU",
    "leaky-relu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "nesterov": "SGD with Nesterov momentum",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "radam": "RAdam",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adamax": "Adamax",
    "asgd": "ASGD",
    "rprop": "Rprop",
    "mse": "mean squared error",
    "cross-entropy": "cross entropy",
    "xavier": "Xavier (Glorot)",
    "he": "He (Kaiming)",
    "cpu": "CPU",
    "cuda": "CUDA",
    "mps": "MPS",
    "conv1": "1st convolution",
    "conv2": "2nd convolution",
    "pool1": "1st pooling",
    "pool2": "2nd pooling",
    "dropout2d": "1st dropout (whole maps)",
    "batch-norm": "batch norm",
    "batch-norm-dropout": "batch norm, then dropout",
    "dropout-batch-norm": "dropout, then batch norm",
}
"""Choices whose usual spelling is not their name."""
ABBREVIATIONS = {"ema": "EMA", "conv": "convolution", "sgd": "SGD"}


class Bounds(NamedTuple):
    """Lowest and highest value of a field, and whether the widget may offer those two themselves."""

    low: float | None
    high: float | None
    closed: bool


def options_form(
    model: type[BaseModel], values: Mapping[str, Any], key: str, *, fields: Sequence[str] | None = None
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
        try:
            chosen[name] = _widget(kind, optional, name, field, value, f"{key}-{name}")
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(" ".join(problems))
    return chosen


def label(name: str) -> str:
    """Return the name of a field as people write it: `batch_norm` becomes `Batch norm`."""
    words = " ".join(ABBREVIATIONS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def choice(name: object) -> str:
    """Return one of a field's choices as people write it: `one-cycle` becomes `One cycle`, `relu` ReLU."""
    words = SPELLINGS.get(str(name), str(name).replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:] if words.islower() or " " in words else words


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


def _widget(kind: Any, optional: bool, name: str, field: FieldInfo, value: Any, key: str) -> Any:
    title = field.title or label(name)
    common: dict[str, Any] = {"label": title, "help": field.description, "key": key}
    if kind is bool:
        return st.toggle(value=bool(value), **common)
    if kind is str:
        return st.text_input(value=str(value or ""), **common) or (None if optional else "")
    if kind is tuple:
        text = ", ".join(str(number) for number in value or ())
        return parse_numbers(st.text_input(value=text, placeholder="none", **common), title)
    if get_origin(kind) is Literal:
        choices = [*([None] if optional else []), *get_args(kind)]
        index = choices.index(value) if value in choices else 0
        return st.selectbox(options=choices, index=index, format_func=choice, **common)
    return _number(kind, optional, field, value, common)


def _number(kind: Any, optional: bool, field: FieldInfo, value: Any, common: dict[str, Any]) -> Any:
    """Show a slider for a share from 0 to 1, a number input for everything else."""
    bounds = _bounds(field)
    step = kind(_step(kind, field, bounds))
    low = None if bounds.low is None else kind(bounds.low)
    high = None if bounds.high is None else kind(bounds.high)
    if value is not None:
        value = kind(value)
        value = value if low is None else max(low, value)
        value = value if high is None else min(high, value)
    if kind is float and (bounds.low, bounds.high) == (0, 1) and bounds.closed and not optional:
        return st.slider(min_value=low, max_value=high, value=value, step=step, **common)
    return st.number_input(
        min_value=low,
        max_value=high,
        value=value,
        step=step,
        format="%d" if kind is int else "%g",
        placeholder="none" if optional else None,
        **common,
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
