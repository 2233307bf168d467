"""The probabilities of one image as bars."""

import copy
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt

from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.kit import numbers, theme
from explorer.ui.kit.figure import Cell

BAR = 20


def probability_bars(
    classes: Sequence[str], probabilities: Sequence[float], true: int | None = None, target: int | None = None
) -> Spec:
    """Draw one bar for each class, in the order of the classes and in their colours.

    Parameters
    ----------
    classes : sequence of str (C,)
    probabilities : sequence of float (C,)
    true, target : int, optional
        The true class and the one that is explained; both are marked in words.
    """
    predicted = max(range(len(classes)), key=lambda index: probabilities[index])
    marks = {predicted: ["predicted"]}
    for index, word in ((true, "true"), (target, "target")):
        if index is not None:
            marks.setdefault(index, []).append(word)
    values = [
        {
            "class": name,
            "probability": float(probability),
            "label": f"{numbers.percent(float(probability))}  {', '.join(marks.get(index, []))}".rstrip(),
            "edge": theme.colour("textColor") if index in marks else "transparent",
        }
        for index, (name, probability) in enumerate(zip(classes, probabilities, strict=True))
    ]
    y = alt.Y(
        "class:N", sort=None, axis=alt.Axis(title=None, labelLimit=0, labelOverlap=False, ticks=False, domain=False)
    )
    y = y.scale(domain=list(classes), paddingInner=0.25)
    x = alt.X("probability:Q", title="probability", scale=alt.Scale(domain=[0, 1]))
    x = x.axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=False)
    colour = alt.Color("class:N", scale=alt.Scale(domain=list(classes), range=list(theme.class_colours(len(classes)))))
    base = alt.Chart(named("bars")).encode(x=x, y=y)
    tooltip = ["class:N", alt.Tooltip("probability:Q", format=".4%")]
    bars = base.mark_bar(strokeWidth=1).encode(
        color=colour.legend(None), stroke=alt.Stroke("edge:N", scale=None), tooltip=tooltip
    )
    half = "datum.probability > 0.5"
    before = base.transform_filter(half).mark_text(align="right", dx=-6, color=theme.colour("backgroundColor"))
    behind = base.transform_filter(f"!({half})").mark_text(align="left", dx=6, color=theme.colour("textColor"))
    layers = [bars, before.encode(text="label:N"), behind.encode(text="label:N")]
    chart = alt.layer(*layers).properties(
        title="What the model says", height=BAR * len(classes), autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart, bars=values)


