"""Presets, link and file: the ways in which a whole configuration comes into the form of a new run, and out of it."""

import streamlit as st

from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.training.presets import COURSEWORK, SHIPPED, Preset, presets
from explorer.ui import config_link, preset_menu, train_filling
from explorer.ui.text import markdown, shorten

WIDTH = 380
"""Of the contents on the screen, wider than the column that they hang from; on a small screen what there is."""

_COUNT = "train:uploads"


def show(config: TrainConfig | None) -> None:
    """Show the presets, the link and the file.

    Parameters
    ----------
    config : TrainConfig or None
        What the form says; None while it is not valid, then there is nothing to take away.
    """
    with st.container(width=WIDTH):
        _presets()
        train_filling.show_note()
        if config:
            _give(config)
        _upload()


def _give(config: TrainConfig) -> None:
    st.markdown("**Link to these settings**", help="It fills in this form on another computer and starts nothing.")
    st.code(config_link.link(config, st.context.url or "/train"), language=None)
    st.download_button(
        "Configuration as JSON",
        lambda: config_link.to_document(config),
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
    train_filling.ask(TrainConfig.parse(preset.config))
    train_filling.note(f"**{markdown(preset.title)}** is filled in. {markdown(preset.summary)}")


def _upload() -> None:
    key = f"train-upload-{st.session_state.setdefault(_COUNT, 0)}"
    st.file_uploader(
        "Configuration from a JSON file",
        type="json",
        key=key,
        max_upload_size=config_link.MAX_MEGABYTES,
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
        config = config_link.from_document(file.getvalue())
    except ConfigError as error:
        train_filling.note(markdown(str(error)), problem=True)
        return
    train_filling.ask(config)
    train_filling.note(f"{markdown(shorten(file.name))} is filled in.")
