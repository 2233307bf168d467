"""The threshold of one class: its slider, the point that is dragged on the curve, its two-by-two table."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.ui.charts.class_curves import DRAGGED, Frame, Grip, Place, visible
from explorer.ui.kit import address
from explorer.ui.kit.numbers import count, percent
from explorer.ui.kit.text import html_text, markdown, shorten

if TYPE_CHECKING:
    from explorer.analysis.evaluation.confusion import ClassElements
    from explorer.analysis.evaluation.ranking import Ranking
    from explorer.analysis.evaluation.thresholds import OperatingPoints

KEY = "threshold"
TRACK = 250
"""Places on the curve at which the point can be put."""

_OWN = "threshold:own"
_MOVE = "threshold:move"
_ROUND = "threshold:round"


def choose(name: str) -> tuple[float, float]:
    """Show the slider; return the threshold and the one before it, at first `scale.DEFAULT`.

    Parameters
    ----------
    name : str
        Of the class.
    """
    _adopt_own()
    unknown = address.adopt(KEY, _options(), DEFAULT)
    value = st.select_slider(
        f"Threshold for {markdown(shorten(name, 24))}",
        _options(),
        format_func=written,
        key=KEY,
        help="Fine towards 0 and 1, where most probabilities lie. You can also drag the point on the curve. "
        "Arrow keys move it step by step.",
        on_change=address.touched,
        args=(KEY,),
    )
    address.keep({KEY: value}, {KEY: DEFAULT})
    if unknown is not None:
        said = markdown(shorten(unknown))
        st.warning(f"There is no threshold “{said}”; it is a number from 0 to 1. {written(value)} is shown.")
    return float(value), _before(float(value))


def grip(
    ranking: "Ranking",
    name: str,
    colour: str,
    threshold: float,
    frame: Frame,
    place: Place,
    others: Sequence[tuple[str, "Ranking"]],
) -> Grip:
    """Return the point of a class, with the places in the frame to which it can be dragged.

    Parameters
    ----------
    ranking : Ranking
        Of the class, with positives and negatives.
    name, colour : str
        Of the class.
    threshold : float
    frame : Frame
    place : tuple of str
        What of an operating point stands on the axes.
    others : sequence of tuple
        Colour and ranking of the same class by other checkpoints.
    """
    import numpy as np

    from explorer.analysis.evaluation.thresholds import OperatingPoints

    at = np.array([threshold])
    number = st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    return Grip(
        name=name,
        colour=colour,
        round=number,
        track=track(ranking, frame, place),
        here=OperatingPoints.from_ranking(ranking, at),
        others=[(tone, OperatingPoints.from_ranking(other, at)) for tone, other in others],
    )


def track(ranking: "Ranking", frame: Frame, place: Place) -> "OperatingPoints":
    """Return operating points that lie evenly along what is seen of a curve, at rounded thresholds."""
    import numpy as np

    from explorer.analysis.evaluation.thresholds import OperatingPoints, spread

    every = OperatingPoints.from_ranking(ranking)
    x, y = (getattr(every, name) for name in place)
    seen = visible(x, y, frame)
    places = spread(x[seen], y[seen], TRACK)
    thresholds = np.unique([rounded(value) for value in every.thresholds[seen][places].tolist()])
    return OperatingPoints.from_ranking(ranking, thresholds)


def dragged(chart: str) -> None:
    """Take over, as a chart's callback, to where the user has dragged the point.

    Parameters
    ----------
    chart : str
        Key of the chart. What the browser sends is not trusted; what it remembers of an earlier round does not count.
    """
    place = _dragged_place(st.session_state.get(chart))
    if place.get("round") != st.session_state.get(_ROUND):
        return
    value = parse(str(place.get("threshold")))
    if value is not None:
        st.session_state[_OWN] = value
        address.put(KEY, value)


def _dragged_place(state: Any) -> dict[str, Any]:
    sent = state.get("selection", {}).get(DRAGGED) if hasattr(state, "get") else None
    place = sent[0] if isinstance(sent, list) and sent else {}
    return dict(place) if isinstance(place, dict) else {}


def _adopt_own() -> None:
    """Make a threshold of the URL one that can be chosen, as a place to which the point was dragged is."""
    asked = address.asked(KEY)
    value = parse(asked) if address.is_new(KEY) else None
    if value is not None:
        st.session_state[_OWN] = value
        if str(value) != asked:
            st.query_params[KEY] = str(value)


def _options() -> list[float]:
    """Return the stops of the slider, and the last value that came from elsewhere."""
    return sorted({*GRID, st.session_state.get(_OWN, DEFAULT)})


def _before(value: float) -> float:
    now, before = st.session_state.get(_MOVE, (DEFAULT, DEFAULT))
    if value != now:
        now, before = value, now
        st.session_state[_MOVE] = (now, before)
    return float(before)


_TABLE = "width:100%;border-collapse:collapse;font-size:.85rem;line-height:1.45;font-variant-numeric:tabular-nums"
_LINE = "1px solid rgba(128,128,128,.35)"
_CELL = "padding:.15rem .3rem;text-align:right;white-space:nowrap"
_NAME = 16
"""Characters of a class name that fit."""


def html(element: "ClassElements", true: str = "") -> str:
    """Return the table, names escaped; rates that are undefined are a dash.

    Parameters
    ----------
    element : ClassElements
    true : str, optional
        What the images are called, where that is not the model's name of the class.
    """
    name, of = (html_text(shorten(text, _NAME)) for text in (element.name, true or element.name))
    rows = (
        (of, ("TP", element.true_positives), ("FN", element.false_negatives)),
        ("others", ("FP", element.false_positives), ("TN", element.true_negatives)),
    )
    counts = "".join(
        f'<tr><th scope="row" style="{_CELL};text-align:left">{head}</th>'
        + "".join(f'<td style="{_CELL}"><small>{term}</small> {count(value)}</td>' for term, value in cells)
        + "</tr>"
        for head, *cells in rows
    )
    return (
        f'<table style="{_TABLE}"><tr style="border-bottom:{_LINE}"><td></td>'
        f'<th scope="col" style="{_CELL};white-space:normal">called {name}</th>'
        f'<th scope="col" style="{_CELL};white-space:normal">not called so</th></tr>{counts}</table>{_rates(element)}'
    )


def _rates(element: "ClassElements") -> str:
    rates = (
        ("precision", element.precision),
        ("recall", element.recall),
        ("false positive rate", element.false_positive_rate),
        ("F1", element.f1),
    )
    rows = "".join(
        f'<tr><td style="{_CELL};text-align:left">{label}</td><td style="{_CELL};font-weight:600">'
        f"{percent(value)}</td></tr>"
        for label, value in rates
    )
    return f'<table style="{_TABLE};border-top:{_LINE};margin-top:.15rem">{rows}</table>'


DEFAULT = 0.5
DIGITS = 3
"""Significant digits of the distance to 0 or 1, whichever is nearer."""

_PLAIN = 1e-4
_DECADES = (-4, -3, -2)
_IN_DECADE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def rounded(threshold: float) -> float:
    """Round a probability to three significant digits of its distance to 0 or 1, whichever is nearer."""
    side = min(threshold, 1 - threshold)
    return round(threshold, _decimals(side)) if side > 0 else threshold


def written(threshold: float) -> str:
    """Write a rounded probability so that it differs from every other one: 0.50, 0.0012, 1.2 × 10⁻⁶, 1 − 1.2 × 10⁻⁶."""
    side = min(threshold, 1 - threshold)
    if side <= 0:
        return f"{threshold:.0f}"
    if side < _PLAIN:
        small = _power(side)
        return small if threshold < 0.5 else f"1 − {small}"
    digits = f"{threshold:.{_decimals(side)}f}"
    whole, _, decimals = digits.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def parse(text: str) -> float | None:
    """Read a threshold of the URL; None where it is no number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        return None
    return rounded(value) if 0 <= value <= 1 else None


def _grid() -> tuple[float, ...]:
    """Return steps of 0.01 in the middle, and ten to a factor of ten towards 0 and 1."""
    small = [rounded(number * 10.0**decade) for decade in _DECADES for number in _IN_DECADE]
    middle = [percent / 100 for percent in range(10, 91)]
    return (*small, *middle, *sorted(rounded(1 - number) for number in small))


def _decimals(side: float) -> int:
    return DIGITS - 1 - math.floor(math.log10(side))


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


GRID = _grid()
"""Where the slider stops."""
