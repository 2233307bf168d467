"""Figures whose marks are buttons: a click chooses, a click beside the marks takes the choice back."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from explorer.ui.charts.clicks import clicked
from explorer.ui.widgets import WIDE, Table, take_away


def figure(
    chart: dict[str, Any],
    *,
    name: str,
    field: str,
    values: Sequence[int],
    value: int | None,
    choose: Callable[[int | None], None],
    how_to_read: str,
    table: Callable[[], Table],
    width: int | str = WIDE,
) -> None:
    """Show a chart as `widgets.figure` does, with marks that can be clicked.

    Parameters
    ----------
    chart : dict
        A specification with `charts.clicks.targets`.
    name : str
        Name of the files, and of the figure on its page.
    field : str
        What tells the marks apart.
    values : sequence of int
        What may be chosen; anything else that a browser sends counts as nothing.
    value : int or None
        What is chosen now, by a click or by other means.
    choose : callable
        A callback that takes what was clicked, or None where the choice is taken back.
    how_to_read : str
        Markdown.
    table : callable
        Returns header and rows of the data.
    width : int or str
        Of the place.
    """
    place = _place(name, field, value)

    def receive() -> None:
        sent = clicked(st.session_state.get(place), field)
        choose(next((one for one in values if one == sent), None))

    with st.container(width=width, gap="xsmall"):  # type: ignore[arg-type]
        st.vega_lite_chart(chart, width="stretch", key=place, on_select=receive)
        with st.container(horizontal=True, wrap=False, gap="small"):
            st.caption(f"**How to read this.** {how_to_read}", width="stretch")
            take_away(chart, name, table)


def _place(name: str, field: str, value: int | None) -> str:
    """Return the chart's key: a new one where the browser remembers a click that holds no longer.

    It reports a click only if that changes what it remembers; without this, a bar that was clicked before could not
    be clicked again after the choice was changed elsewhere.
    """
    slot = f"clickable:{name}"
    number = st.session_state.get(slot, 0)
    remembered = clicked(st.session_state.get(f"figure-{name}-{number}"), field)
    if remembered is not None and remembered != value:
        number += 1
        st.session_state[slot] = number
    return f"figure-{name}-{number}"
