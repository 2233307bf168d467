"""A small drawing canvas for Streamlit, with its own probability bars."""

from explorer.ui.canvas.component import canvas, current, load
from explorer.ui.canvas.value import BLANK, SIDE, Bars, Drawing, parse

__all__ = ["BLANK", "SIDE", "Bars", "Drawing", "canvas", "current", "load", "parse"]
