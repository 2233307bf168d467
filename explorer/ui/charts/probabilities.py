"""The probabilities of one image as bars."""

from collections.abc import Sequence

import altair as alt

from explorer.ui import formats, theme
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, specification
from explorer.ui.export import Cell

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
            "label": f"{formats.percent(float(probability))}  {', '.join(marks.get(index, []))}".rstrip(),
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
