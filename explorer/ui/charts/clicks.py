"""Marks that the user can click; the server learns which one."""

from typing import Any

import altair as alt

from explorer.ui import theme

CLICKED = "clicked"
"""Name of the selection that a click makes."""


def targets(base: alt.Chart, field: str, **encodings: Any) -> alt.Chart:
    """Return unseen rectangles that take the clicks for the marks beneath them, and show which one is chosen.

    Parameters
    ----------
    base : alt.Chart
        With its data, of which each row has `chosen` (0 or 1).
    field : str
        What tells the rows apart; its value is what the server learns.
    **encodings
        The place of the rectangles, and their tooltip.
    """
    accent = theme.colour("primaryColor")
    frame = alt.condition("datum.chosen == 1", alt.value(accent), alt.value("transparent"))
    selection = alt.selection_point(name=CLICKED, fields=[field], toggle=False)
    chart = base.mark_rect(fill="transparent", strokeWidth=2, cursor="pointer")
    named: alt.Chart = chart.encode(stroke=frame, **encodings).properties(name="targets")
    return named.add_params(selection)


def clicked(state: Any, field: str) -> Any:
    """Return the value of the clicked mark from what a chart's widget holds; None where nothing is."""
    try:
        points = state["selection"][CLICKED]
        return points[0][field]
    except (KeyError, IndexError, TypeError):
        return None
