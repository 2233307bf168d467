"""Units one by one: which of them never do anything, and what excites each one most."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.ui.inside import choices, pictures, results
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import controls, messages, state
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.numbers import count, many, percent
from explorer.ui.kit.text import markdown
from explorer.ui.kit.tiles import Note, Tile, tiles

if TYPE_CHECKING:
    from explorer.analysis.inside.units import Activity, Strongest

EXCITING = "exciting"
VIEWS = {EXCITING: "Strongest images", "idle": "Dead units"}
LISTED = 60
SCALE = 3
MEANINGS = {
    "dead": "0 for every image",
    "saturated": "99% of its values within 2% of a limit",
    "constant": "the same value for every image",
}


@section
def show(subject: InspectedModel) -> None:
    """Show the images that excite a unit most, or the units that do nothing."""
    left, right = controls.columns()
    with left, messages.shown():
        view = controls.segments("Units", VIEWS, "units", labelled=False)
        if view == EXCITING:
            _exciting(subject, right)
        else:
            size = choices.size(subject, "unit-images")
            with right:
                _idle(results.activity(subject, size), subject)


def _exciting(subject: InspectedModel, right: "st.delta_generator.DeltaGenerator") -> None:
    from explorer.analysis.inside.steps import hidden

    known = results.steps(subject)
    outputs = [one for one in known if one.role == "weights"][-1:]
    offered = (*hidden(known), *outputs)
    if not offered:
        st.info("This network has no units.")
        return
    step = choices.units_of(known, offered)
    unit = choices.number("Map" if step.has_maps else "Unit", step.units - 1, "unit")
    size = choices.size(subject, "unit-images", whole=False)
    found = results.strongest(subject, step.key, size)
    with right:
        _images(subject, found, unit, size)


def _images(subject: InspectedModel, found: "Strongest", unit: int, size: int) -> None:
    part, rows = results.sample(subject.images_key, size)
    predictions = results.predictions(subject, size)
    boxes = results.fields(subject, found.step.key) if found.places is not None else None
    items = []
    for place, (at, value) in enumerate(zip(found.rows[unit], found.values[unit], strict=True)):
        box = None
        if boxes is not None and found.places is not None:
            top, left, bottom, right = boxes[tuple(found.places[unit, place])].tolist()
            box = (top, left, bottom, right)
        name = subject.classes[int(part.labels[at])]
        items.append(
            Tile(
                int(rows[at]),
                pictures.framed(part.images[at], box, SCALE),
                f"{value:.2f}",
                (Note(name, None if predictions.correct[at] else False),),
            )
        )
    what = "Map" if found.step.has_maps else "Unit"
    last = found.step.shape == (len(subject.classes),)
    name = f", {markdown(subject.classes[unit])}" if last else ""
    st.markdown(f"**{what} {unit}{name}: the images with its highest values**")
    if not found.values[unit].max(initial=0.0) > 0 and found.step.stage == "after":
        st.info("This unit answers zero or less to every image of the sample, so none excites it.")
    tiles(f"exciting-{found.step.key}-{unit}", items, scale=1, on_pick=_open)
    pictures.read("exciting-images", _words(subject, found, unit, size), lambda: _table(subject, found, rows))


def _open(row: int) -> None:
    state.go("evaluate", image=row)


def _words(subject: InspectedModel, found: "Strongest", unit: int, size: int) -> str:
    part, _ = results.sample(subject.images_key, size)
    labels = part.labels[found.rows[unit]]
    names, counts = np.unique(labels, return_counts=True)
    most = int(counts.argmax())
    text = (
        f"Of {many(len(part.labels), f'{subject.selection.split} image')} these answer most, the highest value first; "
        f"{count(int(counts[most]))} of {count(len(labels))} show the class "
        f"{markdown(subject.classes[int(names[most])])}. "
    )
    if found.places is not None:
        text += "The frame is the receptive field of the strongest place: all that it can see of the image. "
    return text + "Click an image to open it in Evaluate."


def _table(subject: InspectedModel, found: "Strongest", rows: np.ndarray) -> tuple[list[str], list[list[Cell]]]:
    labels = subject.split.labels
    body: list[list[Cell]] = [
        [unit, place + 1, int(rows[at]), subject.classes[int(labels[rows[at]])], float(found.values[unit, place])]
        for unit in range(len(found.rows))
        for place, at in enumerate(found.rows[unit].tolist())
    ]
    return ["unit", "rank", "image", "class", "value"], body


def _idle(found: "tuple[Activity, ...]", subject: InspectedModel) -> None:
    """List the layers with the units that do nothing."""
    if not found:
        st.info("This network has no activation functions, so no unit can be dead or saturated.")
        return
    st.markdown(
        f"**Units that tell no image from another, of {many(found[0].images, f'{subject.selection.split} image')}**"
    )
    rows = [
        {
            "Layer": one.step.label,
            "Units": one.step.units,
            "Counts as failed": f"{one.failing}: {MEANINGS[one.failing]}",
            "Failed": int(one.failed.sum()),
            "Share": percent(one.share),
            "Which": _listed(one),
        }
        for one in found
    ]
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        column_config={
            "Units": number(format="localized"),
            "Failed": number(format="localized"),
            "Share": text(alignment="right"),
            "Which": text(width="medium"),
        },
    )
    failed, units = (
        sum(int(value) for value in values)
        for values in zip(*((one.failed.sum(), one.step.units) for one in found), strict=True)
    )
    pictures.read(
        "idle-units",
        f"{count(failed)} of {count(units)} units fail here. A dead ReLU gives zero to every image, and as its "
        f"gradient is zero then, none of these images changes its weights; a saturated sigmoid or tanh hardly moves. "
        f"{_sparse(found)}",
        lambda: (
            ["layer", "unit", "failed", "share of values off", "mean", "highest"],
            [
                [
                    one.step.key,
                    unit,
                    int(one.failed[unit]),
                    float(one.off[unit]),
                    float(one.mean[unit]),
                    float(one.highest[unit]),
                ]
                for one in found
                for unit in range(one.step.units)
            ],
        ),
    )


def _listed(one: "Activity") -> str:
    numbers = np.flatnonzero(one.failed)
    shown = ", ".join(map(str, numbers[:LISTED].tolist()))
    return shown + (f" and {count(len(numbers) - LISTED)} more" if len(numbers) > LISTED else "") or "none"


def _sparse(found: "tuple[Activity, ...]") -> str:
    last = found[-1]
    if last.failing != "dead":
        return ""
    share = percent(float(last.off.mean()))
    return f"Single values of zero are no fault: in the last of these layers, ({markdown(last.step.key)}), {share} are."
