"""Methods by images: a cell for each method, in it a map of each image; a click enlarges one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis.faithfulness.randomisation import is_constant
from explorer.ui.explain.choice import Aim, Question
from explorer.ui.explain.methods import Chosen
from explorer.ui.kit import explanations, messages, theme
from explorer.ui.kit.answers import Explained
from explorer.ui.kit.images import on_scale
from explorer.ui.kit.numbers import many, percent, short, signed_figures
from explorer.ui.kit.text import html_text, markdown
from explorer.ui.kit.tiles import Note, Tile, tiles

Sign = Literal["signed", "absolute"]
Picture = NDArray[np.uint8]

_EMPHASIS = 0.7
"""Below 1, so that weak places of a map stay visible over the image."""


def coloured(
    values: NDArray[np.floating], limit: float, sign: Sign = "signed", under: NDArray[np.uint8] | None = None
) -> Picture:
    """Colour a map.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    limit : float
        Size of the value that gets the strongest colour.
    sign : 'signed' or 'absolute'
        Diverging colours with zero in the middle, or the size alone from pale to strong.
    under : ndarray, optional
        uint8, shape (H, W): shows through where the map is weak.

    Returns
    -------
    ndarray
        uint8, shape (H, W, 3).
    """
    share = np.clip(np.asarray(values, np.float64) / (limit or 1.0), -1, 1)
    place = np.abs(share) if sign == "absolute" else (share + 1) / 2
    colours = on_scale(place, ramp(sign))
    if under is not None:
        weight = (np.abs(share) ** _EMPHASIS)[..., None]
        colours = weight * colours + (1 - weight) * under[..., None].astype(np.float64)
    return colours.round().astype(np.uint8)


def ramp(sign: Sign) -> tuple[str, ...]:
    """Return the colours from the least to the greatest value."""
    return theme.diverging() if sign == "signed" else theme.sequential()


def legend(sign: Sign) -> str:
    """Return a bar of the colours with what its ends mean, as HTML."""
    words = ("−max", "0", "+max") if sign == "signed" else ("0", "", "max")
    marks = "".join(f"<span>{word}</span>" for word in words)
    return (
        f'<div style="width:11rem;font-size:.75rem"><div style="height:.6rem;border-radius:2px;'
        f'background:linear-gradient(to right,{",".join(ramp(sign))})"></div>'
        f'<div style="display:flex;justify-content:space-between">{marks}</div></div>'
    )


SMALL, LARGE = 3, 4
"""Screen pixels for each of the image's."""
FEW_IMAGES, FEW_CELLS = 2, 4
"""Up to so many images, and of one image up to so many cells, are shown large: at 1280 pixels they fill a row."""
_TWO_LINES = 200
_OPEN = "explain:enlarged"


@dataclass(frozen=True)
class MapColouring:
    """How maps are coloured.

    Attributes
    ----------
    sign : 'signed' or 'absolute'
    overlay : bool
        Over the image.
    shared : bool
        One scale for all maps that have one unit.
    """

    sign: Sign = "signed"
    overlay: bool = False
    shared: bool = False


@dataclass(frozen=True, eq=False)
class Column:
    """What stands in the same place of each cell.

    Attributes
    ----------
    image : ndarray
        uint8, shape (28, 28): what an overlay shows the map upon.
    name : str
        What the image is called.
    score : str
        Title of what is explained. Both are shown as they are.
    notes : tuple of Note
        Below the image itself.
    """

    image: NDArray[np.uint8]
    name: str
    score: str
    notes: tuple[Note, ...] = ()


Maps = dict[tuple[str, int], Explained]
"""By the name of the method and the number of the column."""


def show(
    columns: Sequence[Column],
    chosen: Sequence[Chosen],
    view: MapColouring,
    explain: Callable[[Chosen, int], Explained | None],
    key: str,
) -> Maps:
    """Show a cell for each method and fill one after the other; return the maps.

    Parameters
    ----------
    columns : sequence of Column
    chosen : sequence of Chosen
    view : View
    explain : callable
        Computes a map, or returns None where there is none yet.
    key : str
        Names the grid on its page.
    """
    scale = _scale(columns, chosen)
    width = len(columns) * (28 * scale + 16) + 4
    found: Maps = {}
    with st.container(horizontal=True, gap="small"):
        with st.container(width=width, gap=None):
            _heading("The image" if len(columns) == 1 else "The images", width)
            pictures = [Tile(at, column.image, column.name, column.notes) for at, column in enumerate(columns)]
            tiles(f"{key}-images", pictures, scale=scale, clickable=False)
        places = {one: st.container(width=width, gap=None) for one in chosen}
    for one, place in places.items():
        with place:
            _heading(one.title if one.options == "{}" else f"{one.title} *", width)
            with messages.shown():
                for at in range(len(columns)):
                    if (explained := explain(one, at)) is not None:
                        found[one.name, at] = explained
            if not view.shared:
                _fill(columns, one, found, view, key, scale)
    for one, place in places.items():
        if view.shared:
            with place:
                _fill(columns, one, found, view, key, scale)
    return found


