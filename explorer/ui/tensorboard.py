"""The panel for TensorBoard: the real one where the browser can reach it, else its curves inside the application."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.store import summaries
from explorer.store.runs import Run
from explorer.studies import tensorboard
from explorer.ui import runs_words
from explorer.ui.messages import shown

EMBEDDED, INSIDE = "TensorBoard", "Inside"
HEIGHT = 720
_probe = st.components.v2.component(
    "explorer_probe",
    js="""const tried = new WeakMap();
    export default function ({ data, parentElement, setStateValue }) {
        if (tried.get(parentElement) === data.url) return;
        tried.set(parentElement, data.url);
        const say = (reached) => setStateValue("reached", reached);
        fetch(data.url, { mode: "no-cors" }).then(() => say(true), () => say(false));
    }""",
)
"""Whether the browser reaches an address: only it can tell, as a tunnel looks the same from here."""


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
    if server and not _reached(server):
        st.info(
            "Your browser does not reach TensorBoard: it runs on another computer than this application, as through a "
            "tunnel. Here are the same curves and histograms."
        )
        view = INSIDE
    if view == INSIDE:
        from explorer.ui import event_curves  # with it come NumPy, Altair and PyTorch

        with shown():
            event_curves.show(runs)
    elif server:
        st.iframe(_url(server), height=HEIGHT, alt="TensorBoard")


def reachable() -> bool:
    """Whether the browser may run on this computer, and so reach a server on its loopback; `_reached` then tries."""
    address = st.context.ip_address
    return _host() is not None and (address is None or _is_loopback(address))


def _host() -> str | None:
    """Return the page's own host name where TensorBoard answers to it too.

    The frame must have the same one: a browser gives a page of another site no storage, and TensorBoard stays empty
    without.
    """
    host = urlsplit(st.context.url or "").hostname or ""
    return host if host in ("localhost", tensorboard.HOST) or host.endswith(".localhost") else None


def _url(server: tensorboard.Server) -> str:
    return f"http://{_host() or tensorboard.HOST}:{server.port}"


def _reached(server: tensorboard.Server) -> bool:
    """Let the browser try; True until it says otherwise."""
    key = f"tensorboard-reached-{server.port}"
    return _probe(key=key, data={"url": _url(server)}, on_reached_change=lambda: None).get("reached") is not False


def _is_loopback(text: str) -> bool:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _choose_view() -> str:
    if not reachable():
        st.caption(
            "TensorBoard itself can only be opened on the computer that this application runs on, where its address "
            "begins with http://localhost. Here are the same curves and histograms."
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
        st.link_button("Open in its own tab", _url(server), icon=":material/open_in_new:")
        st.button("Stop", icon=":material/stop:", on_click=tensorboard.stop, args=(user,), key="tensorboard-stop")
        return server
    if st.button("Open TensorBoard", icon=":material/monitoring:", type="primary", key="tensorboard-open"):
        with st.spinner("Starting TensorBoard …"):
            labels = runs_words.labels([summaries.summarise(run) for run in runs])
            tensorboard.start(runs, user=user, labels=dict(zip((run.id for run in runs), labels, strict=True)))
        st.rerun()
    if server:
        st.caption("Your TensorBoard is open for other runs; it will show these instead.")
    return None


def _user() -> str:
    """Return the id of this session: one tab of a browser."""
    context = get_script_run_ctx()
    return context.session_id if context else ""
