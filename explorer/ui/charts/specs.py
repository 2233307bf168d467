"""From an Altair chart to the specification that is sent to the browser.

Altair checks every part against its schema again and again; for our charts that took most of the time of a rerun (of
1.4 s for the ROC curves, 1.2 s). The tests check the specifications instead, and the data go beside the chart.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
from altair.utils import schemapi

from explorer.ui import theme

Spec = dict[str, Any]
Rows = Sequence[dict[str, Any]]

FIT_WIDTH = alt.AutoSizeParams(type="fit-x", contains="padding")
"""As wide as the place, axes included; the height given is that of the plot. Streamlit would count titles into it."""

OWN_SIZE = alt.AutoSizeParams(type="pad", contains="padding")
"""Width and height given are those of the plot."""

PADDING = {"left": 0, "top": 4, "right": 18, "bottom": 4}
"""Pixels around a chart; at the right so that the last number of the axis is not cut."""

schemapi.disable_debug_mode()


def named(name: str) -> alt.NamedData:
    """Refer to data that `specification` adds."""
    return alt.NamedData(name)


def specification(chart: alt.Chart | alt.LayerChart | alt.FacetChart, **datasets: Rows) -> Spec:
    """Return a chart as Vega-Lite, with the rows of each data set that it names.

    Its words have the page's colour: Streamlit's own grey is too pale to be read on white.
    """
    spec: Spec = chart.to_dict(validate=False)
    ink = theme.colour("textColor")
    config = spec.setdefault("config", {})
    for part in ("axis", "legend"):
        config[part] = {"labelColor": ink, "titleColor": ink} | config.get(part, {})
    spec["datasets"] = {name: list(rows) for name, rows in datasets.items()}
    return spec
