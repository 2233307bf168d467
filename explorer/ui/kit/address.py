"""Widgets whose value stands in the URL as a name, an id or a number.

Streamlit's `bind="query-params"` does the same with two differences that matter here: it writes the *label* of an
option, and what one page has bound is taken out of the URL when another is opened, which leaves a step in the
browser's history at which Back shows the wrong thing. Widgets for which neither matters use `bind`.

Around a widget with the same key: `adopt` before it, `touched` as its `on_change`, `keep` after it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.ui.kit.text import shorten

Option = TypeVar("Option")

LATE_SECONDS = 5.0
"""For so long the browser may still send the address that stood there before the last change."""

_WRITTEN = "address:written"
_REPLACED = "address:replaced"
_LAST = "address:last"
_TOUCHED = "address:touched"
_PAGE = "address:page"


def turn_to(page: str) -> None:
    """Note which page is shown; a parameter that vanishes while it stays means its default (the Back button)."""
    st.session_state[_PAGE] = (page, st.session_state.get(_PAGE, (None, None))[0])


def touched(key: str) -> None:
    """Note, as a widget's `on_change`, that the user has just changed it, so that the URL does not overrule it."""
    st.session_state.setdefault(_TOUCHED, set()).add(key)


def is_asked(key: str) -> bool:
    """Whether the URL names this widget's value, or the user has just chosen it; before `adopt`."""
    return key in st.query_params or key in st.session_state.get(_TOUCHED, set())


def adopt(key: str, options: Sequence[Option], default: Option) -> str | None:
    """Give a widget its value before it is shown: the user's choice, else the URL's, else the last one.

    Parameters
    ----------
    key : str
        Of the widget and of the URL parameter.
    options : sequence
        The values allowed; `str` of each is what stands in the URL.
    default
        One of them.

    Returns
    -------
    str or None
        What the URL asks for, where that is not among the options. It is never used, only shown.
    """
    asked, unknown = st.query_params.get(key), None
    chosen = st.session_state.get(key, st.session_state.get(_LAST, {}).get(key, default))
    if key in st.session_state.get(_TOUCHED, set()):
        st.session_state[_TOUCHED].discard(key)
    elif key not in st.session_state or is_new(key):
        matches = [option for option in options if str(option) == asked]
        if matches:
            chosen = matches[0]
        elif asked is not None:
            unknown = asked
        elif _same_page():
            chosen = default
    chosen = chosen if chosen in options else default
    if key not in st.session_state or st.session_state[key] != chosen:
        st.session_state[key] = chosen
    return unknown


def is_new(key: str) -> bool:
    """Whether the URL says something else than was written into it: a link was opened, or Back was pressed."""
    asked = st.query_params.get(key)
    return bool(asked != written().get(key)) and not _is_late(key, asked)


def _is_late(key: str, asked: str | None) -> bool:
    """Whether the browser asked for this run before it had heard of the last change; Back asks for the same."""
    since = st.session_state.get(_REPLACED, {}).get((key, asked), -LATE_SECONDS)
    context = get_script_run_ctx()
    went_back = context is not None and context.is_history_navigation
    return time.monotonic() - since < LATE_SECONDS and not went_back


