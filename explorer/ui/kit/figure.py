"""A figure with its table, picture and words, how it is enlarged, and rows of numbers."""

import copy
import csv
import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui.kit import theme
from explorer.ui.kit.theme import Mode

_END = "\r\n"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | None


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write a table as CSV.

    Numbers keep full precision; what is undefined (None or NaN) stays empty; text that a spreadsheet would take
    for a formula gets an apostrophe in front.
    """
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_END)
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return "".join(lines)


class _Lines(list[str]):
    """Takes the lines of a writer, and ends them as the other files do.

    The writer puts a cell in quotes that holds a part of its own line end: so does one with a carriage return alone.
    """

    def write(self, line: str) -> None:
        """Take one line of the table."""
        self.append(line.removesuffix(_END) + "\n")


def _cell(value: Cell) -> Cell:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None or value != value else value


Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]
_LOOK = "look:at"
WIDE = 760
"""Greatest width of a figure on the screen; on a smaller one it takes what there is."""


def figure(
    chart: dict[str, Any],
    *,
    name: str,
    how_to_read: str,
    table: Callable[[], Table],
    width: int | str = WIDE,
    stretch: bool = True,
    on_select: Callable[[], None] | None = None,
) -> None:
    """Show a chart with how to read it and, in a menu, its data and its picture.

    Parameters
    ----------
    chart : dict
        A specification from `explorer.ui.charts`, with its title and axes.
    name : str
        Name of the file, and of the figure on its page: the key of the chart is `figure-` and this.
    how_to_read : str
        At most four sentences of Markdown, class names escaped; empty where they stand below several figures.
    table : callable
        Returns header and rows; called only when the user asks for the file.
    width : int or str
        Of the place.
    stretch : bool
        False leaves the chart at its own size, for whole-number scales.
    on_select : callable, optional
        Callback for a click on a chart with selection parameters; what was clicked stands in the session's state under
        the key of the chart.
    """
    with st.container(width=width, gap="xsmall"):  # type: ignore[arg-type]
        st.vega_lite_chart(
            chart,
            width="stretch" if stretch else "content",
            key=f"figure-{name}",
            on_select="ignore" if on_select is None else on_select,
        )
        with st.container(horizontal=True, horizontal_alignment="right", wrap=False, gap="small"):
            if how_to_read:
                st.caption(f"**How to read this.** {how_to_read}", width="stretch")
            take_away(chart, name, table)


def look_at(key: str) -> None:
    """Let the container with this key be scrolled to when the page is shown, whose end calls `look`."""
    st.session_state[_LOOK] = key


def look() -> None:
    """Scroll to what `look_at` was told of, once."""
    if key := st.session_state.pop(_LOOK, None):
        # The time makes it another script than the last one, which would not be run again.
        find = f"document.querySelector('.st-key-{key}')?.scrollIntoView({{behavior: 'smooth', block: 'start'}})"
        st.html(f"<script>/* {time.monotonic()} */ {find}</script>", unsafe_allow_javascript=True)


def beside(name: str) -> DeltaGenerator:
    """Return a place whose figures stand beside one another where each can be read, else below one another."""
    return st.container(horizontal=True, gap="medium", key=f"beside-{name}")


def take_away(chart: dict[str, Any], name: str, table: Callable[[], Table]) -> None:
    """Offer the data of a figure as CSV and its picture as SVG and PNG, in a menu as high as a line of text.

    The files are made only when they are asked for, outside the script's thread, so the theme is read now.
    """
    mode = theme.mode()
    menu = st.popover("Save", type="tertiary", key=f"save-{name}", help="The data or the picture of this figure")
    with menu, st.container(gap="xxsmall"):
        _download("Data as CSV", lambda: csv_text(*table()), f"{name}.csv", "text/csv")
        if available():
            _download("Picture as SVG", lambda: svg(chart, mode), f"{name}.svg", "image/svg+xml")
            _download("Picture as PNG", lambda: png(chart, mode), f"{name}.png", "image/png")


def _download(label: str, data: Callable[[], str | bytes], file: str, mime: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    st.download_button(
        label, data, file, mime, key=f"file-{file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )


def numbers(values: Sequence[tuple[str, str, str]]) -> None:
    """Show a row of numbers, each as label, text and one sentence of explanation."""
    with st.container(horizontal=True, gap="medium"):
        for label, text, explanation in values:
            st.metric(label, text, help=explanation, width="content")


WIDTH = 560
"""Of a chart that takes its width from its place on the screen."""

SCALE = 2
"""Pixels of a PNG for each one of the chart, so that it stays sharp in a report."""


@cache
def available() -> bool:
    """Whether vl-convert is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def svg(spec: dict[str, Any], mode: Mode | None = None) -> str:
    """Draw a specification from `explorer.ui.charts` as SVG.

    Parameters
    ----------
    spec : dict
    mode : {'light', 'dark'}, optional
        The theme whose colours the chart has; by default the one that is shown, which only the script's own thread
        knows: a file that is made when it is asked for needs to be told.
    """
    import vl_convert

    picture: str = vl_convert.vegalite_to_svg(_standalone(spec, mode))
    return picture


def png(spec: dict[str, Any], mode: Mode | None = None) -> bytes:
    """Draw a specification as PNG, two pixels for each one of the chart; the parameters are those of `svg`."""
    import vl_convert

    picture: bytes = vl_convert.vegalite_to_png(_standalone(spec, mode), scale=SCALE)
    return picture


def _standalone(spec: dict[str, Any], mode: Mode | None) -> dict[str, Any]:
    """Give a chart the width, font and colours that Streamlit gives it on the page."""
    alone = copy.deepcopy(spec)
    alone.setdefault("width", WIDTH)
    ink, lines = theme.colour("textColor", mode), theme.colour("borderColor", mode)
    axis = {"labelColor": ink, "titleColor": ink, "gridColor": lines, "domainColor": lines, "tickColor": lines}
    alone["background"] = theme.colour("backgroundColor", mode)
    alone["padding"] = 12
    alone.setdefault("config", {}).update(
        axis=axis,
        font="'Source Sans 3', 'Source Sans Pro', sans-serif",
        legend={"labelColor": ink, "titleColor": ink},
        title={"color": ink, "anchor": "start", "fontSize": 15},
        view={"stroke": None},
    )
    return alone
