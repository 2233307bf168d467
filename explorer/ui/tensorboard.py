"""The panel for TensorBoard: the real one where the browser can reach it, else its curves inside the application."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.store.runs import Run
from explorer.studies import tensorboard
from explorer.ui.messages import shown

EMBEDDED, INSIDE = "TensorBoard", "Inside"
HEIGHT = 720


def show(runs: Sequence[Run]) -> None:
    """Show TensorBoard for runs, or offer to start it.

    Parameters
    ----------
    runs : sequence of Run
        Those that the user has chosen, in the order in which they are to be listed.
    """
    if not runs:
        st.caption("Choose at least one run to see its curves and histograms.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view, server = _choose_view(), None
        if view == EMBEDDED:
            with shown():
                server = _control(runs)
    if view == INSIDE:
        from explorer.ui import event_curves  # with it come NumPy, Altair and PyTorch

        with shown():
            event_curves.show(runs)
    elif server:
        st.iframe(server.url, height=HEIGHT, alt="TensorBoard")
        st.caption(f"Nothing to be seen here? Then your browser runs on another computer; choose *{INSIDE}*.")


def reachable() -> bool:
    """Whether the browser runs on this computer, as far as can be told, and so reaches a server on its loopback."""
    host = urlsplit(st.context.url or "").hostname or ""
    address = st.context.ip_address
    return _is_loopback(host) and (address is None or _is_loopback(address))


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _choose_view() -> str:
    if not reachable():
        st.caption(
            "TensorBoard itself can only be opened on the computer that this application runs on. "
            "Here are the same curves and histograms."
        )
        return INSIDE
    chosen = st.segmented_control(
        "View", [EMBEDDED, INSIDE], default=EMBEDDED, key="tensorboard-view", label_visibility="collapsed"
    )
    return chosen or EMBEDDED


def _control(runs: Sequence[Run]) -> tensorboard.Server | None:
    """Show the buttons; return the server if it shows these runs."""
    user = _user()
    server = tensorboard.current(user)
    if server and set(server.runs) == {run.id for run in runs}:
        st.link_button("Open in its own tab", server.url, icon=":material/open_in_new:")
        st.button("Stop", icon=":material/stop:", on_click=tensorboard.stop, args=(user,), key="tensorboard-stop")
        return server
    if st.button("Open TensorBoard", icon=":material/monitoring:", type="primary", key="tensorboard-open"):
        with st.spinner("Starting TensorBoard …"):
            tensorboard.start(runs, user=user)
        st.rerun()
    if server:
        st.caption("Your TensorBoard is open for other runs; it will show these instead.")
    return None


def _user() -> str:
    """Return the id of this session: one tab of a browser."""
    context = get_script_run_ctx()
    return context.session_id if context else ""
