"""The form of a new run: the model's options, the training settings, and what they amount to."""

from typing import Any

import streamlit as st

import models
from explorer.errors import ExplorerError
from explorer.store import runs
from explorer.training import supervisor
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.ui import formats, run_watch
from explorer.ui.options_form import options_form
from explorer.ui.text import markdown

SCHEDULE_FIELDS = {"step": ("step_epochs", "step_factor"), "one-cycle": ("warmup",)}
AUGMENTATION_FIELDS = ("flip", "shift", "erase")
MORE_FIELDS = ("ema", "subset", "seed", "device", "threads", "time_budget")


def show(dataset: str) -> None:
    """Show the form for a data set; its button puts the run into the queue."""
    defaults = TrainConfig(dataset=dataset).model_dump(mode="json")

    def fields(*names: str) -> dict[str, Any]:
        return options_form(TrainConfig, defaults, "train", fields=names)

    values = {"dataset": dataset} | _model() | fields("optimizer", "learning_rate", "epochs")
    with st.expander("Batches, schedule and loss"):
        if values["optimizer"] in ("momentum", "nesterov"):
            values |= fields("momentum")
        values |= fields("batch_size", "schedule")
        values |= fields(*SCHEDULE_FIELDS.get(values["schedule"], ()))
        values |= fields("weight_decay", "loss", *_loss_fields())
    with st.expander("Augmentation"):
        values |= fields(*AUGMENTATION_FIELDS)
    with st.expander("More"):
        name = st.text_input("Name of the run", max_chars=runs.MAX_NAME, placeholder="made from the model")
        values |= fields(*MORE_FIELDS)
    config, outcome = _checked(values)
    st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=config is None,
        on_click=_start,
        args=(config, name),
    )
    if config is None:
        st.error(markdown(outcome), icon=":material/error:")
    else:
        st.caption(outcome)


def _model() -> dict[str, Any]:
    names = models.names()
    name = st.selectbox(
        "Model",
        names,
        format_func=lambda name: models.get(name).title,
        key="train-model",
        help="\n".join(f"- **{models.get(name).title}**: {models.get(name).summary}" for name in names),
    )
    options: dict[str, Any] = {}
    if models.get(name).options.model_fields:
        with st.expander("Model options"):
            options = options_form(models.get(name).options, {}, f"train-{name}")
    return {"model": name, "options": options}


def _loss_fields() -> tuple[str, ...]:
    """Label smoothing is a part of cross entropy only."""
    return ("label_smoothing",) if st.session_state.get("train-loss", "cross-entropy") == "cross-entropy" else ()


def _checked(values: dict[str, Any]) -> tuple[TrainConfig | None, str]:
    """Return the configuration and what it amounts to, or None and what is wrong with it."""
    try:
        config = TrainConfig.parse(values)
        plan = make_plan(config)
    except ExplorerError as error:
        return None, str(error)
    steps = f"{formats.count(plan.steps)} step{'s' * (plan.steps != 1)}"
    text = f"{formats.count(plan.parameters)} parameters, {steps} an epoch"
    if plan.piece < min(config.batch_size, config.subset):
        text += f", each in pieces of {formats.count(plan.piece)} images"
    return config, f"{text}."


def _start(config: TrainConfig, name: str) -> None:
    try:
        run = runs.create(config.model_dump(mode="json"), name.strip())
        supervisor.submit(run)
        run_watch.follow(run)
    except ExplorerError as error:
        run_watch.remember_problem(error)
