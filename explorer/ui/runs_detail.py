"""One run: what it was trained with, when and on what, and where to go from it."""

from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.store.summaries import Summary, made_at, summarise
from explorer.studies.seeds import siblings
from explorer.ui import formats, runs_actions, runs_filters, runs_words, seed_groups, state, watch_words
from explorer.ui.text import markdown, plain

PAGES: tuple[tuple[state.PageName, str, str], ...] = (
    ("evaluate", "Evaluate", ":material/grid_on:"),
    ("explain", "Explain", ":material/visibility:"),
    ("draw", "Draw", ":material/draw:"),
)


def links(run: Summary) -> None:
    """Show the buttons that open another page with this run; in a horizontal container."""
    if run.problem:
        return
    if run.status.best_epoch:
        for page, title, icon in PAGES:
            st.button(
                title,
                icon=icon,
                key=f"runs-to-{page}",
                on_click=state.go,
                args=(page,),
                kwargs={"checkpoint": run.id, "dataset": run.dataset},
            )
    st.button(
        "Watch",
        icon=":material/monitoring:",
        key="runs-watch",
        on_click=state.go,
        args=("train",),
        kwargs={"run": run.id},
    )
    if len(seeds := _seeds(run)) > 1:
        st.button(
            f"Compare its {len(seeds)} seeds",
            icon=":material/casino:",
            key="runs-seeds",
            on_click=runs_filters.choose,
            args=([one.id for one in seeds],),
        )
    st.button(
        "Use these settings",
        icon=":material/tune:",
        key="runs-use",
        on_click=runs_actions.use_settings,
        args=(run.config,),
        help="Opens the page Train with the form filled in as for this run.",
    )


def details(run: Summary) -> None:
    """Show what is known of a run: its settings, its user's note, when and on what it was trained."""
    if run.problem:
        st.error(markdown(run.problem), icon=":material/error:")
        return
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.markdown(f"**{markdown(runs_words.title(run, 120))}**  \n:small[{markdown(run.id)}]")
        if run.tags:
            st.markdown(" ".join(f":gray-badge[{markdown(plain(tag))}]" for tag in run.tags))
        if run.note:
            st.markdown(runs_words.note(run))
        st.markdown(watch_words.describe(run.status, run.config))
        if run.status.message:
            show = st.error if run.status.state == "failed" else st.warning
            show(markdown(run.status.message))
        st.markdown("  \n".join(f":small[{sentence}]" for sentence in _facts(run)))
    with right:
        rows: list[dict[str, str]] = [
            {"Setting": runs_words.setting_label(name), "Value": runs_words.setting_value(name, value)}
            for name, value in runs_words.changed_settings(run.config).items()
        ]
        st.caption("Settings that are not the usual ones" if rows else "All settings are the usual ones.")
        if rows:
            st.dataframe(rows, hide_index=True, height="content", key="runs-settings")


def _facts(run: Summary) -> list[str]:
    """Say in sentences of Markdown when, how long and on what a run was trained."""
    status = run.status
    found = [f"Model {markdown(plain(run.model))} on {markdown(runs_words.dataset(run.dataset))}."]
    if (count := runs_words.parameters(run)) is not None:
        found[0] = f"{found[0][:-1]}, {formats.count(count)} parameters."
    found.append(f"Started on {runs_words.moment(run.started)}.")
    if status.best_epoch:
        found.append(
            f"Best epoch {formats.count(status.best_epoch)}: {formats.percent(status.best_accuracy)} of the "
            "validation images correct."
        )
    group = _seeds(run)
    if len(group) > 1 and (spread := seed_groups.accuracy(group)):
        found.append(f"One of {len(group)} seeds; their best validation accuracy: {seed_groups.describe(spread)}.")
    start = _start(run)
    threads = start.get("threads")
    where = status.device or str(start.get("device", ""))
    if where:
        used = f", {threads} thread{'s' * (threads != 1)}" if isinstance(threads, int) else ""
        found.append(f"Computed on {markdown(plain(where))}{used}.")
    versions = start.get("versions")
    if isinstance(versions, dict) and versions:
        words = ", ".join(f"{name} {version}" for name, version in versions.items())
        found.append(f"With {markdown(plain(words)[:200])}.")
    return [*found, *_origin(run)]


def _seeds(run: Summary) -> list[Summary]:
    """Return the runs that were started with a run as seeds of one configuration."""
    return [summarise(one) for one in siblings(run.run)]


def _origin(run: Summary) -> list[str]:
    """Say what a fork goes on from."""
    parent = run.description.get("parent") or {}
    known = isinstance(parent.get("run"), str) and isinstance(parent.get("epoch"), int)
    if not known:
        return []
    made = made_at(parent["run"])
    try:
        name = f"“{markdown(plain(runs.get(parent['run']).name))}”"
    except ExplorerError:
        name = f"a run of {runs_words.moment(made)} that is not here"
    return [f"A fork: it goes on from epoch {formats.count(parent['epoch'])} of {name}."]


def _start(run: Summary) -> dict[str, Any]:
    try:
        events = run.run.events()
    except OSError:
        return {}
    return next((event for event in events if event.get("kind") == "start"), {})
