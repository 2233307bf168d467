"""One class against the rest at a threshold: the four counts and the rates made of them, as a small table."""

from typing import TYPE_CHECKING

from explorer.ui.formats import count, percent
from explorer.ui.text import html_text, shorten

if TYPE_CHECKING:
    from explorer.analysis.confusion import ClassElements

_TABLE = "width:100%;border-collapse:collapse;font-size:.85rem;line-height:1.45;font-variant-numeric:tabular-nums"
_LINE = "1px solid rgba(128,128,128,.35)"
_CELL = "padding:.15rem .3rem;text-align:right;white-space:nowrap"
_NAME = 16
"""Characters of a class name that fit."""


def html(element: "ClassElements", true: str = "") -> str:
    """Return the table, names escaped; rates that are undefined are a dash.

    Parameters
    ----------
    element : ClassElements
    true : str, optional
        What the images are called, where that is not the model's name of the class.
    """
    name, of = (html_text(shorten(text, _NAME)) for text in (element.name, true or element.name))
    rows = (
        (of, ("TP", element.true_positives), ("FN", element.false_negatives)),
        ("others", ("FP", element.false_positives), ("TN", element.true_negatives)),
    )
    counts = "".join(
        f'<tr><th scope="row" style="{_CELL};text-align:left">{head}</th>'
        + "".join(f'<td style="{_CELL}"><small>{term}</small> {count(value)}</td>' for term, value in cells)
        + "</tr>"
        for head, *cells in rows
    )
    return (
        f'<table style="{_TABLE}"><tr style="border-bottom:{_LINE}"><td></td>'
        f'<th scope="col" style="{_CELL};white-space:normal">called {name}</th>'
        f'<th scope="col" style="{_CELL};white-space:normal">not called so</th></tr>{counts}</table>{_rates(element)}'
    )


def _rates(element: "ClassElements") -> str:
    rates = (
        ("precision", element.precision),
        ("recall", element.recall),
        ("false positive rate", element.false_positive_rate),
        ("F1", element.f1),
    )
    rows = "".join(
        f'<tr><td style="{_CELL};text-align:left">{label}</td><td style="{_CELL};font-weight:600">'
        f"{percent(value)}</td></tr>"
        for label, value in rates
    )
    return f'<table style="{_TABLE};border-top:{_LINE};margin-top:.15rem">{rows}</table>'
