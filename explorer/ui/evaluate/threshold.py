"""The threshold of one class: chosen with a slider or by dragging the point on the curve, and kept in the URL."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from explorer.ui import address
from explorer.ui.charts.class_curves import DRAGGED, Frame, Grip, Place, visible
from explorer.ui.controls import put
from explorer.ui.evaluate import scale
from explorer.ui.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.analysis.operating_points import OperatingPoints
    from explorer.analysis.ranking import Ranking

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
    unknown = address.adopt(KEY, _options(), scale.DEFAULT)
    value = st.select_slider(
        f"Threshold for {markdown(shorten(name, 24))}",
        _options(),
        format_func=scale.written,
        key=KEY,
        help="Fine towards 0 and 1, where most probabilities lie. You can also drag the point on the curve. "
        "Arrow keys move it step by step.",
        on_change=address.touched,
        args=(KEY,),
    )
    address.keep({KEY: value}, {KEY: scale.DEFAULT})
    if unknown is not None:
        said = markdown(shorten(unknown))
        st.warning(f"There is no threshold “{said}”; it is a number from 0 to 1. {scale.written(value)} is shown.")
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

    from explorer.analysis.operating_points import OperatingPoints

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

    from explorer.analysis.operating_points import OperatingPoints, spread

    every = OperatingPoints.from_ranking(ranking)
    x, y = (getattr(every, name) for name in place)
    seen = visible(x, y, frame)
    places = spread(x[seen], y[seen], TRACK)
    thresholds = np.unique([scale.rounded(value) for value in every.thresholds[seen][places].tolist()])
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
    value = scale.parse(str(place.get("threshold")))
    if value is not None:
        st.session_state[_OWN] = value
        put(KEY, value)


def _dragged_place(state: Any) -> dict[str, Any]:
    sent = state.get("selection", {}).get(DRAGGED) if hasattr(state, "get") else None
    place = sent[0] if isinstance(sent, list) and sent else {}
    return dict(place) if isinstance(place, dict) else {}


def _adopt_own() -> None:
    """Make a threshold of the URL one that can be chosen, as a place to which the point was dragged is."""
    asked = st.query_params.get(KEY)
    value = scale.parse(asked) if asked is not None and address.is_new(KEY) else None
    if value is not None:
        st.session_state[_OWN] = value
        if str(value) != asked:
            st.query_params[KEY] = str(value)


def _options() -> list[float]:
    """Return the stops of the slider, and the last value that came from elsewhere."""
    return sorted({*scale.GRID, st.session_state.get(_OWN, scale.DEFAULT)})


def _before(value: float) -> float:
    now, before = st.session_state.get(_MOVE, (scale.DEFAULT, scale.DEFAULT))
    if value != now:
        now, before = value, now
        st.session_state[_MOVE] = (now, before)
    return float(before)
