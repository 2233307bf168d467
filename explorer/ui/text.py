"""Text of users, shown as text: neither Markdown nor HTML in a name may take effect."""

import html
import re

_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of writing, of what follows them too."""
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&=^\"'])")


def plain(text: str) -> str:
    """Put text on one line, without control characters and marks of direction."""
    return " ".join(_CONTROLS.sub(" ", _DIRECTION.sub("", text)).split())


def markdown(text: str) -> str:
    """Escape text for Streamlit's Markdown, its `:colour[...]` and `$formula$` included, on one line."""
    return _SPECIAL.sub(r"\\\1", plain(text))


def html_text(text: str) -> str:
    """Escape text for HTML, inside and outside of attributes."""
    return html.escape(text, quote=True)


def shorten(text: str, length: int = 40) -> str:
    """Cut text that is too long for its place, with an ellipsis."""
    text = plain(text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def with_article(name: str) -> str:
    """Put the indefinite article in front of a word, by its first letter."""
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"
