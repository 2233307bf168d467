"""What all sections of the page Inside have in common."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from explorer.ui import messages, state
from explorer.ui.inside.subject import Subject

Show = Callable[[Subject], None]


def section(show: Show) -> Show:
    """Make a function a section: a fragment, in which links are followed and errors become messages."""

    @st.fragment
    @wraps(show)
    def shown(subject: Subject) -> None:
        state.follow()
        with messages.shown():
            show(subject)

    return shown
