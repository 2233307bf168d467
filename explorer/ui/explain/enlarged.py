"""One map with its axes, its numbers and its files."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from explorer.ui import charts, widgets
from explorer.ui.answers import Explained
from explorer.ui.explain import words
from explorer.ui.explain.colouring import Sign
from explorer.ui.explain.figures import short, signed
from explorer.ui.explain.methods import Chosen
from explorer.ui.explain.question import Aim
from explorer.ui.text import markdown

CELL = 10
"""Screen pixels for each of the map's."""


@st.dialog("One map", width="medium")
def show(one: Chosen, aim: Aim, classes: Sequence[str], name: str, explained: Explained, sign: Sign) -> None:
    """Open a dialog with a map.

    Parameters
    ----------
    one : Chosen
        The method.
    aim : Aim
    classes : sequence of str
    name : str
        Of the image or images, not escaped.
    explained : Explained
    sign : 'signed' or 'absolute'
    """
    from explorer.analysis.attribution import get

    method = get(one.name)
    st.markdown(f"{method.summary} :small[{markdown(method.reference)}]")
    widgets.figure(
        charts.attribution_map(
            explained.values,
            f"{one.title}: {aim.title(classes)}",
            method.unit,
            absolute=sign == "absolute",
            cell=CELL,
        ),
        name=one.name,
        how_to_read=words.reading(one.name, aim, classes, explained.values, sign),
        table=lambda: charts.attribution_table(explained.values),
        width="stretch",
        stretch=False,
    )
    facts = [f"{name}. Largest size {short(float(np.abs(explained.values).max()))} {method.unit}."]
    if explained.gained is not None and explained.error is not None:
        facts.append(words.completeness(explained.total, explained.gained, explained.error))
    else:
        facts.append(f"Sum of all pixels {signed(explained.total)}.")
    if one.values:
        facts.append("Options: " + ", ".join(f"{option} {value}" for option, value in one.values.items()) + ".")
    st.caption(markdown(" ".join(facts)))
