"""What small changes do to a model: probabilities and accuracy against epsilon."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.adversarial.images import Adversarial
from explorer.analysis.adversarial.robustness import RobustPoint
from explorer.ui.charts.specs import FIT_WIDTH, PADDING, Spec, named, said, specification, with_percents
from explorer.ui.kit import theme
from explorer.ui.kit.figure import Cell

HEIGHT = 200
GREYS = 255
TITLES = {"fgsm": "FGSM", "pgd": "PGD"}


def accuracy_chart(curves: Mapping[str, Sequence[RobustPoint]]) -> Spec:
    """Draw the accuracy under attacks of growing size, a line with its 95% interval for each model and attack.

    Parameters
    ----------
    curves : mapping of str to sequence of RobustPoint
        By the name of the model in the legend, two at most.
    """
    rows = [_row(model, point) for model, points in curves.items() for point in points]
    x = alt.X("epsilon:Q", title="epsilon: most that a pixel may change (white is 1)", scale=alt.Scale(nice=False))
    x = x.axis(format=".2~f", tickCount=7, labelFlush=False)
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(domain=[0, 1]))
    y = y.axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=False)
    legend = alt.Legend(
        title=None, orient="top", offset=4, symbolType="stroke", symbolStrokeWidth=2.5, symbolOpacity=1, labelLimit=0
    )
    colours = [theme.sequential()[6], theme.class_colours(2)[1]][: len(curves)]
    colour = alt.Color(
        "model:N",
        sort=None,
        scale=alt.Scale(domain=list(curves), range=colours),
        legend=legend if len(curves) > 1 else None,
    )
    dashes = alt.Scale(domain=list(TITLES.values()), range=[[1, 0], [6, 3]])
    dash = alt.StrokeDash("attack:N", scale=dashes, legend=legend)
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("attack:N"),
        alt.Tooltip("epsilon:Q", format=".3f"),
        said("accuracy"),
        said("low", "95% interval from"),
        said("high", "to"),
        alt.Tooltip("n:Q", title="images"),
    ]
    base = with_percents(alt.Chart(named("points")), "accuracy", "low", "high").encode(
        x=x, color=colour, detail=["model:N", "attack:N"], tooltip=tooltip
    )
    chart = alt.layer(
        base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=2.2).encode(y=y, strokeDash=dash),
        base.mark_point(filled=True, size=36, opacity=1).encode(y=y),
    )
    heading = alt.TitleParams("Accuracy under attack", offset=2)
    return specification(
        chart.properties(title=heading, height=HEIGHT, autosize=FIT_WIDTH, padding=PADDING), points=rows
    )


def _row(model: str, point: RobustPoint) -> dict[str, object]:
    low, high = point.interval
    return {
        "model": model,
        "attack": TITLES[point.method],
        "epsilon": point.epsilon,
        "accuracy": round(point.accuracy, 5),
        "low": round(low, 5),
        "high": round(high, 5),
        "n": point.n,
    }


def accuracy_table(curves: Mapping[str, Sequence[RobustPoint]]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a row for each model, attack and epsilon."""
    header = ["model", "attack", "epsilon", "correct", "n", "accuracy", "low", "high"]
    return header, [
        [model, point.method, point.epsilon, point.correct, point.n, point.accuracy, *map(float, point.interval)]
        for model, points in curves.items()
        for point in points
    ]


def epsilon_chart(tried: Adversarial, classes: Sequence[str], shown: float, smallest: float | None) -> Spec:
    """Draw the probabilities of one image against epsilon, for the classes that lead anywhere.

    Parameters
    ----------
    tried : Adversarial
        One image under several epsilons, in ascending order.
    classes : sequence of str
    shown, smallest : float
        The epsilon that is shown elsewhere on the page, and the first that flips the class.
    """
    probabilities = tried.probabilities_after
    leading = list(dict.fromkeys([int(tried.predicted_before[0]), *tried.predicted_after.tolist()]))[:4]
    rows = [
        {"epsilon": round(float(epsilon), 5), "class": classes[number], "probability": float(shares[number])}
        for epsilon, shares in zip(tried.epsilon, probabilities, strict=True)
        for number in leading
    ]
    marks = [{"epsilon": shown, "what": "shown"}]
    marks += [] if smallest is None else [{"epsilon": smallest, "what": "smallest that flips"}]
    x = alt.X("epsilon:Q", title="epsilon", scale=alt.Scale(nice=False)).axis(format=".2~f", labelFlush=False)
    y = alt.Y("probability:Q", title="probability", scale=alt.Scale(domain=[0, 1]))
    y = y.axis(format=".0%", values=[0, 0.5, 1], labelFlush=False)
    names = [classes[number] for number in leading]
    every = theme.class_colours(len(classes))
    colour = alt.Color(
        "class:N",
        sort=None,
        scale=alt.Scale(domain=names, range=[every[number] for number in leading]),
        legend=alt.Legend(title=None, orient="top", columns=2, offset=4, labelLimit=110, symbolType="stroke"),
    )
    tooltip = [
        alt.Tooltip("class:N"),
        alt.Tooltip("epsilon:Q", format=".3f"),
        said("probability"),
    ]
    line = (
        with_percents(alt.Chart(named("lines")), "probability")
        .mark_line(strokeWidth=2.2)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    rules = (
        alt.Chart(named("marks"))
        .mark_rule(strokeWidth=1.5)
        .encode(
            x="epsilon:Q",
            color=alt.value(theme.colour("textColor")),
            strokeDash=alt.condition("datum.what == 'shown'", alt.value([1, 0]), alt.value([4, 3])),
            tooltip=[alt.Tooltip("what:N"), alt.Tooltip("epsilon:Q", format=".4f")],
        )
    )
    chart = alt.layer(line, rules).properties(
        title="The more it may change", height=HEIGHT - 40, autosize=FIT_WIDTH, padding=PADDING
    )
    return specification(chart, lines=rows, marks=marks)


def epsilon_table(tried: Adversarial, classes: Sequence[str]) -> tuple[list[str], list[list[Cell]]]:
    """Return header and rows: a row for each epsilon, with the probability of every class."""
    rows: list[list[Cell]] = [
        [float(epsilon), classes[said], *map(float, shares)]
        for epsilon, said, shares in zip(tried.epsilon, tried.predicted_after, tried.probabilities_after, strict=True)
    ]
    return ["epsilon", "predicted", *classes], rows


def grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return pixels in [0, 1], (..., H, W), as grey levels, uint8 (H, W)."""
    levels: NDArray[np.uint8] = np.clip(np.round(image.reshape(image.shape[-2:]) * GREYS), 0, GREYS).astype(np.uint8)
    return levels
