"""A small drawing canvas for Streamlit, with its own probability bars."""

from explorer.ui.canvas.bars import Bars
from explorer.ui.canvas.component import canvas, changed, current, load
from explorer.ui.canvas.value import BLANK, SIDE, Drawing, parse

__all__ = ["BLANK", "SIDE", "Bars", "Drawing", "canvas", "changed", "current", "load", "parse"]
