"""The network before it runs: its layers, how long it will take, and what is probably not meant."""

from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from explorer.data import catalog
from explorer.errors import ExplorerError
from explorer.training.queue import estimate, supervisor
from explorer.training.queue.estimate import Estimate
from explorer.ui.kit import numbers as kit_numbers
from explorer.ui.kit.figure import numbers
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.training.config import TrainConfig
    from explorer.training.plan import Plan
    from models.summary import Layer

POLL_SECONDS = 0.5
MOST_ROWS, TABLE_PIXELS = 12, 420
"""A longer table scrolls."""
CAPTION_PIXELS = 72
"""Room for what is said of the time, so that nothing moves when it is known."""


def show(config: "TrainConfig", plan: "Plan") -> None:
    """Show what a configuration amounts to.

    The time is measured in another process; while it is awaited, this part alone is renewed twice a second.

    Parameters
    ----------
    config : TrainConfig
    plan : Plan
        Of the same configuration.
    """
    from explorer.training.advice import advice

    layers = _layers(config.model, config.options, config.dataset)
    size, duration = st.columns(2)
    with size:
        _size(config, plan, layers)
    with duration:
        awaited = _is_awaited(config)
        st.fragment(_time, run_every=POLL_SECONDS if awaited else None)(config, plan.steps * config.epochs, awaited)
    for sentence in advice(config, plan):
        st.warning(markdown(sentence), icon=":material/lightbulb:")
    _table(layers)


def _size(config: "TrainConfig", plan: "Plan", layers: "tuple[Layer, ...]") -> None:
    batch = min(config.batch_size, config.subset)
    steps = f"{kit_numbers.count(config.subset)} training images in batches of {kit_numbers.count(batch)}."
    if plan.piece < batch:
        steps += f" Each batch is computed in pieces of {kit_numbers.count(plan.piece)} images, to save memory."
    numbers(
        [
            ("Parameters", kit_numbers.count(plan.parameters), "Trainable numbers: weights and biases."),
            (
                "Multiply-adds",
                kit_numbers.count(sum(layer.multiply_adds for layer in layers)),
                "Multiplications with a weight, each followed by an addition, for one image on its way through the "
                "network. Training takes about three times as many.",
            ),
            ("Steps per epoch", kit_numbers.count(plan.steps), steps),
        ]
    )


@st.cache_data(max_entries=128, show_spinner=False)
def _layers(model: str, options: dict[str, Any], dataset: str) -> "tuple[Layer, ...]":
    from models.registry import InputShape, build_meta
    from models.summary import layer_table

    spec = catalog.get(dataset)
    shape = InputShape(spec.channels, spec.size, len(spec.classes))
    return layer_table(build_meta(model, options, shape), shape)


def _table(layers: "tuple[Layer, ...]") -> None:
    rows = [
        {
            "Layer": layer.name,
            "What it is": layer.kind,
            "Output": " × ".join(map(kit_numbers.count, layer.output)),
            "Parameters": layer.parameters,
            "Multiply-adds": layer.multiply_adds,
        }
        for layer in layers
    ]
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    columns = {
        "Layer": text(width="small", help="Its place in the network, as in the names of the weights."),
        "What it is": text(width="medium"),
        "Output": text(help="Shape of what comes out for one image: maps × height × width, or numbers."),
        "Parameters": number(format="localized", help="Trainable numbers of the layer."),
        "Multiply-adds": number(format="localized", help="For one image."),
    }
    height: int | Literal["content"] = TABLE_PIXELS if len(rows) > MOST_ROWS else "content"
    st.dataframe(rows, hide_index=True, column_config=columns, width="stretch", height=height)


def _is_awaited(config: "TrainConfig") -> bool:
    """Whether the time is still to be measured; having it measured is asked for."""
    try:
        supervisor.measure(config)
        return estimate.get(config) is None and not estimate.problem(config)
    except ExplorerError:
        return False


def _time(config: "TrainConfig", steps: int, awaited: bool) -> None:
    if awaited and not _is_awaited(config):
        st.rerun()
    found, problem = None, ""
    try:
        found, problem = estimate.get(config), estimate.problem(config)
    except ExplorerError as error:
        problem = str(error)
    unknown = "…" if awaited else "–"
    numbers(
        [
            (
                "Time per epoch",
                kit_numbers.seconds(found.seconds) if found else unknown,
                "All steps, then the prediction of the validation and test images.",
            ),
            (
                "Whole run",
                kit_numbers.seconds(whole(found, config)) if found else unknown,
                "All epochs, or the time budget where that is shorter.",
            ),
        ]
    )
    with st.container(height=CAPTION_PIXELS, border=False):
        if found:
            st.caption(describe(found, config, steps))
        elif problem:
            st.caption(f":material/error: {markdown(problem)}")
        else:
            st.caption("Measuring a few steps on this computer …")


def whole(found: Estimate, config: "TrainConfig") -> float:
    """Return the seconds of the whole run."""
    seconds = found.seconds * config.epochs
    return min(seconds, config.time_budget) if config.time_budget else seconds


def describe(found: Estimate, config: "TrainConfig", steps: int | None = None) -> str:
    """Say in a sentence or two where the estimate is from and how far off it may be; the run has so many steps."""
    low, high = (kit_numbers.seconds(value * config.epochs) for value in (found.low, found.high))
    if config.time_budget and whole(found, config) < found.seconds * config.epochs:
        epochs = int(config.time_budget // found.seconds)
        text = f"The time budget ends the run after about {kit_numbers.count(epochs)} epoch{'s' * (epochs != 1)}"
    else:
        text = f"About {low} in all" if low == high else f"About {low} to {high} in all"
    of = f" like the {kit_numbers.count(steps)} of the run" if steps is not None and steps < found.steps else ""
    text += f"; measured on this computer by {kit_numbers.count(found.steps)} step{'s' * (found.steps != 1)}{of}."
    if found.busy:
        text += " Another run was being computed meanwhile; alone it is quicker."
    return text
