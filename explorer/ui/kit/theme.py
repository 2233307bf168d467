"""Colours, in one place: those of `.streamlit/config.toml`, for charts and pictures made in Python.

Streamlit themes a chart by itself; these functions serve what it cannot know, such as the colour of one class.
"""

import tomllib
from functools import cache
from typing import Any, Literal

import streamlit as st

from explorer.paths import ROOT

Mode = Literal["light", "dark"]
CONFIG = ROOT / "explorer" / ".streamlit" / "config.toml"


@cache
def _themes() -> dict[str, Any]:
    themes: dict[str, Any] = tomllib.loads(CONFIG.read_text("utf-8"))["theme"]
    return themes


def mode() -> Mode:
    """Return which theme the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def colour(role: str, theme: Mode | None = None) -> str:
    """Return one colour by its name in the configuration, such as `textColor`, as `#rrggbb`."""
    return str(_themes()[theme or mode()][role])


def sequential(theme: Mode | None = None) -> tuple[str, ...]:
    """Return the colours of a scale that begins at zero, from there on."""
    return tuple(_themes()[theme or mode()]["chartSequentialColors"])


def diverging(theme: Mode | None = None) -> tuple[str, ...]:
    """Return the colours of a scale with zero in its middle, from the negative end; the middle one is neutral."""
    colours = _themes()[theme or mode()]["chartDivergingColors"]
    half = len(colours) // 2
    return (*colours[:half], colour("secondaryBackgroundColor", theme), *colours[half:])


def ink_on(fill: str, theme: Mode | None = None) -> str:
    """Return the theme's text or background colour, whichever is easier to read on a fill."""
    inks = (colour("textColor", theme), colour("backgroundColor", theme))
    return max(inks, key=lambda ink: contrast(ink, fill))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours `#rrggbb`, 1 to 21, after WCAG 2.2."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of `#rrggbb`, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _luminance(colour: str) -> float:
    channels = [channel / 255 for channel in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def class_colours(count: int, theme: Mode | None = None) -> tuple[str, ...]:
    """Return the colours of the classes in their order, the same on every page; above ten they repeat."""
    palette = _themes()[theme or mode()]["chartCategoricalColors"]
    return tuple(palette[index % len(palette)] for index in range(count))


def class_dashes(count: int) -> tuple[tuple[int, int], ...]:
    """Return the line patterns that tell classes apart besides their colour."""
    patterns = ((1, 0), (7, 2), (2, 2))
    return tuple(patterns[index % len(patterns)] for index in range(count))
