"""The map of images: a point or a small picture for each, in the colour and with the mark of its class."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.ui.charts.specs import CLICKED, FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell
from explorer.ui.kit.text import plain

HEIGHT = 420
FIELD = "row"
_SAW = "M-.9,-.5L-.5,-.9L0,-.4L.5,-.9L.9,-.5L.4,0L.9,.5L.5,.9L0,.4L-.5,.9L-.9,.5L-.4,0Z"
_STAR = "M0,-1.1L.28,-.36L1.05,-.34L.44,.14L.65,.89L0,.45L-.65,.89L-.44,.14L-1.05,-.34L-.28,-.36Z"
_RING = "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0M-.5,0A.5,.5,0,1,0,.5,0A.5,.5,0,1,0,-.5,0Z"
_BOW = "M-1,-.85L0,-.2L1,-.85L1,.85L0,.2L-1,.85Z"
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", _SAW, _STAR, _RING, _BOW)
"""Told apart without their colours: names of Vega's, or outlines from -1 to 1."""
WRONG = "wrong"
PICTURE = 24
"""Screen pixels of an image on the map."""
CELLS = (22, 17)
"""Places for images, across and down: one in each, so that they hardly overlap."""


def embedding_map(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: Sequence[str],
    images: Sequence[str],
    axes: tuple[str, str],
    title: str,
    pictures: Sequence[str] | None = None,
) -> Spec:
    """Draw images as points, which can be clicked, dragged and zoomed.

    Parameters
    ----------
    points : ndarray
        float64, shape (N, 2).
    rows : ndarray
        int64, shape (N,): what a click sends, in the field `FIELD`.
    labels, predicted : ndarray
        int64, shape (N,).
    classes : sequence of str
    images : sequence of str
        Each image as a data URL; it is shown when a point is pointed at.
    axes : tuple of str
        What the axes are.
    title : str
    pictures : sequence of str, optional
        What is shown in place of the marks, as far as there is room: each image as a data URL, in the colour of its
        class. Of images too near to others there is a small mark.
    """
    names = [plain(name) for name in classes]
    data = _rows(points, rows, labels, predicted, names, images)
    for row, picture, has_room in zip(data, pictures or (), _room(points), strict=False):
        row["picture"] = picture if has_room else ""
    x = alt.X("x:Q", title=axes[0], axis=_axis(), scale=alt.Scale(zero=False, nice=False, padding=12))
    y = alt.Y("y:Q", title=axes[1], axis=_axis(), scale=alt.Scale(zero=False, nice=False, padding=12))
    tooltip = [
        alt.Tooltip("image:N"),
        alt.Tooltip("class:N"),
        alt.Tooltip("predicted:N"),
        alt.Tooltip("row:Q", title="image number", format=",d"),
    ]
    base = alt.Chart(named("points")).encode(x=x, y=y)
    click = alt.selection_point(name=CLICKED, fields=[FIELD], toggle=False)
    zoom = alt.selection_interval(name="zoom", bind="scales")
    wrong = base.transform_filter("datum.wrong")
    marks = base.mark_point(filled=True, cursor="pointer", **_strength(pictures)).encode(
        color=_colours(names), shape=_shapes(names), tooltip=tooltip
    )
    # A name of its own: that which Altair gives is another one in every chart, for which the zoom would be forgotten.
    marks = marks.properties(name="images").add_params(click, zoom)
    layers = [marks]
    if pictures is not None:
        shown = base.transform_filter("datum.picture != ''").mark_image(width=PICTURE, height=PICTURE, cursor="pointer")
        layers.append(shown.encode(url="picture:N", tooltip=tooltip))
    # Above the marks, or those of other images would hide them.
    frames = wrong.mark_square(filled=False, strokeWidth=1.2, opacity=0.85, tooltip=None)
    layers.append(frames.encode(stroke=alt.value(theme.colour("textColor")), size=alt.value(_frame(pictures) ** 2)))
    chart = alt.layer(*layers).properties(title=title, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING)
    return specification(chart, points=data)


def embedding_table(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: Sequence[str],
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: each image with its place, class and prediction."""
    body: list[list[Cell]] = [
        [int(row), classes[int(label)], classes[int(said)], float(x), float(y)]
        for row, label, said, (x, y) in zip(rows, labels, predicted, points, strict=True)
    ]
    return ["image", "class", "predicted", "x", "y"], body


def _rows(
    points: NDArray[np.float64],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    names: Sequence[str],
    images: Sequence[str],
) -> list[dict[str, object]]:
    return [
        {
            "row": int(row),
            "x": float(f"{x:.5g}"),
            "y": float(f"{y:.5g}"),
            "class": names[int(label)],
            "predicted": names[int(said)],
            "wrong": bool(label != said),
            "image": image,
        }
        for row, label, said, (x, y), image in zip(rows, labels, predicted, points, images, strict=True)
    ]


def _strength(pictures: Sequence[str] | None) -> dict[str, Any]:
    """Return size and opacity of the marks, which stand back where there are images."""
    return {"size": 75, "opacity": 1} if pictures is None else {"size": 14, "opacity": 0.4}


def _frame(pictures: Sequence[str] | None) -> int:
    """Return the side of the frame of an error, in pixels of the screen."""
    return 14 if pictures is None else PICTURE


def _room(points: NDArray[np.float64]) -> list[bool]:
    """Say which points are the first in their place."""
    low, high = points.min(axis=0), points.max(axis=0)
    places = ((points - low) / np.where(high > low, high - low, 1.0) * (np.array(CELLS) - 1e-9)).astype(int)
    taken: set[tuple[int, int]] = set()
    found = []
    for across, down in places.tolist():
        found.append((across, down) not in taken)
        taken.add((across, down))
    return found


def _colours(names: Sequence[str]) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=list(theme.class_colours(len(names))))
    columns = alt.ExprRef("width < 420 ? 3 : 5")
    legend = alt.Legend(title=None, orient="bottom", columns=columns, symbolOpacity=1, symbolSize=90)
    return alt.Color("class:N", scale=scale, legend=legend)


def _shapes(names: Sequence[str]) -> alt.Shape:
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(names))]
    return alt.Shape("class:N", scale=alt.Scale(domain=list(names), range=shapes))


def _axis() -> alt.Axis:
    """Return an axis without numbers: a unit of such a map means nothing by itself."""
    return alt.Axis(labels=False, ticks=False, grid=False, domain=True)
