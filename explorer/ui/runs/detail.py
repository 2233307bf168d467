"""One run: what it was trained with, when and on what, and where to go from it."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.experiments.seeds import siblings
from explorer.store import runs
from explorer.store.status import MAX_NAME, MAX_NOTE, MAX_TAG, MAX_TAGS
from explorer.store.summaries import Summary, made_at, summarise
from explorer.ui.kit import numbers, run_text, seed_groups, state
from explorer.ui.kit.text import markdown, plain
from explorer.ui.runs import actions, table

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
            on_click=table.choose_ids,
            args=([one.id for one in seeds],),
        )
    st.button(
        "Use these settings",
        icon=":material/tune:",
        key="runs-use",
        on_click=actions.use_settings,
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
        st.markdown(f"**{markdown(run_text.title(run, 120))}**  \n:small[{markdown(run.id)}]")
        if run.tags:
            st.markdown(" ".join(f":gray-badge[{markdown(plain(tag))}]" for tag in run.tags))
        if run.note:
            st.markdown(run_text.note(run))
        st.markdown(run_text.describe(run.status, run.config))
        if run.status.message:
            show = st.error if run.status.state == "failed" else st.warning
            show(markdown(run.status.message))
        st.markdown("  \n".join(f":small[{sentence}]" for sentence in _facts(run)))
    with right:
        rows: list[dict[str, str]] = [
            {"Setting": run_text.setting_label(name), "Value": run_text.setting_value(name, value)}
            for name, value in run_text.changed_settings(run.config).items()
        ]
        st.caption("Settings that are not the usual ones" if rows else "All settings are the usual ones.")
        if rows:
            st.dataframe(rows, hide_index=True, height="content", key="runs-settings")


def _facts(run: Summary) -> list[str]:
    """Say in sentences of Markdown when, how long and on what a run was trained."""
    status = run.status
    found = [f"Model {markdown(plain(run.model))} on {markdown(run_text.dataset(run.dataset))}."]
    if (count := run_text.parameters(run)) is not None:
        found[0] = f"{found[0][:-1]}, {numbers.count(count)} parameters."
    found.append(f"Started on {run_text.moment(run.started)}.")
    if status.best_epoch:
        found.append(
            f"Best epoch {numbers.count(status.best_epoch)}: {numbers.percent(status.best_accuracy)} of the "
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
        name = f"a run of {run_text.moment(made)} that is not here"
    return [f"A fork: it goes on from epoch {numbers.count(parent['epoch'])} of {name}."]


def _start(run: Summary) -> dict[str, Any]:
    try:
        events = run.run.events()
    except OSError:
        return {}
    return next((event for event in events if event.get("kind") == "start"), {})


def edit(run: Summary, known_tags: Iterable[str]) -> None:
    """Show the form in a popover.

    Parameters
    ----------
    run : Summary
    known_tags : iterable of str
        Tags of other runs, which are offered.
    """
    key = f"runs-edit-{run.id}"
    with (
        st.popover("Edit", icon=":material/edit:", key=key, help="Name, note and tags."),
        st.form(f"{key}-form", border=False),
    ):
        # No max_chars: the browser would cut what is pasted without a word.
        st.text_input("Name", run.name, key=f"{key}-name", help=f"Up to {MAX_NAME} characters.")
        st.text_area("Note", run.note, key=f"{key}-note", help=f"Up to {numbers.count(MAX_NOTE)} characters.")
        st.multiselect(
            "Tags",
            sorted({*run.tags, *known_tags}),
            default=run.tags,
            accept_new_options=True,
            placeholder="Type a word, then Enter",
            key=f"{key}-tags",
            help=f"Up to {MAX_TAGS} tags of up to {MAX_TAG} characters.",
        )
        st.form_submit_button("Save", type="primary", key=f"{key}-save", on_click=_save, args=(run.id, key))


def _save(run_id: str, key: str) -> None:
    with actions.answered() as notice:
        changes = {field: st.session_state[f"{key}-{field}"] for field in ("name", "note", "tags")}
        run = runs.get(run_id)
        run.describe(**changes)
        notice.done = f"“{actions.name_of(run)}” is saved."


FIELDS = ("epochs", "learning_rate", "optimizer")
WIDTH = 700


def fork(run: Summary) -> None:
    """Show the form of a fork, or say why there is none."""
    kept = run.run.kept_epochs()
    if run.problem or not kept:
        st.info("A fork goes on from an epoch whose weights are kept. This run has none.")
        return
    with st.container(width=WIDTH):
        st.caption("A fork is a new run that goes on from an epoch of this one with other settings.")
        _form(run, kept, f"runs-fork-{run.id}")


def _form(run: Summary, kept: list[int], key: str) -> None:
    from explorer.training.config import TrainConfig
    from explorer.training.queue import forking
    from explorer.ui.kit.options_form import options_form

    best = run.status.best_epoch
    left, right = st.columns(2, gap="large")
    with left:
        epoch = st.selectbox(
            "Go on from epoch",
            kept,
            index=kept.index(best) if best in kept else len(kept) - 1,
            format_func=lambda number: f"{number} (the best)" if number == best else str(number),
            key=f"{key}-epoch",
        )
    before = _before(run, epoch)
    with right:
        changes = options_form(TrainConfig, before, f"{key}-{epoch}", fields=FIELDS)
    with left:
        if not forking.optimizer_kept(run.run, epoch):
            st.caption(f"The optimizer starts fresh: its state after epoch {epoch} was not kept.")
        elif changes["optimizer"] != before.get("optimizer"):
            st.caption("The optimizer starts fresh, as it is another one.")
        else:
            st.caption(f"The optimizer goes on with its state after epoch {epoch}.")
        st.button(
            "Start the fork", type="primary", key=f"{key}-start", on_click=_start_fork, args=(run.id, epoch, changes)
        )


def _before(run: Summary, epoch: int) -> dict[str, Any]:
    """Return the settings as they were after an epoch, with as many epochs to come as the run had."""
    before = run_text.settings(run.config)
    epochs = int(before.get("epochs", 1))
    rates = [
        event["value"] for event in run.run.events() if event.get("kind") == "learning_rate" and event["epoch"] <= epoch
    ]
    changes = {"learning_rate": rates[-1]} if rates else {}
    return before | changes | {"epochs": epochs if epochs > epoch else epoch + epochs}


def _start_fork(run_id: str, epoch: int, changes: dict[str, Any]) -> None:
    from explorer.training.queue import forking, supervisor

    with actions.answered():
        made = forking.fork(runs.get(run_id), epoch, changes)
        supervisor.submit(made)
        state.go("train", run=made.id)
