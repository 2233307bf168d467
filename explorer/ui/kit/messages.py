"""What a user sees when something is wrong or missing: one message, and the button that helps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import streamlit as st
from streamlit.error_util import handle_uncaught_app_exception
from streamlit.errors import FragmentHandledException
from streamlit.runtime.scriptrunner import StopException
from streamlit.runtime.state.session_state import WStates

from explorer.data import catalog
from explorer.errors import ExplorerError
from explorer.ui.kit import state
from explorer.ui.kit.text import markdown

_read = WStates.__getitem__


def _read_or_default(values: WStates, widget_id: str) -> Any:
    """Return the value of a widget, its default where what the client sent as JSON cannot be read.

    Streamlit raises it before the script, again and again, as it keeps the value: the session would be lost.
    """
    try:
        return _read(values, widget_id)
    except (ValueError, RecursionError):
        default = values.widget_metadata[widget_id].deserializer(None)
        values.set_from_value(widget_id, default)
        return default


WStates.__getitem__ = _read_or_default  # type: ignore[method-assign]


@contextmanager
def shown() -> Iterator[None]:
    """Turn an `ExplorerError` into its message on the page; everything else stays the same."""
    try:
        yield
    except ExplorerError as error:
        st.error(markdown(str(error)), icon=":material/error:")


@contextmanager
def contained() -> Iterator[None]:
    """Let a run of the script come to its end, however the page ends; for the outermost place.

    Only then does Streamlit forget the parts of the page before that renew themselves. One whose next turn is asked
    for already would else be drawn into the new page, where it has no place, and the browser would show nothing more.
    """
    try:
        yield
    except (StopException, FragmentHandledException):
        pass  # nothing is wrong, or it has been said where it happened
    except Exception as error:
        handle_uncaught_app_exception(error)


def no_checkpoint() -> NoReturn:
    """Say that there is no checkpoint for the data set, offer what to do, and end the page here."""
    title = catalog.get(state.selection().dataset).title
    with st.container(border=True, horizontal_alignment="left"):
        st.markdown(f"**No checkpoint for {markdown(title)} yet.** A checkpoint is a trained model in a file.")
        st.markdown("Train one here, or bring one of your own on the page Home.")
        with st.container(horizontal=True):
            if state.page_exists("train"):
                st.button(
                    "Train a model",
                    icon=":material/model_training:",
                    type="primary",
                    on_click=state.go,
                    args=("train",),
                    key="empty-train",
                )
            st.button(
                "Bring a checkpoint", icon=":material/upload_file:", on_click=state.go, args=("home",), key="empty-home"
            )
    st.stop()