def clicked(key: str) -> tuple[str, int] | None:
    """Return method and column of the map that was clicked just now."""
    where, method, at = st.session_state.get(_OPEN, ("", "", 0))
    if where != key:
        return None
    del st.session_state[_OPEN]
    return method, at


def how_to_read(general: str, methods: Mapping[str, str], sign: Sign) -> None:
    """Show the colours, and how to read the maps.

    Parameters
    ----------
    general : str
        Markdown, of all of them.
    methods : mapping of str to str
        Markdown, of those of each method by its name.
    sign : 'signed' or 'absolute'
    """
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        st.html(legend(sign), width="content")
        st.caption(f"**How to read this.** {general}", width="stretch")
    st.caption("\n".join(f"- **{explanations.METHODS[method]}:** {text}" for method, text in methods.items()))


def limits(maps: Mapping[tuple[str, int], Explained], shared: bool) -> dict[tuple[str, int], float]:
    """Return the size that gets the strongest colour in each map: its own largest, or that of all of its unit."""
    own = {place: float(np.abs(one.values).max()) for place, one in maps.items()}
    if not shared:
        return own
    unit = explanations.UNITS
    return {place: max(own[other] for other in own if unit[other[0]] == unit[place[0]]) for place in own}


def _scale(columns: Sequence[Column], chosen: Sequence[Chosen]) -> int:
    crowded = len(columns) > FEW_IMAGES or (len(columns) == 1 and len(chosen) + 1 > FEW_CELLS)
    return SMALL if crowded else LARGE


def _heading(text: str, width: int) -> None:
    """Name a cell in as many lines as the longest name takes, so that the cells of a row stand level."""
    lines = 2 if width < _TWO_LINES else 1
    st.html(
        f'<div style="height:{1.25 * lines}em;display:flex;align-items:flex-end;font-size:.85rem;font-weight:600;'
        f'line-height:1.25;padding:0 .2rem">{html_text(text)}</div>'
    )


def _fill(columns: Sequence[Column], one: Chosen, found: Maps, view: MapColouring, key: str, scale: int) -> None:
    """Show the maps of a method."""
    largest = limits(found, view.shared)
    items = []
    for at, column in enumerate(columns):
        if (explained := found.get((one.name, at))) is None:
            continue
        limit = largest[one.name, at]
        under = column.image if view.overlay else None
        picture = coloured(explained.values, limit, view.sign, under)
        items.append(
            Tile(
                at,
                picture,
                _extent(limit, view.sign),
                _completeness(explained),
                f"{one.title}: {column.score}, {column.name}",
            )
        )
    if items:
        tiles(f"{key}-{one.name}", items, scale=scale, on_pick=partial(_open, key, one.name))


def _extent(limit: float, sign: Sign) -> str:
    return f"{'±' if sign == 'signed' else 'to '}{short(limit)}"


def _completeness(explained: Explained) -> tuple[Note, ...]:
    if explained.gained is None or explained.error is None:
        return ()
    return (Note(f"sum {signed_figures(explained.total)}, error {short(abs(explained.error))}"),)


def _open(key: str, method: str, at: int) -> None:
    st.session_state[_OPEN] = (key, method, at)


def subjects(question: Question) -> str:
    """Name what is explained: the one score, or that each image has its own."""
    titles = {subject.aim.title(question.classes) for subject in question.subjects}
    return markdown(titles.pop()) if len(titles) == 1 else "the class below each image"


def score(classes: Sequence[str], target: int, against: int | None) -> str:
    """Name a score."""
    return explanations.score_of(classes[target], None if against is None else classes[against])


def reading(method: str, aim: Aim, classes: Sequence[str], values: NDArray[np.floating], sign: Sign) -> str:
    """Explain one map (H, W) as it is coloured."""
    target, against = aim.names(classes)
    if sign == "signed" or is_constant(values):
        return explanations.attribution(method, target, values, against)
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    return (
        f"The stronger the colour, the more this place matters to {explanations.score_of(target, against)}, whether "
        f"for or against it. The strongest is row {row}, column {column}."
    )


def erased(signed_map: NDArray[np.floating]) -> str:
    """Say what Grad-CAM has set to zero, by the map with its sign."""
    low, high = float(signed_map.min()), float(signed_map.max())
    return f"Before that its values ran from {short(low)} to {short(high)}."


def completeness(total: float, gained: float, error: float) -> str:
    """Say whether a map adds up, not escaped."""
    share = f" ({percent(abs(error / gained))} of it)" if gained else ""
    return (
        f"The pixels sum to {total:+.2f}; the score of the image exceeds that of the baseline by {gained:+.2f}, "
        f"so the completeness error is {short(abs(error))}{share}."
    )


def mean(name: str, explained: str, images: int) -> str:
    """Explain mean maps."""
    return (
        f"Each pixel is the mean of {many(images, 'map')}; what differs from image to image cancels out, and what "
        f"stays is where {explained} usually comes from in {markdown(name)}."
    )


def strongest(method: str, values: NDArray[np.floating]) -> str:
    """Say where a map (H, W) is strongest."""
    row, column = divmod(int(np.abs(values).argmax()), values.shape[1])
    value = signed_figures(float(values[row, column]))
    return f"The strongest place is row {row}, column {column}, with {value} {explanations.UNITS[method]}."
