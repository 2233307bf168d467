"""Forking a run: going on from one of its epochs with other settings."""

from typing import Any

import streamlit as st

from explorer.store import runs
from explorer.store.summaries import Summary
from explorer.ui import runs_actions, runs_words, state

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
    from explorer.training import forking
    from explorer.training.config import TrainConfig
    from explorer.ui.options_form import options_form

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
        st.button("Start the fork", type="primary", key=f"{key}-start", on_click=_start, args=(run.id, epoch, changes))


def _before(run: Summary, epoch: int) -> dict[str, Any]:
    """Return the settings as they were after an epoch, with as many epochs to come as the run had."""
    before = runs_words.settings(run.config)
    epochs = int(before.get("epochs", 1))
    rates = [
        event["value"] for event in run.run.events() if event.get("kind") == "learning_rate" and event["epoch"] <= epoch
    ]
    changes = {"learning_rate": rates[-1]} if rates else {}
    return before | changes | {"epochs": epochs if epochs > epoch else epoch + epochs}


def _start(run_id: str, epoch: int, changes: dict[str, Any]) -> None:
    from explorer.training import forking, supervisor

    with runs_actions.answered():
        made = forking.fork(runs.get(run_id), epoch, changes)
        supervisor.submit(made)
        state.go("train", run=made.id)
