"""Parts that several pages share."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer.ui import pictures, theme
from explorer.ui.export import Cell, csv_text

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
        if pictures.available():
            _download("Picture as SVG", lambda: pictures.svg(chart, mode), f"{name}.svg", "image/svg+xml")
            _download("Picture as PNG", lambda: pictures.png(chart, mode), f"{name}.png", "image/png")


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
