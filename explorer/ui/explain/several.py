"""Choices of several things at once that stand in the URL, their names joined by a mark that none of them holds."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from explorer.ui import address

MARK = "~"


def adopt(key: str, valid: Callable[[str], bool], default: Sequence[str] = ()) -> list[str]:
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
    current = linked if linked and address.is_new(key) else current
    st.session_state[key] = MARK.join(current)
    address.adopt(key, list({usual: 0, MARK.join(current): 0, MARK.join(linked): 0}), usual)
    chosen = _valid(str(st.session_state[key]), valid)
    st.session_state[key] = MARK.join(chosen)
    st.session_state[widget(key)] = chosen
    return chosen


def unknown(key: str, known: Callable[[str], bool]) -> list[str]:
    """Return what a link that has just been opened asks for and nobody knows; to be called before `adopt`."""
    if not address.is_new(key):
        return []
    asked = st.query_params.get(key, "")[:2000].split(MARK)
    return [name for name in dict.fromkeys(asked) if name and not known(name)]


def keep(key: str, default: Sequence[str] = ()) -> None:
    """Put what is chosen into the URL."""
    address.keep({key: st.session_state[key]}, {key: MARK.join(default)})


def widget(key: str) -> str:
    """Return the key of the widget."""
    return f"{key}-several"


def changed(key: str) -> Callable[[], None]:
    """Return the `on_change` of the widget."""
    return partial(_take, key)


def put(key: str, names: Sequence[str]) -> None:
    """Choose these in a callback, or before `adopt`."""
    st.session_state[key] = MARK.join(names)
    address.touched(key)


def _take(key: str) -> None:
    put(key, [str(name) for name in st.session_state[widget(key)]])


def _valid(text: str, valid: Callable[[str], bool]) -> list[str]:
    return list(dict.fromkeys(name for name in text[:2000].split(MARK) if valid(name)))
