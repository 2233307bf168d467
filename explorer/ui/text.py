"""Text of users, shown as text: neither Markdown nor HTML in a name may take effect."""

import html
import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&=^\"'])")


def markdown(text: str) -> str:
    """Escape text for Streamlit's Markdown, its `:colour[...]` and `$formula$` included, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def html_text(text: str) -> str:
    """Escape text for HTML, inside and outside of attributes."""
    return html.escape(text, quote=True)


def shorten(text: str, length: int = 40) -> str:
    """Cut text that is too long for its place, with an ellipsis."""
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def with_article(name: str) -> str:
    """Put the indefinite article in front of a word, by its first letter."""
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"
