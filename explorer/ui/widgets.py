"""Parts that several pages share."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from explorer.ui import pictures
from explorer.ui.export import Cell, csv_text

Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]
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
) -> None:
    """Show a chart with how to read it, its data and its picture (PNG: in the chart's own menu).

    Parameters
    ----------
    chart : dict
        A specification from `explorer.ui.charts`, with its title and axes.
    name : str
        Name of the file, and of the figure on its page.
    how_to_read : str
        At most four sentences of Markdown, class names escaped.
    table : callable
        Returns header and rows; called only when the user asks for the file.
    width : int or str
        Of the place.
    stretch : bool
        False leaves the chart at its own size, for whole-number scales.
    """
    with st.container(width=width, gap="xsmall"):  # type: ignore[arg-type]
        st.vega_lite_chart(chart, width="stretch" if stretch else "content", key=f"figure-{name}")
        st.caption(f"**How to read this.** {how_to_read}")
        with st.container(horizontal=True, gap="small"):
            _download("Data as CSV", lambda: csv_text(*table()), f"{name}.csv", "text/csv")
            if pictures.available():
                _download("Picture as SVG", lambda: pictures.svg(chart), f"{name}.svg", "image/svg+xml")


def _download(label: str, data: Callable[[], str], file: str, mime: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    st.download_button(
        label, data, file, mime, key=f"file-{file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )


def numbers(values: Sequence[tuple[str, str, str]]) -> None:
    """Show a row of numbers, each as label, text and one sentence of explanation."""
    with st.container(horizontal=True, gap="medium"):
        for label, text, explanation in values:
            st.metric(label, text, help=explanation, width="content")
