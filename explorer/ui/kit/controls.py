"""Choices that stand in the URL, each a widget with its key as parameter."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui.kit import address


def segments(
    label: str,
    options: Mapping[str, str] | Sequence[str],
    key: str,
    help: str | None = None,
    labelled: bool = True,
    on_change: Callable[[str], None] = address.touched,
) -> str:
    """Let the user choose one of a few.

    Parameters
    ----------
    label : str
    options : mapping of str to str, or sequence of str
        Title by value, or values that are their own titles; the first is the default. The value is what stands in the
        URL.
    key : str
    help : str, optional
    labelled : bool
        False leaves the label to screen readers.
    on_change : callable
        Takes the key; must call `address.touched` with it.
    """
    names = list(options)
    titles = options if isinstance(options, Mapping) else {}
    address.adopt(key, names, names[0])
    chosen = st.segmented_control(
        label,
        names,
        format_func=lambda name: titles.get(str(name), str(name)),
        required=True,
        wrap=True,
        key=key,
        help=help,
        label_visibility="visible" if labelled else "collapsed",
        on_change=on_change,
        args=(key,),
    )
    address.keep({key: chosen}, {key: names[0]})
    return str(chosen or names[0])


def select(label: str, options: Mapping[int, str], key: str, anything: str) -> int | None:
    """Let the user choose one of several by its number, or none.

    Parameters
    ----------
    label : str
        For screen readers.
    options : mapping of int to str
        Title by number; the number is what stands in the URL.
    key : str
    anything : str
        What stands there while nothing is chosen.
    """
    numbers = list(options)
    address.adopt(key, [None, *numbers], None)
    chosen = st.selectbox(
        label,
        numbers,
        index=None,
        format_func=lambda number: options.get(number, str(number)),
        placeholder=anything,
        key=key,
        label_visibility="collapsed",
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: chosen}, {})
    return None if chosen is None else int(chosen)


def switch(label: str, key: str, help: str | None = None, default: bool = False) -> bool:
    """Let the user turn something on or off."""
    address.adopt(key, [False, True], default)
    chosen = st.toggle(label, key=key, help=help, on_change=address.touched, args=(key,))
    address.keep({key: chosen}, {key: default})
    return chosen


def slide(label: str, values: Sequence[int], default: int, key: str, form: str, help: str | None = None) -> int:
    """Let the user choose a whole number between the first and the last of `values`."""
    address.adopt(key, values, default)
    chosen = st.slider(
        label,
        values[0],
        values[-1],
        format=form,
        key=key,
        help=help,
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: chosen}, {key: default})
    return int(chosen)


def columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return the places of a section: its controls, and beside them its figure."""
    left, right = st.columns([1.3, 2.8], gap="medium")
    return left, right
