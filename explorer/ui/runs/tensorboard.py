"""The panel for TensorBoard: the real one where the browser can reach it, else its curves inside the application."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from explorer.store import summaries
from explorer.store.runs import Run
from explorer.training.tracking import reading
from explorer.training.tracking import server as tracking_server
from explorer.training.tracking.reading import Events, ScalarSeries
from explorer.ui.charts.learning_curves import SCALARS, scalar, scalar_curves, scalar_table, step_name
from explorer.ui.charts.weights import epoch_histogram_table, histogram_map, quantile
from explorer.ui.kit import numbers, run_text
from explorer.ui.kit.figure import figure
from explorer.ui.kit.messages import shown
from explorer.ui.kit.text import markdown

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
        with shown():
            show_events(runs)
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
    return host if host in ("localhost", tracking_server.HOST) or host.endswith(".localhost") else None


def _url(server: tracking_server.Server) -> str:
    return f"http://{_host() or tracking_server.HOST}:{server.port}"


def _reached(server: tracking_server.Server) -> bool:
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


def _control(runs: Sequence[Run]) -> tracking_server.Server | None:
    """Show the buttons; return the server if it shows these runs."""
    user = _user()
    server = tracking_server.current(user)
    if server and set(server.runs) == {run.id for run in runs}:
        st.link_button("Open in its own tab", _url(server), icon=":material/open_in_new:")
        st.button("Stop", icon=":material/stop:", on_click=tracking_server.stop, args=(user,), key="tensorboard-stop")
        return server
    if st.button("Open TensorBoard", icon=":material/monitoring:", type="primary", key="tensorboard-open"):
        with st.spinner("Starting TensorBoard …"):
            labels = run_text.labels([summaries.summarise(run) for run in runs])
            tracking_server.start(runs, user=user, labels=dict(zip((run.id for run in runs), labels, strict=True)))
        st.rerun()
    if server:
        st.caption("Your TensorBoard is open for other runs; it will show these instead.")
    return None


def _user() -> str:
    """Return the id of this session: one tab of a browser."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


MAX_RUNS = 10
"""Runs whose curves are told apart in one chart."""


def show_events(runs: Sequence[Run]) -> None:
    """Show a scalar of all runs on the left, and the histograms of a parameter of one run on the right.

    Raises
    ------
    RunError
        TensorBoard, whose reader is used, is not installed.
    """
    found = {title: _events(run.id, reading.signature(run), run) for title, run in _titles(runs[:MAX_RUNS]).items()}
    found = {title: events for title, events in found.items() if events.scalars}
    if not found:
        st.caption("These runs have no events yet: they begin with the first epoch.")
        return
    if len(runs) > MAX_RUNS:
        st.caption(f"Only the first {MAX_RUNS} of {numbers.count(len(runs))} runs are drawn.")
    left, right = st.columns(2, gap="large")
    with left:
        _scalars(found)
    with right:
        _histograms({title: events for title, events in found.items() if events.histograms})


@st.cache_resource(max_entries=32, show_spinner="Reading the events …")
def _events(run_id: str, signature: reading.Signature, _run: Run) -> Events:
    """Return the events of a run; read again when its files have changed. Not to be changed: it is shared."""
    return reading.read(_run) if signature else Events({}, {})


def _titles(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the runs by names that differ."""
    return dict(zip(run_text.labels([summaries.summarise(run) for run in runs]), runs, strict=True))


def _scalars(found: dict[str, Events]) -> None:
    tags = {tag for events in found.values() for tag in events.scalars}
    known = [tag for tag in SCALARS if tag in tags]
    tag = st.selectbox(
        "Curve",
        [*known, *sorted(tags - set(known))],
        format_func=lambda tag: scalar(tag).title,
        key="tensorboard-scalar",
    )
    curves = {title: events.scalars[tag] for title, events in found.items() if tag in events.scalars}
    figure(
        scalar_curves(tag, curves),
        name=tag.replace("/", "-"),
        how_to_read=_read_scalar(tag, curves),
        table=lambda: scalar_table(tag, curves),
        width="stretch",
    )


def _histograms(found: dict[str, Events]) -> None:
    if not found:
        st.caption("There are no histograms yet: they begin with the first epoch.")
        return
    titles = list(found)
    first, second = st.columns(2)
    title = first.selectbox("Run", titles, key="tensorboard-run") if len(titles) > 1 else titles[0]
    events = found[title]
    tags = sorted(events.histograms, key=lambda tag: not tag.startswith("weights/"))
    place = second if len(titles) > 1 else st
    tag = place.selectbox("Parameter", tags, format_func=parameter_title, key="tensorboard-parameter")
    series, axis = events.histogram(tag), "gradient" if tag.startswith("gradients/") else "value"
    figure(
        histogram_map(series, f"{parameter_title(tag)}, epoch by epoch", axis),
        name=tag.replace("/", "-"),
        how_to_read=_read_histogram(tag, series),
        table=lambda: epoch_histogram_table(series),
        width="stretch",
    )


def parameter_title(tag: str) -> str:
    """Name a histogram in words."""
    kind, _, name = tag.partition("/")
    return f"{'Gradient of ' if kind == 'gradients' else ''}{name}"


def _read_scalar(tag: str, curves: dict[str, ScalarSeries]) -> str:
    about, unit = scalar(tag), step_name(tag)
    what = about.axis.partition(" (")[0]
    last = {title: (curve.steps[-1], curve.values[-1]) for title, curve in curves.items()}
    if len(last) == 1:
        ((step, value),) = last.values()
        text = f"The line is the run's {what}; at {unit} {numbers.count(step)} it is {_number(tag, value)}. "
    else:
        text = f"Each line is the {what} of one run, by {unit}. "
        if about.lower is not None:
            choose = min if about.lower else max
            best = choose(last, key=lambda title: last[title][1])
            word = "Lowest" if about.lower else "Highest"
            text += f"{word} at its end is **{markdown(best)}** with {_number(tag, last[best][1])}. "
    if about.lower is not None:
        text += f"{'Lower' if about.lower else 'Higher'} is better."
    return text.strip()


def _number(tag: str, value: float) -> str:
    kind = scalar(tag).format
    if kind == ".1%":
        return numbers.percent(value)
    return numbers.count(value) if kind == ",.0f" else numbers.loss(value) if kind == ".4f" else f"{value:.2g}"


def _signed(value: float) -> str:
    return f"{value:.2g}".replace("-", "−", 1) if value < 0 else f"{value:.2g}"


def _read_histogram(tag: str, series: reading.HistogramSeries) -> str:
    nothing = 1e-6 * float(series.edges[-1] - series.edges[0])
    middle = [quantile(series, -1, share) for share in (0.25, 0.75)]
    low, high = (value if abs(value) > nothing else 0.0 for value in middle)
    epoch = numbers.count(series.epochs[-1])
    text = (
        "Each column is an epoch; the stronger the colour of a place, the more values lie there. "
        f"After epoch {epoch}, half of them lie between {_signed(low)} and {_signed(high)}. "
    )
    if tag.startswith("gradients/"):
        return (
            text
            + "These are the gradients of the epoch's last step: a layer whose gradients are all near 0 stands still."
        )
    return text + "A spread that keeps growing means that the weights grow: weight decay would hold them back."
