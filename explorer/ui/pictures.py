"""Charts as SVG and PNG files, made by vl-convert on this machine."""

import copy
import importlib.util
from functools import cache
from typing import Any

from explorer.ui import theme
from explorer.ui.theme import Mode

WIDTH = 560
"""Of a chart that takes its width from its place on the screen."""

SCALE = 2
"""Pixels of a PNG for each one of the chart, so that it stays sharp in a report."""


@cache
def available() -> bool:
    """Whether vl-convert is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def svg(spec: dict[str, Any], mode: Mode | None = None) -> str:
    """Draw a specification from `explorer.ui.charts` as SVG.

    Parameters
    ----------
    spec : dict
    mode : {'light', 'dark'}, optional
        The theme whose colours the chart has; by default the one that is shown, which only the script's own thread
        knows: a file that is made when it is asked for needs to be told.
    """
    import vl_convert

    picture: str = vl_convert.vegalite_to_svg(_standalone(spec, mode))
    return picture


def png(spec: dict[str, Any], mode: Mode | None = None) -> bytes:
    """Draw a specification as PNG, two pixels for each one of the chart; the parameters are those of `svg`."""
    import vl_convert

    picture: bytes = vl_convert.vegalite_to_png(_standalone(spec, mode), scale=SCALE)
    return picture


def _standalone(spec: dict[str, Any], mode: Mode | None) -> dict[str, Any]:
    """Give a chart the width, font and colours that Streamlit gives it on the page."""
    alone = copy.deepcopy(spec)
    alone.setdefault("width", WIDTH)
    ink, lines = theme.colour("textColor", mode), theme.colour("borderColor", mode)
    axis = {"labelColor": ink, "titleColor": ink, "gridColor": lines, "domainColor": lines, "tickColor": lines}
    alone["background"] = theme.colour("backgroundColor", mode)
    alone["padding"] = 12
    alone.setdefault("config", {}).update(
        axis=axis,
        font="'Source Sans 3', 'Source Sans Pro', sans-serif",
        legend={"labelColor": ink, "titleColor": ink},
        title={"color": ink, "anchor": "start", "fontSize": 15},
        view={"stroke": None},
    )
    return alone