def probability_table(classes: Sequence[str], probabilities: Sequence[float]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows of the bars."""
    return ["class", "probability"], [[name, float(p)] for name, p in zip(classes, probabilities, strict=True)]


HEIGHT = 225
MARK = "▸"
"""In front of the target's class."""

ROOM = 1.3
"""End of the axis of probabilities: beyond 1, so that a number fits behind a full bar."""


def response_chart(
    classes: Sequence[str], outputs: Mapping[str, Sequence[float]], target: int | None, logits: bool = False
) -> Spec:
    """Draw the outputs of each model as bars and the one-hot target as a dashed frame from 0 to 1.

    Parameters
    ----------
    classes : sequence of str (C,)
    outputs : mapping of str to sequence of float (C,)
        Probabilities, or logits, by the name of the model in the legend.
    target : int, optional
    logits : bool
        The outputs are logits, of which the target says nothing: its class is marked at the axis only.
    """
    rows = _rows(classes, outputs, logits, target)
    values = [0.0, *(row["value"] for row in rows)]
    low, high = min(values), max(values)
    room = 0.3 * (high - low) or 1.0
    data = {
        "bars": rows,
        "target": [] if target is None or logits else [{"place": f"{target}", "value": 1}],
        "span": [{"value": low - room / 8}, {"value": high + room}] if logits else [{"value": 0}, {"value": ROOM}],
    }
    chart = _chart(theme.mode(), tuple(classes), tuple(outputs), target, logits)
    return copy.deepcopy(chart) | {"datasets": data}


@lru_cache(maxsize=64)
def _chart(
    mode: theme.Mode, classes: tuple[str, ...], models: tuple[str, ...], target: int | None, logits: bool
) -> Spec:
    """Return the chart without its data: building it takes much longer than the data do."""
    places = [f"{number}" for number in range(len(classes))]
    y = alt.Y("place:N", sort=None, scale=alt.Scale(domain=places, padding=0.1), axis=_axis(classes, target))
    x = _logit_axis() if logits else _share_axis()
    legend = alt.Legend(title=None, orient="top", offset=4, labelLimit=0) if len(models) > 1 else None
    colours = [theme.sequential()[5], theme.class_colours(2)[1]][: len(models)]
    offset = alt.YOffset("model:N", sort=None, scale=alt.Scale(domain=list(models), padding=0))
    base = alt.Chart(named("bars")).encode(y=y, yOffset=offset)
    tooltip = [alt.Tooltip("class:N"), alt.Tooltip("model:N"), alt.Tooltip("label:N", title="output")]
    colour = alt.Color("model:N", sort=None, scale=alt.Scale(domain=list(models), range=colours), legend=legend)
    bars = base.mark_bar().encode(x=x, color=colour, tooltip=tooltip)
    what = "Output" if target is None else "Output beside target"
    ink = theme.colour("textColor")
    size = 11 if len(models) == 1 else 9
    text = base.mark_text(align="left", dx=5, fontSize=size, color=ink).encode(x="end:Q", text="label:N")
    outline: dict[str, Any] = {"fillOpacity": 0, "stroke": ink, "strokeWidth": 1.5, "strokeDash": [4, 2]}
    frame = alt.Chart(named("target")).mark_bar(**outline, aria=False)
    span = alt.Chart(named("span")).mark_point(opacity=0, size=0).encode(x=x)
    chart = alt.layer(bars, frame.encode(x=x, y=y), text, span).properties(
        title=f"{what}: {'logits' if logits else 'probabilities'}",
        height=HEIGHT,
        autosize=FIT_WIDTH,
        padding=PADDING,
    )
    return specification(chart)


def response_table(
    classes: Sequence[str],
    logits: Mapping[str, Sequence[float]],
    probabilities: Mapping[str, Sequence[float]],
    target: int | None,
) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a line for each class, the target as 1 and 0, empty where there is none."""
    header = ["class", "target"]
    for model in logits:
        suffix = "" if len(logits) == 1 else f"_{model.lower()}"
        header += [f"logit{suffix}", f"probability{suffix}"]
    rows: list[list[Cell]] = []
    for number, name in enumerate(classes):
        wanted: Cell = None if target is None else int(number == target)
        outputs = [float(values[model][number]) for model in logits for values in (logits, probabilities)]
        rows.append([name, wanted, *outputs])
    return header, rows


def _rows(
    classes: Sequence[str], outputs: Mapping[str, Sequence[float]], logits: bool, target: int | None
) -> list[dict[str, Any]]:
    """Return the bars; `end` is where their label stands, behind the target's frame where there is one."""
    rows = []
    for model, values in outputs.items():
        for number, name in enumerate(classes):
            value = float(values[number])
            label = f"{value:+.2f}" if logits else numbers.percent(value)
            place = {"place": f"{number}", "class": name, "model": model}
            rows.append(
                place
                | {"value": value, "end": 1.0 if number == target and not logits else max(0.0, value), "label": label}
            )
    return rows


def _axis(classes: Sequence[str], target: int | None) -> alt.Axis:
    """Write the names beside places that are told apart by number; they go as JSON."""
    names = [f"{MARK} {name}" if number == target else name for number, name in enumerate(classes)]
    return alt.Axis(
        title=None,
        labelExpr=f"{json.dumps(names)}[toNumber(datum.value)]",
        labelLimit=0,
        labelFlush=False,
        labelOverlap=False,
        ticks=False,
        domain=False,
        grid=False,
    )


def _share_axis() -> alt.X:
    x = alt.X("value:Q", title="probability")
    return x.scale(domain=[0, ROOM]).axis(format=".0%", values=[0, 0.5, 1], labelFlush=False)


def _logit_axis() -> alt.X:
    x = alt.X("value:Q", title="logit: output before the softmax", scale=alt.Scale(nice=False))
    return x.axis(tickCount=6, labelFlush=False)
