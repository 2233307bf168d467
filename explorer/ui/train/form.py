"""The form of a new run: the model's options, the training settings, and what they amount to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st

import models
from explorer.data import catalog
from explorer.errors import ConfigError, ExplorerError
from explorer.experiments import seeds
from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.initial import fits
from explorer.training.plan import Plan, make_plan
from explorer.training.presets import COURSEWORK, SHIPPED, Preset, presets
from explorer.ui.kit import checkpoints, numbers, preset_menu, run_text, training_form
from explorer.ui.kit.options_form import options_form
from explorer.ui.kit.text import label, markdown, shorten
from explorer.ui.kit.training_form import KEY, ONLY_WITH, START
from explorer.ui.train import watch

FIRST = ("optimizer", "learning_rate", "momentum", "epochs")
EXPANDERS = {
    "Batches, schedule and loss": (
        *("batch_size", "schedule", "step_epochs", "step_factor", "warmup", "weight_decay"),
        *("decay_biases", "loss", "label_smoothing"),
    ),
    "When to stop": ("patience", "time_budget"),
    "Augmentation": ("flip", "flip_order", "shift", "erase", "erase_fill", "adversarial"),
}
ELSEWHERE = ("dataset", "model", "options", "initial")
"""The sidebar's data set, and what stands above."""
MORE = tuple(
    name for name in TrainConfig.model_fields if name not in (*ELSEWHERE, *FIRST, *sum(EXPANDERS.values(), ()))
)
"""All other fields, new ones included."""
SHOWN_CHANGES = 200
"""Characters."""


class Checked(NamedTuple):
    """What the form says: a configuration that can be trained and its plan, or else what is wrong with it."""

    config: TrainConfig | None
    problem: str
    plan: Plan | None


def show(dataset: str) -> Checked:
    """Show the form for a data set; its button puts the run into the queue.

    Returns
    -------
    Checked
        What the form says now.
    """
    training_form.hold()
    training_form.follow_url()
    training_form.apply(dataset)
    menu = st.popover("Presets, link and file", icon=":material/tune:", width="stretch")
    training_form.show_problem()
    values, problems = _values(dataset)
    name = st.session_state.get(f"{KEY}-name", "")
    parsed, checked = _check(values, problems)
    with st.container(key=f"start-{KEY}", gap="xsmall"):
        _say_problem(checked)
        pressed = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=checked.config is None,
            key=START,
        )
    if pressed:
        _start(checked, name)
    _say(checked)
    training_form.keep(parsed)
    with menu:
        presets_menu(parsed)
    return checked


def _values(dataset: str) -> tuple[dict[str, Any], list[str]]:
    """Show the fields; return what they say, and what is wrong with the texts in them."""
    titles = {name: models.get(name).title for name in models.names()}
    about = "\n".join(f"- **{title}**: {models.get(name).summary}" for name, title in titles.items())
    values: dict[str, Any] = {"dataset": dataset}
    _add(values, "model", choices={"model": titles}, help=about)
    with st.expander("Model options"):
        problems = _add_options(values)
        _add(values, "initial", choices={"initial": _starts(values)})
    _add(values, *FIRST)
    for title, names in EXPANDERS.items():
        with st.expander(title):
            _add(values, *names)
    with st.expander("More"):
        st.text_input(
            "Name of the run",
            max_chars=runs.MAX_NAME,
            placeholder="made from the model",
            help="For lists and legends; it may be changed later.",
            key=f"{KEY}-name",
            persist_state="session",
        )
        st.number_input(
            "Runs with different seeds",
            1,
            seeds.MAX_SEEDS,
            1,
            help="Train so many runs that differ in their seed alone: it shows how much is chance.",
            key=f"{KEY}-repeats",
            persist_state="session",
        )
        _add(values, *MORE)
    return values, problems


def _add(values: dict[str, Any], *names: str, **how: Any) -> None:
    """Show fields of the configuration one after another, those left out that mean nothing with the others."""
    for name in names:
        other, needed = ONLY_WITH.get(name, ("", ()))
        if not other or values[other] in needed:
            values |= options_form(TrainConfig, {}, KEY, fields=(name,), **_KEPT, **how)


def _add_options(values: dict[str, Any]) -> list[str]:
    values["options"] = {}
    try:
        values["options"] = options_form(models.get(values["model"]).options, {}, f"{KEY}-{values['model']}", **_KEPT)
    except ConfigError as error:
        return [str(error)]
    return []


_KEPT: dict[str, Any] = {"on_change": training_form.changed, "persist_state": "session"}
"""A widget that is not shown for a while keeps its value."""


