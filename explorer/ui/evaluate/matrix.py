"""The confusion matrix, the elements of one class, and the images of one cell."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from explorer.ui import address, charts, controls, explanations, formats, widgets
from explorer.ui.charts.matrix import MatrixView
from explorer.ui.evaluate import cells, elements, images
from explorer.ui.evaluate.cells import Part
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.scope import Judged, Scope
from explorer.ui.text import markdown, shorten

FIGURE = "confusion-matrix"
CHART = f"figure-{FIGURE}"
CELL = "cell"
SECTION, BESIDE = "matrix", "matrix-beside"
HEIGHT = 428
"""Pixels for the images of a cell, which scroll; what is said of a class is as high as it needs."""
MOST = 40
"""Classes of a matrix whose numbers can still be read."""

_CLICKS = "matrix:clicks"


@st.fragment(key=SECTION)
def show(scope: Scope) -> None:
    """Show the matrix on the left, and on the right what the user has chosen in it.

    A click on a cell renews the right alone, unless the matrix marks another one: what it shows then, the browser has
    drawn already.
    """
    names = true_names(scope)
    if len(names) > MOST:
        st.info(f"This model has {formats.count(len(names))} classes; a matrix can be read with {MOST} at most.")
        return
    left, right = st.columns([1.4, 1], gap="small")
    with left, st.container(horizontal=True, vertical_alignment="center", gap="small", key="matrix-controls"):
        view = _view()
        errors_only = controls.switch("Errors only", "errors")
        similar = controls.switch("By similarity", "similar")
    with right:
        judged, part, chosen = _beside(scope, names)
    with left:
        _figure(scope, judged, part, chosen, view, errors_only, similar)


@st.fragment(key=BESIDE)
def _beside(scope: Scope, names: tuple[str, ...]) -> tuple[Judged, Part | None, int | None]:
    """Show what is chosen, and return it to the section; whatever else changes it must renew the section."""
    with st.container(horizontal=True, gap="xsmall", key="matrix-choice"):
        judged = _judged(scope)
        part, chosen = _choice(scope, judged, names)
    with st.container(height="content" if part is None else HEIGHT, key="matrix-panel", border=True):
        _panel(scope, judged, part, chosen)
    return judged, part, chosen


def _figure(
    scope: Scope,
    judged: Judged,
    part: Part | None,
    chosen: int | None,
    view: MatrixView,
    errors_only: bool,
    similar: bool,
) -> None:
    """Show the matrix, its cells to be clicked."""
    found = judged.results.matrix
    foreign = true_names(scope) if scope.foreign else None
    param = _clicks(part)
    marked = part.cell if part and _held(param) is None else None
    chart = charts.confusion_matrix(
        found,
        view,
        chosen,
        order=judged.results.similar if similar else None,
        errors_only=errors_only,
        marked=marked,
        clicks=param,
        true_names=foreign,
    )
    if scope.b is not None:
        chart["title"]["text"] += f" ({'B' if judged is scope.b else 'A'})"
    widgets.figure(
        chart,
        name=FIGURE,
        how_to_read=explanations.confusion(found, view, errors_only, foreign),
        table=lambda: charts.confusion_table(found, view, foreign),
        on_select=partial(_clicked, param, BESIDE if marked is None else SECTION),
    )


def _view() -> MatrixView:
    wanted = controls.segments("Numbers", charts.MATRIX_VIEWS, "numbers", labelled=False)
    return next(view for view in charts.MATRIX_VIEWS if view == wanted)


def _judged(scope: Scope) -> Judged:
    """Let the user choose between two models."""
    if scope.b is None:
        return scope.a
    chosen = controls.segments("Matrix of", ("A", "B"), "matrix-of", labelled=False, on_change=_touched)
    return scope.b if chosen == "B" else scope.a


def _choice(scope: Scope, judged: Judged, names: tuple[str, ...]) -> tuple[Part | None, int | None]:
    """Let the user choose a class and, by the keyboard too, a cell; no class where the names do not correspond."""
    found, chosen = judged.results.matrix, None
    known, titles = cells.parts(found), cells.titles(found, names)
    if scope.foreign is None:
        name = st.selectbox(
            "Class to explain",
            found.classes,
            key="class",
            bind="query-params",
            on_change=_renew,
            args=(SECTION,),
            label_visibility="collapsed",
        )
        chosen = found.classes.index(name)
    unknown = address.adopt(CELL, [None, *known], None)
    code = st.selectbox(
        "Cell whose images are shown",
        list(known),
        index=None,
        format_func=lambda code: titles.get(str(code), str(code)),
        placeholder="Choose a cell",
        key=CELL,
        on_change=_touched,
        args=(CELL,),
        label_visibility="collapsed",
    )
    address.keep({CELL: code}, {})
    if unknown is not None:
        st.caption(f"There is no cell “{markdown(shorten(unknown))}” in this matrix.")
    return known.get(code or ""), chosen


def _panel(scope: Scope, judged: Judged, part: Part | None, chosen: int | None) -> None:
    """Show the images of what was chosen in the matrix, or else the elements of the class."""
    found = judged.results.matrix
    if part is not None:
        names = true_names(scope)
        count = part.count(found)
        plural = "image" if count == 1 else "images"
        heading = f"{formats.count(count)} {plural}: {_said(part, judged, names)}"
        images.show(
            scope,
            part.rows(judged.results.predictions),
            key=CELL,
            heading=heading + (", the most confident first" if count > 1 else ""),
            empty="No image of the split falls into this cell.",
        )
    elif chosen is not None:
        elements.show(found.element(chosen), chosen, _put)
    else:
        st.info(
            f"The model was trained on {markdown(scope.foreign or '')}: its classes have nothing in common with these "
            "but their numbers, so true and false positives of a class say little. Click a cell to see what it takes "
            "for what."
        )


def _said(part: Part, judged: Judged, names: Sequence[str]) -> str:
    classes = judged.results.matrix.classes
    true = "other classes" if part.true is None else markdown(names[part.true])
    predicted = "something else" if part.predicted is None else markdown(classes[part.predicted])
    return f"{true}, called {predicted}"


def _clicks(part: Part | None) -> str:
    """Return the name of the selection that a click makes: a new one where the browser holds one that is past.

    The browser tells of a click only if that changes its selection; without this, a cell that was clicked before could
    not be clicked again after the choice was changed elsewhere.
    """
    number = st.session_state.get(_CLICKS, 0)
    held = _held(f"click{number}")
    if held is not None and (part is None or held != part.cell):
        number += 1
        st.session_state[_CLICKS] = number
    return f"click{number}"


def _clicked(param: str, part: str) -> None:
    """Take over the cell that was clicked, and renew a part; a click beside the cells takes the choice back."""
    cell = _held(param)
    controls.put(CELL, None if cell is None else Part(*cell).code)
    _renew(part)


def _put(code: str) -> None:
    """Choose a cell or a line of them, in a callback."""
    controls.put(CELL, code)
    _renew(SECTION)


def _touched(key: str) -> None:
    address.touched(key)
    _renew(SECTION)


def _renew(part: str) -> None:
    """End a callback by renewing one part of the page; one that is gone is renewed with the page."""
    with suppress(StreamlitAPIException):
        st.rerun(part)


def _held(param: str) -> tuple[int, int] | None:
    """Return the cell that the browser says is selected; it may say anything."""
    state: Any = st.session_state.get(CHART)
    try:
        point = state["selection"][param][0]
        row, column = point["row"], point["column"]
    except (KeyError, IndexError, TypeError):
        return None
    return (row, column) if type(row) is int and type(column) is int else None
