"""Widgets whose value stands in the URL as a name, an id or a number.

Streamlit's `bind="query-params"` does the same with two differences that matter here: it writes the *label* of an
option, and what one page has bound is taken out of the URL when another is opened, which leaves a step in the
browser's history at which Back shows the wrong thing. Widgets for which neither matters use `bind`.

Around a widget with the same key: `adopt` before it, `touched` as its `on_change`, `keep` after it. Several names
stand in one parameter, with commas: `adopt_several` before the widget is all.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

Option = TypeVar("Option")

LATE_SECONDS = 5.0
"""For so long the browser may still send the address that stood there before the last change."""

MOST_CHARACTERS = 4_000
"""No longer value is read or written."""

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


def put(key: str, value: object) -> None:
    """Choose another value, in a callback or before `adopt`."""
    st.session_state[key] = value
    touched(key)


def asked(key: str) -> str:
    """Return what stands in the URL, empty where nothing does; nothing in it is to be trusted."""
    return str(st.query_params.get(key, ""))[:MOST_CHARACTERS]


def is_row(text: str, n: int) -> bool:
    """Whether a text is one of the numbers from 0 below `n`."""
    return text.isascii() and text.isdecimal() and len(text) < 9 and int(text) < n


def adopt_text(key: str, default: str = "") -> None:
    """Do for free text what `adopt` does for choices: these are the ones that there are."""
    before = st.session_state.get(_LAST, {}).get(key, default)
    adopt(key, list(dict.fromkeys([st.session_state.get(key, default), asked(key), before, default])), default)


def adopt_several(
    key: str, is_known: Callable[[str], bool], default: Sequence[str] = (), most: int | None = None
) -> tuple[list[str], list[str]]:
    """Return the names that are chosen: by the user, else by the URL, else the last ones; and keep them there.

    Parameters
    ----------
    key : str
        Of the URL parameter. A widget for it has the key `widget(key)` and `changed(key)` as its `on_change`; other
        callbacks use `put_several`.
    is_known : callable
        Whether a name can be chosen; one that cannot falls away.
    default : sequence of str
        Chosen as well where none of those asked for is known.
    most : int, optional
        Of more the first ones are taken.

    Returns
    -------
    names, unknown : list of str
        The unknown ones are what a link has just asked for, only to be shown.
    """
    usual = joined(default)
    adopt_text(key, usual)
    wanted = listed(str(st.session_state[key]))
    names = [name for name in wanted if is_known(name)]
    unknown = [name for name in wanted if name not in names]
    names = (names or (list(default) if unknown else []))[:most]
    st.session_state[key], st.session_state[widget(key)] = joined(names), names
    text = asked(key) if listed(asked(key)) == names else joined(names)  # rewritten, it would spoil the way back
    keep({key: text if len(text) <= MOST_CHARACTERS else None}, {key: usual})
    return names, unknown


def put_several(key: str, names: Iterable[str]) -> None:
    """Choose these in a callback, or before `adopt_several`."""
    put(key, joined(names))


def widget(key: str) -> str:
    """Return the key of the widget for several names."""
    return f"{key}-several"


def changed(key: str) -> Callable[[], None]:
    """Return the `on_change` of the widget for several names."""
    return lambda: put_several(key, st.session_state[widget(key)])


def joined(names: Iterable[object]) -> str:
    """Write several names as one value of the URL."""
    return ",".join(map(str, names))


def listed(text: str) -> list[str]:
    """Read several names from one value of the URL; older links have `~` between them."""
    return list(dict.fromkeys(filter(None, re.split("[,~]", text))))
