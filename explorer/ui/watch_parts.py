"""What the figures of a run that is watched have in common: they change in place, and say more when asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.ui import pictures, theme
from explorer.ui.export import csv_text
from explorer.ui.widgets import Table

File = tuple[str, Callable[[], str | bytes], str, str]
"""Label, content, name and media type of a file to take away."""


@dataclass(frozen=True)
class Explanation:
    """How to read a figure, in Markdown with names escaped, and what of it can be taken away."""

    title: str
    text: str
    files: Sequence[File] = ()


def live_chart(chart: dict[str, Any], name: str) -> None:
    """Show a chart whose specification stays the same, so that the browser only changes its data.

    The rows are made into Arrow here: Streamlit would do so by way of pandas, which takes five times as long, and more
    than everything else that is done each second.
    """
    data = {dataset: _arrow(rows) for dataset, rows in chart["datasets"].items()}
    st.vega_lite_chart(chart | {"datasets": data}, width="stretch", key=f"figure-{name}")


def _arrow(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa

    table = pa.Table.from_pylist(list(rows))
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return bytes(stream.getvalue().to_pybytes())


def about(explanations: Callable[[], Sequence[Explanation]]) -> None:
    """Offer how to read the figures, their data and pictures; nothing of it is made before somebody opens it."""
    place = st.popover(
        "How to read this", type="tertiary", icon=":material/help:", on_change="rerun", key="watch-about"
    )
    if not place.open:
        return
    with place:
        for explanation in explanations():
            with st.container(gap="xsmall"):
                st.caption(f"**{explanation.title}.** {explanation.text}")
                with st.container(horizontal=True, gap="medium"):
                    for file in explanation.files:
                        _download(*file)


def _download(label: str, content: Callable[[], str | bytes], name: str, mime: str) -> None:
    """Show a button whose file is made only when it is pressed."""
    key = f"file-{name}"
    st.download_button(
        label, content, name, mime, key=key, on_click="ignore", type="tertiary", icon=":material/download:"
    )


def table_file(label: str, table: Callable[[], Table], name: str) -> File:
    """Return the data of a figure as a file."""
    return f"{label} as CSV", lambda: csv_text(*table()), f"{name}.csv", "text/csv"


def picture_file(label: str, chart: Callable[[], dict[str, Any]], name: str) -> list[File]:
    """Return a chart as a file, where it can be drawn."""
    if not pictures.available():
        return []
    mode = theme.mode()  # read now: a file is made outside of the page's run
    return [(f"{label} as SVG", lambda: pictures.svg(chart(), mode), f"{name}.svg", "image/svg+xml")]
