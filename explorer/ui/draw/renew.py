"""Asking for a run of the whole page from within the part that a stroke renews alone."""

import streamlit as st

_ASKED = "renew:asked"
_SECTION = "renew:section"


def ask() -> None:
    """Let the whole page run next, in a callback."""
    st.session_state[_ASKED] = True


def done() -> None:
    """Note that the whole page runs; the first thing that it does."""
    st.session_state.pop(_ASKED, None)
    st.session_state.pop(_SECTION, None)


def follow() -> None:
    """Run the whole page if that was asked for; the first thing that the part does."""
    if st.session_state.pop(_ASKED, False):
        st.rerun()


def turn(section: str) -> None:
    """Run the whole page if another section was chosen since it last ran."""
    if st.session_state.setdefault(_SECTION, section) != section:
        st.rerun()
