"""One number of a layer's output, spelled out on the user's own network and image."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.ui.inside import choices, pictures, results
from explorer.ui.inside.choices import ChosenImage
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import controls, messages
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.numbers import count
from explorer.ui.kit.text import markdown

if TYPE_CHECKING:
    from explorer.analysis.inside.arithmetic import Arithmetic

LARGEST = 12
"""Contributions that are listed for a fully connected layer."""
MAP_SIDE = 112


@section
def show(subject: InspectedModel) -> None:
    """Show how one output of a convolution or of a fully connected layer comes about."""
    from explorer.analysis.inside.kernels import weighted

    left, right = controls.columns()
    with left, messages.shown():
        given = choices.image(subject, show=False)
        if given is None:
            return
        offered = weighted(results.steps(subject))
        if not offered:
            st.info("This network has no layer with weights.")
            return
        step = choices.layer("Layer", offered, "layer")
        what = "Map" if step.has_maps else "Unit"
        unit = choices.number(what, step.units - 1, "unit")
        position = None
        if step.has_maps:
            height, width = step.shape[1:]
            across, down = st.columns(2, gap="small")
            with across:
                row = choices.number("Row", height - 1, "row", height // 2)
            with down:
                position = row, choices.number("Column", width - 1, "column", width // 2)
        found = results.arithmetic(subject, given.image, step.key, unit, position)
        with right:
            if found.position is None:
                _dense(found, subject)
            else:
                _convolution(found, subject, given)


def _convolution(found: "Arithmetic", subject: InspectedModel, given: ChosenImage) -> None:
    sums = found.sums
    inputs, height, width = found.patch.shape
    first = found.first_input
    assert found.position is not None
    row, column = found.position
    st.markdown(f"**{markdown(found.step.label)}: map {found.unit}, row {row}, column {column}**")
    chosen = 0
    if inputs > 1:
        strongest = int(np.abs(sums).argmax())
        chosen = choices.number(
            "Input map shown",
            inputs - 1,
            "input-map",
            strongest,
            help="Each input map has its own kernel. By default that with the largest sum is shown.",
        )
    _pictures(found, subject, given, first + chosen)
    name = "Image, normalised" if found.step.source is None and inputs == 1 else f"Input map {first + chosen}"
    tables = [
        pictures.table(found.patch[chosen], f"{name}: {height} × {width}", found.padded),
        pictures.sign("×"),
        pictures.table(found.kernel[chosen], "Kernel"),
        pictures.sign("="),
        pictures.table(found.products[chosen], f"Products, sum {pictures.text(float(sums[chosen]))}"),
    ]
    st.html(pictures.side_by_side(tables))
    if inputs > 1:
        _sums(found)
    st.html(pictures.equation(_parts(found), found.total, found.then))
    _read(found, _conv_words(found))


def _parts(found: "Arithmetic") -> list[tuple[str, float]]:
    """Return what is added: the sum of the products, and the bias."""
    inputs = len(found.sums)
    label = f"sum over {inputs} input maps" if inputs > 1 and found.position else "sum of products"
    parts = [(label, float(found.products.sum()))]
    return parts if found.bias is None else [*parts, ("bias", found.bias)]


def _pictures(found: "Arithmetic", subject: InspectedModel, given: ChosenImage, input_map: int) -> None:
    """Show the input map with the patch framed and the output map with the point framed."""
    steps = {one.step.key: one for one in results.activations(subject, given.image)}
    known = results.steps(subject)
    source = None if found.step.source is None else steps[known[found.step.source].key]
    sides, dilation = found.kernel.shape[1:], found.dilation
    end = [found.corner[axis] + (sides[axis] - 1) * dilation[axis] for axis in (0, 1)]
    box = (*found.corner, *end)
    cells = []
    if source is not None and source.step.has_maps:
        cells.append(pictures.map_with_box(source.values[input_map], source.largest, box, MAP_SIDE, "input map"))
    elif found.step.given[0] == 1:
        cells.append(pictures.image_with_box(given.image, box, MAP_SIDE, "the image"))
    out = steps[found.step.key]
    assert found.position is not None
    point = (*found.position, *found.position)
    cells += [pictures.sign("→")] if cells else []
    cells.append(
        pictures.map_with_box(out.values[found.unit], out.largest, point, MAP_SIDE, f"output map {found.unit}")
    )
    st.html(pictures.side_by_side(cells))


def _sums(found: "Arithmetic") -> None:
    """List the sums of all input maps."""
    ordered = np.argsort(-np.abs(found.sums), kind="stable")
    shown = [(f"map {found.first_input + int(at)}", float(found.sums[at])) for at in ordered[:LARGEST]]
    rest = float(found.sums.sum()) - sum(value for _, value in shown)
    more = len(found.sums) - len(shown)
    if more:
        shown.append((f"the other {more} maps", rest))
    st.html(pictures.list_of("Sum of products for each input map, the largest first", shown))


def _dense(found: "Arithmetic", subject: InspectedModel) -> None:
    is_last = found.step.shape == (len(subject.classes),)
    name = f"unit {found.unit}" + (f", {markdown(subject.classes[found.unit])}" if is_last else "")
    st.markdown(f"**{markdown(found.step.label)}: {name}**")
    maps, height = found.patch.shape[:2]
    if maps == 1 and height > 1:
        tiles = [
            pictures.map_with_box(part[0], float(np.abs(part).max()), None, MAP_SIDE * 3 // 2, label)
            for part, label in ((found.patch, "input"), (found.kernel, "weights"), (found.products, "input × weight"))
        ]
        st.html(pictures.side_by_side([tiles[0], pictures.sign("×"), tiles[1], pictures.sign("="), tiles[2]]))
    places = found.largest(LARGEST)
    rows = [
        (
            _place(found, place),
            float(found.patch[place]),
            float(found.kernel[place]),
            float(found.products[place]),
        )
        for place in places
    ]
    rest = float(found.products.sum()) - sum(row[3] for row in rows)
    st.html(pictures.contributions(rows, found.patch.size - len(rows), rest))
    st.html(pictures.equation(_parts(found), found.total, found.then))
    _read(found, _dense_words(found, rows[0][0] if rows else "", name))


def _place(found: "Arithmetic", place: tuple[int, int, int]) -> str:
    maps, height, _ = found.patch.shape
    if height == 1 and maps == 1:
        return f"unit {place[2]}"
    where = f"row {place[1]}, column {place[2]}"
    return where if maps == 1 else f"map {place[0]}, {where}"


def _conv_words(found: "Arithmetic") -> str:
    inputs, height, width = found.patch.shape
    products = count(inputs * height * width)
    text = (
        f"{products} numbers of the input are multiplied with {products} weights and added"
        f"{' to the bias' if found.bias is not None else ''}: {pictures.text(found.total)}. "
    )
    if found.padded.any():
        text += "Cells in grey lie outside of the input, on the padding. "
    return text + _agreement(found)


def _dense_words(found: "Arithmetic", strongest: str, name: str) -> str:
    return (
        f"Each of {count(found.patch.size)} inputs is multiplied with its weight; the largest of these products comes "
        f"from {strongest}. Their sum{' and the bias' if found.bias is not None else ''} give the value of {name}: "
        f"{pictures.text(found.total)}. {_agreement(found)}"
    )


def _agreement(found: "Arithmetic") -> str:
    return (
        f"PyTorch computes {pictures.text(found.output, 6)} in single precision; adding up the products here gives "
        f"{pictures.text(found.total, 6)}."
    )


def table(found: "Arithmetic") -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: every product, then the bias and the sum, each with the output that it belongs to."""
    output: list[Cell] = [found.step.label, found.unit, *(found.position or (None, None))]
    rows: list[list[Cell]] = [
        [*output, "product", found.first_input + place[0], *place[1:], float(value), float(found.kernel[place])]
        for place, value in np.ndenumerate(found.patch)
    ]
    for row, product in zip(rows, found.products.ravel().tolist(), strict=True):
        row.append(product)
    empty: list[Cell] = [None] * 5
    rows += [] if found.bias is None else [[*output, "bias", *empty, found.bias]]
    header = ["layer", "unit", "output_row", "output_column", "part", "input", "row", "column", "value", "weight"]
    return [*header, "amount"], [*rows, [*output, "sum", *empty, found.total]]


def _read(found: "Arithmetic", words: str) -> None:
    pictures.read("one-output", words, lambda: table(found))
