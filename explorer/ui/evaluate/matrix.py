"""The confusion matrix, the elements of one class, and the images of one cell."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException

from explorer.analysis.evaluation.confusion import ClassElements, ConfusionMatrix
from explorer.analysis.evaluation.mistakes import ordered
from explorer.analysis.evaluation.predictions import IntArray, Predictions
from explorer.ui import charts
from explorer.ui.evaluate import images
from explorer.ui.evaluate.scope import Judged, Scope, true_names
from explorer.ui.kit import address, controls, explanations, figure, numbers, theme
from explorer.ui.kit.explanations import MatrixView
from explorer.ui.kit.text import html_text, markdown, shorten

ELSE = "x"
"""Stands for every class but the other one of a part."""


@dataclass(frozen=True)
class Part:
    """The images of a true class that were predicted as a class.

    Attributes
    ----------
    true, predicted : int or None
        Classes; None, for one of the two at most, is every class but the other one.
    """

    true: int | None
    predicted: int | None

    @property
    def code(self) -> str:
        """How it stands in the URL: `6-0`, `6-x` or `x-6`, true class first."""
        return "-".join(ELSE if number is None else str(number) for number in (self.true, self.predicted))

    @property
    def cell(self) -> tuple[int, int] | None:
        """The cell of the matrix, where it is just one."""
        return None if self.true is None or self.predicted is None else (self.true, self.predicted)

    def count(self, matrix: ConfusionMatrix) -> int:
        """Return the number of its images."""
        if self.true is None:
            return int(matrix.off_diagonal[:, self.predicted].sum())
        if self.predicted is None:
            return int(matrix.off_diagonal[self.true].sum())
        return int(matrix.counts[self.true, self.predicted])

    def rows(self, predictions: Predictions) -> IntArray:
        """Return the rows of its images, the most confident first, int64."""
        true, predicted = predictions.labels, predictions.predicted
        first = true == self.true if self.true is not None else true != self.predicted
        second = predicted == self.predicted if self.predicted is not None else predicted != self.true
        return ordered(predictions, "confidence", np.flatnonzero(first & second))


@lru_cache(maxsize=24)
def parts(matrix: ConfusionMatrix) -> Mapping[str, Part]:
    """Return all of them by their code: the cells, the most frequent errors first, then rows and columns."""
    size = len(matrix.classes)
    places = [divmod(int(place), size) for place in np.argsort(-matrix.off_diagonal, axis=None, kind="stable")]
    errors = [Part(true, predicted) for true, predicted in places if true != predicted]
    right = [Part(k, k) for k in range(size)]
    rest = [part for k in range(size) for part in (Part(k, None), Part(None, k))]
    return MappingProxyType({part.code: part for part in (*errors, *right, *rest)})


@lru_cache(maxsize=24)
def cell_titles(matrix: ConfusionMatrix, true_names: tuple[str, ...]) -> Mapping[str, str]:
    """Return the titles of all parts by their code."""
    return MappingProxyType({code: title(part, matrix, true_names) for code, part in parts(matrix).items()})


def title(part: Part, matrix: ConfusionMatrix, true_names: Sequence[str]) -> str:
    """Name a part, with its number of images; the names are not escaped."""
    true = "other classes" if part.true is None else true_names[part.true]
    predicted = "something else" if part.predicted is None else matrix.classes[part.predicted]
    return f"{true} → {predicted}: {numbers.count(part.count(matrix))}"


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
        st.info(f"This model has {numbers.count(len(names))} classes; a matrix can be read with {MOST} at most.")
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
    figure.figure(
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
    known, titles = parts(found), cell_titles(found, names)
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
        heading = f"{numbers.count(count)} {plural}: {_said(part, judged, names)}"
        images.show(
            scope,
            part.rows(judged.results.predictions),
            key=CELL,
            heading=heading + (", the most confident first" if count > 1 else ""),
            empty="No image of the split falls into this cell.",
        )
    elif chosen is not None:
        show_elements(found.element(chosen), chosen, _put)
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
    address.put(CELL, None if cell is None else Part(*cell).code)
    _renew(part)


def _put(code: str) -> None:
    """Choose a cell or a line of them, in a callback."""
    address.put(CELL, code)
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


TABLE_CELL = "padding:.3rem .5rem;border:1px solid {line};text-align:center;line-height:1.25;background:{fill}"
HEAD = "padding:.25rem .5rem;font-weight:400;font-size:.8rem;text-align:{align}"


def show_elements(element: ClassElements, chosen: int, choose: Callable[[str], None]) -> None:
    """Show the elements of a class.

    Parameters
    ----------
    element : ClassElements
    chosen : int
        The number of the class.
    choose : callable
        Takes the code of the part of the matrix whose images the user wants to see.
    """
    name = markdown(element.name)
    st.markdown(f"**{name} against the rest**")
    st.html(table(element))
    with st.container(horizontal=True, gap="xsmall"):
        for short, part, meaning in (
            ("TP", Part(chosen, chosen), f"{name} and called so"),
            ("FN", Part(chosen, None), f"{name} but called something else"),
            ("FP", Part(None, chosen), f"something else but called {name}"),
        ):
            st.button(
                f"Images: {short}",
                key=f"elements-{short}",
                on_click=choose,
                args=(part.code,),
                help=f"The images that are {meaning}.",
            )
    with st.container(gap="xxsmall"):
        for term, sentence in explanations.rates(element):
            st.markdown(f"**{term}** :small[{sentence}]")


def table(element: ClassElements) -> str:
    """Return the two-by-two table as HTML, the name escaped."""
    name = html_text(element.name)
    rows = (
        (
            f"is {name}",
            (element.true_positives, "true positives (TP)", True),
            (element.false_negatives, "false negatives (FN)", False),
        ),
        (
            "is something else",
            (element.false_positives, "false positives (FP)", False),
            (element.true_negatives, "true negatives (TN)", True),
        ),
    )
    body = "".join(
        f'<tr><th scope="row" style="{_head("left")}">{head}</th>{_cells(cells)}</tr>' for head, *cells in rows
    )
    heads = "".join(
        f'<th scope="col" style="{_head("center")}">{text}</th>' for text in (f"called {name}", "called something else")
    )
    return (
        '<table style="border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums">'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(cells: list[tuple[int, str, bool]]) -> str:
    line, right, wrong = theme.colour("borderColor"), theme.sequential()[1], theme.diverging()[-5]
    return "".join(
        f'<td style="{TABLE_CELL.format(line=line, fill=right if is_right else wrong)}">'
        f'<strong>{numbers.count(number)}</strong><br><span style="font-size:.8rem">{words}</span></td>'
        for number, words, is_right in cells
    )


def _head(align: str) -> str:
    return HEAD.format(align=align)
