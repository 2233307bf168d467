"""What every layer makes of an image: its maps as pictures, its units as strips."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.inside import choices, pictures, results
from explorer.ui.inside.results import InspectedModel, section
from explorer.ui.kit import address, controls, messages
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.images import img_tag
from explorer.ui.kit.numbers import count, percent
from explorer.ui.kit.text import html_text, markdown

if TYPE_CHECKING:
    from explorer.analysis.inside.activations import Activation

ALL = "all"
FIRST = 9
"""Maps of each layer while all layers are shown."""
PAGE = 64
SMALL, LARGE = 48, 84
"""Screen pixels of a map, or about so many: a whole number for each value."""
CELL = 7
MANY = 14
"""With more layers than that only those are shown together in which a unit says its last word."""
BARS = 20
"""A layer of at most so many units is shown as bars."""
STAGES = {"before": "before the activation", "after": "after the activation", "": ""}


@section
def show(subject: InspectedModel) -> None:
    """Show the activations of an image in all layers, or of one layer in full."""
    left, right = controls.columns()
    with left, messages.shown():
        given = choices.image(subject)
        if given is None:
            return
        found = results.activations(subject, given.image)
        key = _layer(found)
        with right:
            if key == ALL:
                _all(found, subject, given.image)
            else:
                _one(next(one for one in found if one.step.key == key), subject)


def _layer(found: "tuple[Activation, ...]") -> str:
    titles = {one.step.key: one.step.label for one in found}
    names = [ALL, *titles]
    address.adopt("maps-of", names, ALL)
    chosen = st.selectbox(
        "Layer",
        names,
        format_func=lambda name: titles.get(str(name), "All layers"),
        key="maps-of",
        on_change=address.touched,
        args=("maps-of",),
    )
    address.keep({"maps-of": chosen}, {"maps-of": ALL})
    return str(chosen)


def _title(one: "Activation") -> str:
    stage = STAGES[one.step.stage]
    return one.step.title + (f", {stage}" if stage else "")


def _all(found: "tuple[Activation, ...]", subject: InspectedModel, image: NDArray[np.uint8]) -> None:
    """Show every layer in a few pictures, from the image to the outputs."""
    pixels = " × ".join(map(str, image.shape))
    parts = [_part(f"Image → {pixels}", img_tag(image, 2, "The image"), None)]
    every = [one for one in found if _shows(one)]
    shown = every if len(every) <= MANY else [one for one in every if one.step.stage == "after" or one is every[-1]]
    parts += [_part(_title(one), _preview(one, subject), one.largest) for one in shown]
    st.html(
        f'<div style="{pictures.TEXT}"><strong>The image on its way through the network</strong>{"".join(parts)}</div>'
    )
    hidden = max((one.step.units for one in found if one.step.has_maps), default=0)
    more = f" Of more than {FIRST} maps the first are shown." if hidden > FIRST else ""
    if len(shown) < len(every):
        more += (
            f" {count(len(shown))} of {count(len(every))} layers stand here, those after an activation and the last; "
        )
        more += "choose any under *Layer*."
    pictures.read(
        "activations",
        "From above: what each layer returns, with its shape. Warm is positive, cold negative, the middle colour zero; "
        f"each layer has its own scale, whose end stands at the right.{more} "
        f"{_said(found[-1], subject)}",
        lambda: (["layer", "unit", "row", "column", "value"], [row for one in found for row in _rows(one)]),
    )


def _shows(one: "Activation") -> bool:
    """Whether a layer changes more than the form of its input, so that it is worth a picture of its own."""
    return bool(one.step.shape) and one.step.function not in ("Flatten", "Identity", "Dropout", "Dropout2d")


def _part(title: str, picture: str, largest: float | None) -> str:
    end = "" if largest is None else f'<span style="opacity:.75">±{largest:.3g}</span>'
    line = (
        f'<div style="display:flex;gap:1rem;justify-content:space-between"><span>{html_text(title)}</span>{end}</div>'
    )
    return f'<div style="margin-top:.55rem">{line}{picture}</div>'


def _preview(one: "Activation", subject: InspectedModel) -> str:
    if one.step.has_maps:
        scale = _scale(one, SMALL)
        maps = one.values[:FIRST]
        tiles = [pictures.tile(map_, one.largest, scale, f"map {at}") for at, map_ in enumerate(maps)]
        return pictures.row(tiles, scale * one.step.shape[1] + 2)
    return _units(one, subject)


def _units(one: "Activation", subject: InspectedModel) -> str:
    """Return few units as bars with their values, many as a strip."""
    values = one.values.ravel()
    if len(values) > BARS:
        strip = pictures.tile(pictures.strip(values), one.largest, CELL, f"{len(values)} units")
        return pictures.scrolling(strip)
    named = len(values) == len(subject.classes)
    names = subject.classes if named else tuple(f"unit {at}" for at in range(len(values)))
    bars = (_bar(name, float(value), one.largest) for name, value in zip(names, values, strict=True))
    return f'<table style="border-spacing:.3rem .1rem">{"".join(bars)}</table>'


def _bar(name: str, value: float, largest: float) -> str:
    from explorer.ui.kit import theme

    share = abs(value) / (largest or 1.0) * 9
    fill = theme.diverging()[-3 if value > 0 else 2]
    side = f"margin-left:{9 if value > 0 else 9 - share:.2f}rem;width:{share:.2f}rem"
    bar = f'<div style="{side};height:.75rem;background:{fill}"></div>'
    number = f'<td style="text-align:right;font-variant-numeric:tabular-nums">{pictures.text(value)}</td>'
    return f'<tr><td style="white-space:nowrap">{html_text(name)}</td>{number}<td style="width:18rem">{bar}</td></tr>'


def _one(one: "Activation", subject: InspectedModel) -> None:
    """Show all maps or units of one layer."""
    if not one.step.has_maps:
        st.html(pictures.heading(_title(one), "value", one.largest) + _units(one, subject))
        _read(one, subject, "Each square is one unit, in rows of 64.")
        return
    first = choices.page(one.step.units, "maps", PAGE)
    scale = _scale(one, LARGE)
    shown = one.values[first : first + PAGE]
    tiles = [pictures.tile(map_, one.largest, scale, f"map {first + at}") for at, map_ in enumerate(shown)]
    st.html(pictures.heading(_title(one), "value", one.largest) + pictures.row(tiles))
    place = np.unravel_index(int(one.values.argmax()), one.values.shape)
    at = f"map {place[0]}, row {place[1]}, column {place[2]}"
    _read(
        one,
        subject,
        f"Each picture is one map, laid out as the image is; the highest value, {one.values.max():.2f}, is in {at}.",
    )


def _read(one: "Activation", subject: InspectedModel, text: str) -> None:
    still = float((one.values <= 0).mean())
    text += " Warm is positive, cold negative. Zero or below: "
    text += f"{percent(still)} of the {count(one.values.size)} values."
    picture = None
    if one.step.has_maps:
        maps = list(one.values)
        picture = lambda: pictures.sheet(maps, [one.largest] * len(maps), 2)  # noqa: E731
    pictures.read("activation-maps", text, lambda: (["layer", "unit", "row", "column", "value"], _rows(one)), picture)


def _said(last: "Activation", subject: InspectedModel) -> str:
    values = last.values.ravel()
    if len(values) != len(subject.classes):
        return ""
    best = int(values.argmax())
    return f"The highest output is that of {markdown(subject.classes[best])}: {pictures.text(float(values[best]))}."


def _scale(one: "Activation", side: int) -> int:
    return max(1, round(side / max(one.step.shape[1:])))


def _rows(one: "Activation") -> list[list[Cell]]:
    if one.step.has_maps:
        return [[one.step.key, *place, float(value)] for place, value in np.ndenumerate(one.values)]
    return [[one.step.key, place, None, None, float(value)] for place, value in enumerate(one.values.ravel())]
