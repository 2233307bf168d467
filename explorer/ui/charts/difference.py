"""Two checkpoints on the same images: where their confusion matrices and their recalls differ."""

import json
import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.ui import formats, theme
from explorer.ui.charts.clicks import targets
from explorer.ui.charts.duel import side_colours
from explorer.ui.charts.matrix import HEIGHT, NUMBER_SIZE
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

BAR = 27
FIELD = "cell"
"""What a click on either chart sends: true class times the number of classes plus predicted class."""

_LEGEND = "datum.value < 0 ? 'A better' : datum.value > 0 ? 'B better' : 'equal'"


def difference_matrix(
    difference: NDArray[np.int64], true: Sequence[str], predicted: Sequence[str], chosen: int | None = None
) -> Spec:
    """Draw the confusion matrix of B less that of A, a signed number in every cell.

    The colour says which one does better: more hits (the framed diagonal) are better, more errors worse.

    Parameters
    ----------
    difference : ndarray
        int64, shape (C, C): rows are true classes, columns predicted ones.
    true, predicted : sequence of str
        Names of the rows and of the columns.
    chosen : int, optional
        A cell that is marked, as `FIELD` counts them.

    Returns
    -------
    Spec
        As wide as its place; the shade grows with the square root of the difference, so small ones are seen.
    """
    ramp = theme.diverging()
    rows = _cells(difference, true, predicted, chosen, ramp)
    size = len(true)
    x = _axis(alt.X("column:N", sort=None, scale=_places(size)), predicted, "predicted class", labelAngle=-40)
    y = _axis(alt.Y("row:N", sort=None, scale=_places(size)), true, "true class", labelFlush=False)
    base = alt.Chart(named("cells")).encode(x=x, y=y)
    legend = alt.Legend(
        title=None, orient="top", values=[-1, 0, 1], labelExpr=_LEGEND, type="symbol", symbolType="square", offset=2
    )
    shade = alt.Color("better:Q", scale=alt.Scale(domain=[-1, 1], range=list(ramp)), legend=legend)
    tooltip = [
        alt.Tooltip("true:N"),
        alt.Tooltip("predicted:N"),
        alt.Tooltip("label:N", title="images, B less A"),
        alt.Tooltip("meaning:N", title="so"),
    ]
    hits = base.transform_filter("datum.row == datum.column")
    chart = alt.layer(
        base.mark_rect().encode(color=shade),
        hits.mark_rect(filled=False, stroke=theme.colour("textColor"), strokeWidth=1, aria=False),
        base.mark_text(fontSize=alt.ExprRef(NUMBER_SIZE)).encode(
            text="label:N", color=alt.Color("ink:N", scale=None, legend=None)
        ),
        targets(base, FIELD, tooltip=tooltip),
    ).resolve_scale(color="independent")
    title = alt.TitleParams("Confusion matrices: B less A, in images", offset=2)
    return specification(chart.properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING), cells=rows)


