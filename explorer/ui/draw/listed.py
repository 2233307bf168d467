"""Several names under one parameter of the URL, separated by commas; the order does not matter."""

from collections.abc import Sequence

import streamlit as st

from explorer.ui import address
from explorer.ui.text import shorten

MOST_CHARACTERS = 2_000


def adopt(key: str, known: Sequence[str], most: int) -> tuple[tuple[str, ...], str | None]:
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
    address.adopt(key, list(dict.fromkeys(["", asked, current])), "")
    wanted = str(st.session_state[key]).split(",")
    names = tuple(name for name in known if name in wanted)[:most]
    strange = [name for name in wanted if name and name not in known]
    keep(key, names)
    return names, shorten(", ".join(strange)) if strange else None


def put(key: str, names: Sequence[str]) -> None:
    """Choose other names, in a callback."""
    st.session_state[key] = ",".join(names)
    address.touched(key)


def keep(key: str, names: Sequence[str]) -> None:
    """Remember the names, and put them into the URL unless there are none."""
    text = ",".join(names)
    st.session_state[key] = text
    address.keep({key: text}, {key: ""})
