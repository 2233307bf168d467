"""All weights of a layer as pictures: convolution kernels, or the weights of each unit where its inputs lie."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.inside import choices, pictures, results
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import controls, messages
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.numbers import count

if TYPE_CHECKING:
    from explorer.analysis.inside.kernels import Kernels

PAGE = 64
SIDE, FEW_SIDE, FEW = 56, 112, 20
"""Screen pixels of a picture, or a little less: as many times its own size as fit. Up to so many are larger."""
SHARE = 0.99
"""Of the weights lie within the scale of colours; a single strong one would leave all others pale."""
MATRIX_WIDTH = 640
OWN = "own"
SCALES = {"one": "One scale for all", OWN: "Each its own"}
NO_CONVOLUTION = (
    "This network has no convolution: its first layer sees every pixel, so that the weights of each of its units make "
    "an image of their own."
)


@section
def show(subject: InspectedModel) -> None:
    """Show the weights of a layer, in pages of at most 64 pictures."""
    from explorer.analysis.inside.kernels import weighted

    left, right = controls.columns()
    known = results.steps(subject)
    offered = weighted(known)
    if not offered:
        st.info("This network has no layer with weights.")
        return
    with left, messages.shown():
        step = choices.layer("Layer", offered, "layer", help="The layers with weights, in the order of execution.")
        found = results.kernels(subject, step.key)
        if not any(one.function == "Conv2d" for one in offered):
            st.caption(NO_CONVOLUTION)
        output = _output(found)
        own = controls.segments("Colours", SCALES, "scale", labelled=False) == OWN
        if found.is_matrix:
            first = choices.page(len(found.weights), "kernels", PAGE)
            with right:
                _matrix(found, first, subject)
            return
        numbers = _numbers(found, output)
        first = choices.page(len(numbers), "kernels", PAGE)
        with right:
            _pictures(found, numbers[first : first + PAGE], len(numbers), own, subject)


def _output(found: "Kernels") -> int | None:
    """Let the user choose one output, where each has several pictures."""
    outputs, inputs = found.weights.shape[:2]
    if inputs < 2 or found.is_matrix:
        return None
    what = "map" if found.is_convolution else "unit"
    return controls.select(
        f"Output {what}",
        {number: f"Those of {what} {number}" for number in range(outputs)},
        "kernel-of",
        "Of all outputs",
    )


def _numbers(found: "Kernels", output: int | None) -> range:
    inputs = found.weights.shape[1]
    return range(found.n) if output is None else range(output * inputs, (output + 1) * inputs)


def _pictures(found: "Kernels", numbers: range, total: int, own: bool, subject: InspectedModel) -> None:
    shown = [found.picture(number) for number in numbers]
    common = _end(found.weights)
    ends = [_end(one) if own else common for one in shown]
    scale = max(1, (SIDE if len(shown) > FEW else FEW_SIDE) // max(shown[0].shape))
    names = [_name(found, number, subject) for number in numbers]
    what = "kernels" if found.is_convolution else "pictures of weights"
    some = f"{len(numbers)} of {count(total)} {what}" if len(numbers) < total else f"{count(total)} {what}"
    title = f"{found.step.label}: {some}"
    cells = [pictures.tile(values, end, scale, name) for values, end, name in zip(shown, ends, names, strict=True)]
    st.html(pictures.heading(title, "weight", None if own else common) + pictures.row(cells))
    pictures.read(
        "kernels",
        _how_to_read(found, own),
        lambda: (["picture", "row", "column", "weight"], _rows(found, numbers, names)),
        lambda: pictures.sheet(shown, ends, scale),
    )


def _matrix(found: "Kernels", first: int, subject: InspectedModel) -> None:
    """Show all weights of a layer without pictures as one: a row for each unit."""
    weights = found.weights[first : first + PAGE].reshape(-1, found.weights.shape[3])
    scale = max(1, min(8, MATRIX_WIDTH // weights.shape[1]))
    units, inputs = weights.shape
    title = f"{found.step.label}: {units} units from above, {count(inputs)} inputs from the left"
    end = _end(found.weights)
    picture = pictures.tile(weights, end, scale, f"{units} rows of {inputs} weights")
    st.html(pictures.heading(title, "weight", end) + pictures.scrolling(picture))
    row, column = np.unravel_index(int(np.abs(weights).argmax()), weights.shape)
    pictures.read(
        "weight-matrix",
        f"Each row holds the weights of one unit, each column belongs to one unit of the layer before. Warm: the input "
        f"raises the output, cold: it lowers it. The strongest weight here, {weights[row, column]:+.2f}, leads from "
        f"unit {count(int(column))} to {_unit(found, first + int(row), subject)}.",
        lambda: (
            ["unit", "input", "weight"],
            [[first + unit, place, float(value)] for (unit, place), value in np.ndenumerate(weights)],
        ),
        lambda: pictures.sheet([weights], [end], scale),
    )


def _end(weights: NDArray[np.floating]) -> float:
    """Return the size of a weight that gets the strongest colour."""
    sizes = np.abs(weights)
    return float(np.quantile(sizes, SHARE) or sizes.max())


def _unit(found: "Kernels", unit: int, subject: InspectedModel) -> str:
    """Name a unit: by its class, if these are the outputs."""
    from explorer.ui.kit.text import markdown

    last = found.step.shape == (len(subject.classes),)
    return f"unit {count(unit)}, {markdown(subject.classes[unit])}" if last else f"unit {count(unit)}"


def _name(found: "Kernels", number: int, subject: InspectedModel) -> str:
    output, place = found.place(number)
    if not found.is_convolution:
        last = found.step.shape == (len(subject.classes),)
        unit = subject.classes[output] if last else f"unit {output}"
        return unit if found.weights.shape[1] == 1 else f"{unit}, from map {place}"
    return f"map {output}" if found.weights.shape[1] == 1 else f"map {output}, from map {place}"


def _rows(found: "Kernels", numbers: range, names: list[str]) -> list[list[Cell]]:
    return [
        [name, row, column, float(value)]
        for number, name in zip(numbers, names, strict=True)
        for (row, column), value in np.ndenumerate(found.picture(number))
    ]


def _how_to_read(found: "Kernels", own: bool) -> str:
    text = "Warm: a higher input here raises the output; cold: it lowers it; the middle colour is zero. "
    text += (
        "Each picture has a scale of its own, so compare shapes, not strengths. "
        if own
        else f"All share one scale, up to ±{_end(found.weights):.2g}, within which {SHARE:.0%} of the weights lie; the "
        f"strongest is ±{found.largest:.2g}. "
    )
    outputs, inputs, height, width = found.weights.shape
    if found.is_convolution:
        text += f"Each kernel of {height} × {width} weights slides over one input map"
        return text + (
            f"; an output map adds up its {count(inputs)} of them."
            if inputs > 1
            else " and answers where it finds its like."
        )
    if inputs > 1:
        return text + f"Each of the {count(outputs)} units has {count(inputs)} pictures, one for each map it sees."
    return text + f"Each of the {count(outputs)} units weighs every one of {count(height * width)} pixels."
