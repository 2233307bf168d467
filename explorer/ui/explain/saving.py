"""All maps of a grid as one table and one picture."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.ui import charts, explanations, pictures, theme
from explorer.ui.charts.attribution import map_grid
from explorer.ui.explain.grid import Column, Maps, View, limits
from explorer.ui.explain.methods import Chosen
from explorer.ui.export import Cell, csv_text

HEADER = ("method", "image", "score", "row", "column", "attribution")


def menu(found: Maps, chosen: Sequence[Chosen], columns: Sequence[Column], view: View, name: str) -> None:
    """Offer the maps as CSV and as a picture, made when they are asked for."""
    if not found:
        return
    mode = theme.mode()
    spec = _spec_of(found, chosen, columns, view)
    with st.popover("Save", icon=":material/download:", key=f"save-{name}"), st.container(gap="xxsmall"):
        _file("Data as CSV", lambda: csv_text(*table(found, columns)), f"{name}.csv", "text/csv")
        if pictures.available():
            _file("Picture as SVG", lambda: pictures.svg(spec(), mode), f"{name}.svg", "image/svg+xml")
            _file("Picture as PNG", lambda: pictures.png(spec(), mode), f"{name}.png", "image/png")


def table(found: Maps, columns: Sequence[Column]) -> tuple[Sequence[str], list[list[Cell]]]:
    """Return header and rows: a row for each pixel of each map."""
    rows: list[list[Cell]] = []
    for (method, at), explained in found.items():
        for (row, column), value in np.ndenumerate(explained.values.astype(float)):
            rows.append([method, columns[at].name, columns[at].score, row, column, float(value)])
    return HEADER, rows


def _spec_of(found: Maps, chosen: Sequence[Chosen], columns: Sequence[Column], view: View):  # type: ignore[no-untyped-def]
    def spec() -> dict[str, object]:
        largest = limits(found, view.shared)
        rows = []
        for one in chosen:
            places = [(one.name, at) for at in range(len(columns)) if (one.name, at) in found]
            line = [
                charts.attribution_map(
                    found[place].values,
                    f"{one.title}: {columns[place[1]].score}",
                    explanations.UNITS[one.name],
                    absolute=view.sign == "absolute",
                    limit=largest[place],
                )
                for place in places
            ]
            rows += [line] if line else []
        return map_grid(rows)

    return spec


def _file(label: str, data, file: str, mime: str) -> None:  # type: ignore[no-untyped-def]
    st.download_button(
        label, data, file, mime, key=f"file-{file}", on_click="ignore", type="tertiary", icon=":material/download:"
    )