def keep(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Remember the values of widgets and put those that differ from their defaults into the URL; None stays out."""
    asked = {key: st.query_params.get(key) for key in values}
    wanted = {key: str(value) for key, value in values.items() if value not in (None, defaults.get(key))}
    for key in values:
        if key not in wanted and key in st.query_params:
            if st.query_params[key] == str(values[key]):
                wanted[key] = str(values[key])  # a link may name a default; taking it out would spoil the way back
            else:
                del st.query_params[key]
    if any(st.query_params.get(key) != value for key, value in wanted.items()):
        st.query_params.update(wanted)
    before = written()
    moved = [(key, asked[key]) for key in values if wanted.get(key) not in (asked[key], before.get(key))]
    st.session_state[_REPLACED] = st.session_state.get(_REPLACED, {}) | dict.fromkeys(moved, time.monotonic())
    st.session_state[_WRITTEN] = {key: value for key, value in before.items() if key not in values} | wanted
    st.session_state[_LAST] = st.session_state.get(_LAST, {}) | dict(values)


def written() -> dict[str, str]:
    """Return what this session has put into the URL."""
    found: dict[str, str] = st.session_state.get(_WRITTEN, {})
    return found


def forget_written() -> None:
    """Take everything in the URL as new in the next run."""
    st.session_state[_WRITTEN] = st.session_state[_REPLACED] = {}


def _same_page() -> bool:
    page, before = st.session_state.get(_PAGE, (None, None))
    return bool(page == before)


MOST_CHARACTERS = 2_000


def adopt_names(key: str, known: Sequence[str], most: int) -> tuple[tuple[str, ...], str | None]:
    """Take the names from the URL where it is new, else those of before.

    Parameters
    ----------
    key : str
        Of the parameter, and of the session's state; no widget has it.
    known : sequence of str
        The names allowed, without commas.
    most : int
        So many at most; of more the first ones are taken.

    Returns
    -------
    names : tuple of str
        In the order of `known`.
    unknown : str or None
        What the URL asks for and is not there, only to be shown.
    """
    asked = st.query_params.get(key, "")[:MOST_CHARACTERS]
    current = str(st.session_state.get(key, ""))
    adopt(key, list(dict.fromkeys(["", asked, current])), "")
    wanted = str(st.session_state[key]).split(",")
    names = tuple(name for name in known if name in wanted)[:most]
    strange = [name for name in wanted if name and name not in known]
    keep_names(key, names)
    return names, shorten(", ".join(strange)) if strange else None


def put(key: str, names: Sequence[str]) -> None:
    """Choose other names, in a callback."""
    st.session_state[key] = ",".join(names)
    touched(key)


def keep_names(key: str, names: Sequence[str]) -> None:
    """Remember the names, and put them into the URL unless there are none."""
    text = ",".join(names)
    st.session_state[key] = text
    keep({key: text}, {key: ""})


MARK = "~"


def adopt_several(key: str, valid: Callable[[str], bool], default: Sequence[str] = ()) -> list[str]:
    """Return what is chosen: by the user, else by the URL as far as it is valid, else the last one.

    Parameters
    ----------
    key : str
        Of the URL parameter. A widget for it has the key `widget(key)` and `changed(key)` as its `on_change`.
    valid : callable
        Whether a name can be chosen; one that cannot be any more falls away.
    default : sequence of str
    """
    usual = MARK.join(default)
    current = _valid(str(st.session_state.get(key, usual)), valid)
    linked = _valid(st.query_params.get(key, ""), valid)
    current = linked if linked and is_new(key) else current
    st.session_state[key] = MARK.join(current)
    adopt(key, list({usual: 0, MARK.join(current): 0, MARK.join(linked): 0}), usual)
    chosen = _valid(str(st.session_state[key]), valid)
    st.session_state[key] = MARK.join(chosen)
    st.session_state[widget(key)] = chosen
    return chosen


def unknown(key: str, known: Callable[[str], bool]) -> list[str]:
    """Return what a link that has just been opened asks for and nobody knows; to be called before `adopt`."""
    if not is_new(key):
        return []
    asked = st.query_params.get(key, "")[:2000].split(MARK)
    return [name for name in dict.fromkeys(asked) if name and not known(name)]


def keep_several(key: str, default: Sequence[str] = ()) -> None:
    """Put what is chosen into the URL."""
    keep({key: st.session_state[key]}, {key: MARK.join(default)})


def widget(key: str) -> str:
    """Return the key of the widget."""
    return f"{key}-several"


def changed(key: str) -> Callable[[], None]:
    """Return the `on_change` of the widget."""
    return partial(_take, key)


def put_several(key: str, names: Sequence[str]) -> None:
    """Choose these in a callback, or before `adopt`."""
    st.session_state[key] = MARK.join(names)
    touched(key)


def _take(key: str) -> None:
    put_several(key, [str(name) for name in st.session_state[widget(key)]])


def _valid(text: str, valid: Callable[[str], bool]) -> list[str]:
    return list(dict.fromkeys(name for name in text[:2000].split(MARK) if valid(name)))