def difference_table(
    difference: NDArray[np.int64], true: Sequence[str], predicted: Sequence[str]
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the matrix of B less that of A."""
    rows = difference.tolist()
    return ["true class", *predicted], [[name, *row] for name, row in zip(true, rows, strict=True)]


def recall_differences(
    a: NDArray[np.float64], b: NDArray[np.float64], names: Sequence[str], chosen: int | None = None
) -> Spec:
    """Draw the recall of each class by B less that by A, in percentage points.

    Parameters
    ----------
    a, b : ndarray
        float64, shape (C,): recalls from 0 to 1, NaN where the class does not occur.
    names : sequence of str
    chosen : int, optional
        A class that is marked.
    """
    size = len(names)
    rows = [_bar(k, float(a[k]), float(b[k]), names[k], size, chosen) for k in range(size)]
    reach = 1.25 * max([abs(row["points"]) for row in rows], default=0) or 1.0
    y = _axis(alt.Y("row:N", sort=None, scale=_places(size)), names, None, labelFlush=False)
    x = alt.X("points:Q", title="recall of B less that of A (percentage points)")
    x = x.scale(domain=[-reach, reach], nice=False).axis(format="~g", tickCount=7, labelFlush=False)
    base = alt.Chart(named("classes")).encode(y=y)
    colours = alt.Scale(domain=["A", "B"], range=list(side_colours()))
    legend = alt.Legend(title=None, orient="top", labelExpr="datum.label + ' finds more'", offset=2)
    bars = base.transform_filter("datum.points != 0").mark_bar(height={"band": 0.7})
    ink = theme.colour("textColor")
    zero = alt.Chart(named("zero")).mark_rule(color=ink)
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in _BAR_TOOLTIP]
    text = base.mark_text(color=ink).encode(text="label:N")
    chart = alt.layer(
        bars.encode(x=x, color=alt.Color("better:N", scale=colours, legend=legend)),
        zero.encode(x="points:Q"),
        text.transform_filter("datum.points >= 0").mark_text(color=ink, align="left", dx=5).encode(x=x),
        text.transform_filter("datum.points < 0").mark_text(color=ink, align="right", dx=-5).encode(x=x),
        targets(base, FIELD, tooltip=tooltip),
    )
    chart = chart.properties(
        title=alt.TitleParams("Recall of each class, B less A", offset=2),
        height=BAR * max(size, 1),
        autosize=FIT_WIDTH,
        padding=PADDING,
    )
    return specification(chart, classes=rows, zero=[{"points": 0}])


_BAR_TOOLTIP = (("name", "true class"), ("of_a", "found by A"), ("of_b", "found by B"), ("label", "difference"))


def recall_table(
    a: NDArray[np.float64], b: NDArray[np.float64], names: Sequence[str]
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: recalls from 0 to 1 and their difference."""
    rows: list[list[Cell]] = [
        [name, float(one), float(two), float(two - one)] for name, one, two in zip(names, a, b, strict=True)
    ]
    return ["class", "recall_a", "recall_b", "b_minus_a"], rows


def _cells(
    difference: NDArray[np.int64],
    true: Sequence[str],
    predicted: Sequence[str],
    chosen: int | None,
    ramp: tuple[str, ...],
) -> list[dict[str, Any]]:
    largest = int(np.abs(difference).max(initial=0)) or 1
    size = len(true)
    cells = []
    for (row, column), value in np.ndenumerate(difference):
        gain = int(value) if row == column else -int(value)
        better = math.copysign(math.sqrt(abs(gain) / largest), gain)
        cells.append(
            {
                "row": row,
                "column": column,
                FIELD: row * size + column,
                "true": true[row],
                "predicted": predicted[column],
                "label": formats.signed(int(value), 0),
                "meaning": "equal" if not gain else "B is better here" if gain > 0 else "A is better here",
                "better": better,
                "ink": theme.ink_on(_colour(better, ramp)),
                "chosen": int(row * size + column == chosen),
            }
        )
    return cells


def _bar(k: int, a: float, b: float, name: str, size: int, chosen: int | None) -> dict[str, Any]:
    known = not (math.isnan(a) or math.isnan(b))
    points = formats.points(a, b) if known else 0.0
    return {
        "row": k,
        FIELD: k * size + k,
        "name": name,
        "points": points,
        "better": "B" if points > 0 else "A",
        "label": formats.signed(points) if known else "–",
        "of_a": formats.percent(a),
        "of_b": formats.percent(b),
        "chosen": int(k == chosen),
    }


def _places(size: int) -> alt.Scale:
    return alt.Scale(domain=list(range(size)), padding=0)


def _axis(channel: Any, names: Sequence[str], title: str | None, **options: Any) -> Any:
    """Write names beside places that are told apart by number, as two names may be equal; they go as JSON."""
    labels = f"{json.dumps(list(names))}[toNumber(datum.value)]"
    return channel.axis(
        title=title,
        labelExpr=labels,
        labelLimit=0,
        labelOverlap=False,
        ticks=False,
        domain=False,
        grid=False,
        **options,
    )


def _colour(place: float, ramp: tuple[str, ...]) -> str:
    """Return the colour of a place from -1 to 1 as the browser mixes it."""
    codes = np.array([[int(code[k : k + 2], 16) for k in (1, 3, 5)] for code in ramp])
    stops = np.linspace(-1, 1, len(ramp))
    return "#" + "".join(f"{round(np.interp(place, stops, channel)):02x}" for channel in codes.T)
