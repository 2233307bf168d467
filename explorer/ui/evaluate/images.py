"""Images of the split in pages; a click on one opens its detail."""

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.charts.specs import clicked
from explorer.ui.evaluate import detail
from explorer.ui.evaluate.scope import Judged, Scope, true_names
from explorer.ui.kit import address, numbers
from explorer.ui.kit.figure import WIDE, Table, take_away
from explorer.ui.kit.tiles import Note, Tile, tiles

PAGE = 24


def show(
    scope: Scope,
    rows: Sequence[int] | NDArray[np.int64],
    *,
    key: str,
    heading: str,
    empty: str,
    height: int | None = None,
) -> None:
    """Show rows of the split, in the order given.

    Parameters
    ----------
    scope : Scope
    rows : sequence of int or int64 ndarray
        Any number of them: only a page is worked on.
    key : str
        Names the gallery on its page, and the number of the page in the URL (`page-KEY`).
    heading : str
        Markdown.
    empty : str
        What is said where there are no rows.
    height : int, optional
        Pixels for the whole gallery, which then scrolls; by default it is as high as it needs.
    """
    ordered = np.asarray(rows, dtype=np.int64)
    with st.container(height=height or "content", border=False, gap="small"):
        st.markdown(f"**{heading}**")
        if not len(ordered):
            st.info(empty)
            return
        start = (_page(ordered, key) - 1) * PAGE
        tiles(
            key,
            [tile(scope, int(row)) for row in ordered[start : start + PAGE]],
            on_pick=partial(detail.choose, key),
        )
    detail.offer(scope, ordered, key)


def tile(scope: Scope, row: int) -> Tile:
    """Return one image with its true class and what each model says of it."""
    predictions = scope.a.results.predictions
    true = true_names(scope)[predictions.labels[row]]
    signs = ("",) if scope.b is None else ("A ", "B ")
    notes = tuple(
        _note(judged, row, sign, scope.foreign is None) for sign, judged in zip(signs, scope.both, strict=True)
    )
    return Tile(row, scope.images.images[row], true, notes)


def _note(judged: Judged, row: int, sign: str, comparable: bool) -> Note:
    predictions = judged.results.predictions
    said = predictions.classes[predictions.predicted[row]]
    share = numbers.percent(float(predictions.confidence[row]))
    return Note(f"{sign}{said} {share}", bool(predictions.correct[row]) if comparable else None)


def _page(rows: NDArray[np.int64], key: str) -> int:
    """Let the user choose a page; other rows begin with their first one."""
    name, count, content = f"page-{key}", -(-len(rows) // PAGE), zlib.crc32(rows.tobytes())
    slot, widget = f"images:{key}", f"images:{key}:page"
    kept: int | None = st.session_state.get(slot)
    if kept != content or widget not in st.session_state or address.is_new(name):
        linked = kept in (None, content) or address.is_new(name)
        asked = next((page for page in range(1, count + 1) if str(page) == address.asked(name)), 1)
        st.session_state[slot], st.session_state[widget] = content, asked if linked else 1
    chosen = st.pagination(count, key=widget) if count > 1 else 1
    address.keep({name: chosen}, {name: 1})
    return chosen


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
