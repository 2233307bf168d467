"""From an Altair chart to the specification that is sent to the browser.

Altair checks every part against its schema again and again; for our charts that took most of the time of a rerun (of
1.4 s for the ROC curves, 1.2 s). The tests check the specifications instead, and the data go beside the chart.
"""

import json
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


def said(field: str, title: str | None = None) -> alt.Tooltip:
    """Tell a share in a tooltip as `formats.percent` writes it; the chart needs `with_percents` for the field."""
    return alt.Tooltip(f"{field}_said:N", title=title or field)


def with_percents(chart: alt.Chart, *fields: str) -> alt.Chart:
    """Let the browser write shares as `formats.percent` does, so that rows need not hold both number and text."""
    for field in fields:
        value = f"datum[{json.dumps(field)}]"
        rest = f"floor(min({value}, 1 - {value}) * 1000 + 0.500001) / 1000"
        chart = chart.transform_calculate(
            calculate=f"{value} == null ? '–' : {value} > 0 && {value} < 0.0005 ? '<0.1%' : "
            f"{value} < 1 && {value} > 0.9995 ? '>99.9%' : format({value} > 0.5 ? 1 - {rest} : {rest}, '.1%')",
            as_=f"{field}_said",
        )
    return chart


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
