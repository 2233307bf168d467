"""Charts as SVG files, made by vl-convert on this machine."""

import copy
import importlib.util
from functools import cache
from typing import Any

from explorer.ui import theme

WIDTH = 560
"""Of a chart that takes its width from its place on the screen."""


@cache
def available() -> bool:
    """Whether vl-convert is installed."""
    return importlib.util.find_spec("vl_convert") is not None


def svg(spec: dict[str, Any]) -> str:
    """Draw a specification from `explorer.ui.charts` as SVG in the colours of the theme that is shown."""
    import vl_convert

    picture: str = vl_convert.vegalite_to_svg(_standalone(spec))
    return picture


def _standalone(spec: dict[str, Any]) -> dict[str, Any]:
    """Give a chart the width, font and colours that Streamlit gives it on the page."""
    alone = copy.deepcopy(spec)
    alone.setdefault("width", WIDTH)
    ink, lines = theme.colour("textColor"), theme.colour("borderColor")
    axis = {"labelColor": ink, "titleColor": ink, "gridColor": lines, "domainColor": lines, "tickColor": lines}
    alone["background"] = theme.colour("backgroundColor")
    alone["padding"] = 12
    alone.setdefault("config", {}).update(
        axis=axis,
        font="Source Sans 3, Source Sans Pro, sans-serif",
        legend={"labelColor": ink, "titleColor": ink},
        title={"color": ink, "anchor": "start", "fontSize": 15},
        view={"stroke": None},
    )
    return alone
