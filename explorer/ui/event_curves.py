"""Scalars and histograms from the events of runs, drawn inside the application."""

from collections.abc import Sequence

import streamlit as st

from explorer.store import summaries
from explorer.store.runs import Run
from explorer.training.tracking import reading
from explorer.training.tracking.reading import Events, Series
from explorer.ui import formats, runs_words
from explorer.ui.charts.histograms import histogram_map, histogram_table, quantile
from explorer.ui.charts.scalars import SCALARS, scalar, scalar_curves, scalar_table, step_name
from explorer.ui.text import markdown
from explorer.ui.widgets import figure

MAX_RUNS = 10
"""Runs whose curves are told apart in one chart."""


def show(runs: Sequence[Run]) -> None:
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
        st.caption(f"Only the first {MAX_RUNS} of {formats.count(len(runs))} runs are drawn.")
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
    return dict(zip(runs_words.labels([summaries.summarise(run) for run in runs]), runs, strict=True))


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
        table=lambda: histogram_table(series),
        width="stretch",
    )


def parameter_title(tag: str) -> str:
    """Name a histogram in words."""
    kind, _, name = tag.partition("/")
    return f"{'Gradient of ' if kind == 'gradients' else ''}{name}"


def _read_scalar(tag: str, curves: dict[str, Series]) -> str:
    about, unit = scalar(tag), step_name(tag)
    what = about.axis.partition(" (")[0]
    last = {title: (curve.steps[-1], curve.values[-1]) for title, curve in curves.items()}
    if len(last) == 1:
        ((step, value),) = last.values()
        text = f"The line is the run's {what}; at {unit} {formats.count(step)} it is {_number(tag, value)}. "
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
        return formats.percent(value)
    return formats.count(value) if kind == ",.0f" else formats.loss(value) if kind == ".4f" else f"{value:.2g}"


def _signed(value: float) -> str:
    return f"{value:.2g}".replace("-", "−", 1) if value < 0 else f"{value:.2g}"


def _read_histogram(tag: str, series: reading.HistogramSeries) -> str:
    nothing = 1e-6 * float(series.edges[-1] - series.edges[0])
    middle = [quantile(series, -1, share) for share in (0.25, 0.75)]
    low, high = (value if abs(value) > nothing else 0.0 for value in middle)
    epoch = formats.count(series.epochs[-1])
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