def _starts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the checkpoints whose weights fit, by reference."""
    titles = {"": "Random weights"}
    try:
        options = models.get(values["model"]).validate(values["options"]).model_dump(mode="json")
        classes = len(catalog.get(values["dataset"]).classes)
        for entry in checkpoints.load().entries:
            if _suits(entry, values["model"], options, classes):
                titles[entry.reference] = shorten(entry.title, 60)
    except ConfigError:
        pass  # no network, so no weights that fit; what is wrong with it is said elsewhere
    return titles


def _suits(entry: checkpoints.Entry, model: str, options: dict[str, Any], classes: int) -> bool:
    """Whether training can start from a checkpoint; a run's own weights are not read for that."""
    if entry.kind != "run":
        known = len(entry.checkpoint.classes) == classes
    else:
        of = catalog.base(str(entry.dataset))
        known = of in catalog.names() and len(catalog.get(of).classes) == classes
    return known and fits((entry.model, entry.options), model, options)


def _check(values: Mapping[str, Any], problems: list[str]) -> tuple[TrainConfig | None, Checked]:
    """Return the configuration, though it may be impossible to train, and what is to be said of it."""
    config = None
    try:
        if problems:
            raise ConfigError(" ".join(problems))
        config = TrainConfig.parse(values)
        return config, Checked(config, "", make_plan(config))
    except ExplorerError as error:
        return config, Checked(None, str(error), None)


def _say_problem(checked: Checked) -> None:
    """Show what is wrong with the settings."""
    if checked.config is None:
        st.error(markdown(checked.problem), icon=":material/error:")


def _say(checked: Checked) -> None:
    """Show what the settings amount to."""
    config, _, plan = checked
    if config is None or plan is None:
        return
    steps = f"{numbers.count(plan.steps)} step{'s' * (plan.steps != 1)}"
    text = f"{numbers.count(plan.parameters)} parameters, {steps} an epoch"
    if plan.piece < min(config.batch_size, config.subset):
        text += f", each in pieces of {numbers.count(plan.piece)} images"
    st.caption(f"{text}.")
    changes = [
        f"{label(name.removeprefix(run_text.OPTION))} {run_text.setting_value(name, value)}"
        for name, value in run_text.changed_settings(config.model_dump(mode="json")).items()
    ]
    if changes:
        st.caption(f"Changed: {markdown(shorten(' · '.join(changes), SHOWN_CHANGES))}")


def _start(checked: Checked, name: str) -> None:
    if checked.config is None:
        return
    try:
        made = seeds.create(checked.config, int(st.session_state.get(f"{KEY}-repeats", 1)), name.strip())
        seeds.submit(made)
        watch.follow(made[0])
    except ExplorerError as error:
        watch.remember_problem(error)


WIDTH = 380
"""Of the contents on the screen, wider than the column that they hang from; on a small screen what there is."""

_COUNT = "train:uploads"


def presets_menu(config: TrainConfig | None) -> None:
    """Show the presets, the link and the file.

    Parameters
    ----------
    config : TrainConfig or None
        What the form says; None while it is not valid, then there is nothing to take away.
    """
    with st.container(width=WIDTH):
        _presets()
        training_form.show_note()
        if config:
            _give(config)
        _upload()


def _give(config: TrainConfig) -> None:
    st.markdown("**Link to these settings**", help="It fills in this form on another computer and starts nothing.")
    st.code(training_form.link(config, st.context.url or "/train"), language=None)
    st.download_button(
        "Configuration as JSON",
        lambda: training_form.to_document(config),
        "config.json",
        "application/json",
        key="train-download",
        on_click="ignore",
        icon=":material/download:",
        help="Also for the command line: `python -m explorer train --config config.json`.",
    )


def _presets() -> None:
    found = presets()
    course = preset_menu.by_question([one for one in found if one.group == COURSEWORK], "train-preset")
    preset_menu.choose("Preset", course, f"train-preset-{COURSEWORK}", _use_preset)
    if shipped := [one for one in found if one.group == SHIPPED]:
        preset_menu.choose(SHIPPED, shipped, f"train-preset-{SHIPPED}", _use_preset)


def _use_preset(preset: Preset) -> None:
    training_form.ask(TrainConfig.parse(preset.config))
    training_form.note(f"**{markdown(preset.title)}** is filled in. {markdown(preset.summary)}")


def _upload() -> None:
    key = f"train-upload-{st.session_state.setdefault(_COUNT, 0)}"
    st.file_uploader(
        "Configuration from a JSON file",
        type="json",
        key=key,
        max_upload_size=training_form.MAX_MEGABYTES,
        on_change=_use_file,
        args=(key,),
        help="As downloaded here, or the `config.json` of a run.",
    )


def _use_file(key: str) -> None:
    file = st.session_state[key]
    if file is None:
        return
    st.session_state[_COUNT] += 1  # a new uploader, which is empty
    try:
        config = training_form.from_document(file.getvalue())
    except ConfigError as error:
        training_form.note(markdown(str(error)), problem=True)
        return
    training_form.ask(config)
    training_form.note(f"{markdown(shorten(file.name))} is filled in.")
