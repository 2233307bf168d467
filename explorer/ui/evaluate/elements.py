"""One class against the rest: the two-by-two table, and the rates made of it in words."""

from collections.abc import Callable

import streamlit as st

from explorer.analysis.confusion import ClassElements
from explorer.ui import explanations, formats, theme
from explorer.ui.evaluate.cells import Part
from explorer.ui.text import html_text, markdown

CELL = "padding:.3rem .5rem;border:1px solid {line};text-align:center;line-height:1.25;background:{fill}"
HEAD = "padding:.25rem .5rem;font-weight:400;font-size:.8rem;text-align:{align}"


def show(element: ClassElements, chosen: int, choose: Callable[[str], None]) -> None:
    """Show the elements of a class.

    Parameters
    ----------
    element : ClassElements
    chosen : int
        The number of the class.
    choose : callable
        Takes the code of the part of the matrix whose images the user wants to see.
    """
    name = markdown(element.name)
    st.markdown(f"**{name} against the rest**")
    st.html(table(element))
    with st.container(horizontal=True, gap="xsmall"):
        for short, part, meaning in (
            ("TP", Part(chosen, chosen), f"{name} and called so"),
            ("FN", Part(chosen, None), f"{name} but called something else"),
            ("FP", Part(None, chosen), f"something else but called {name}"),
        ):
            st.button(
                f"Images: {short}",
                key=f"elements-{short}",
                on_click=choose,
                args=(part.code,),
                help=f"The images that are {meaning}.",
            )
    with st.container(gap="xxsmall"):
        for term, sentence in explanations.rates(element):
            st.markdown(f"**{term}** :small[{sentence}]")


def table(element: ClassElements) -> str:
    """Return the two-by-two table as HTML, the name escaped."""
    name = html_text(element.name)
    rows = (
        (
            f"is {name}",
            (element.true_positives, "true positives (TP)", True),
            (element.false_negatives, "false negatives (FN)", False),
        ),
        (
            "is something else",
            (element.false_positives, "false positives (FP)", False),
            (element.true_negatives, "true negatives (TN)", True),
        ),
    )
    body = "".join(
        f'<tr><th scope="row" style="{_head("left")}">{head}</th>{_cells(cells)}</tr>' for head, *cells in rows
    )
    heads = "".join(
        f'<th scope="col" style="{_head("center")}">{text}</th>' for text in (f"called {name}", "called something else")
    )
    return (
        '<table style="border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums">'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(cells: list[tuple[int, str, bool]]) -> str:
    line, right, wrong = theme.colour("borderColor"), theme.sequential()[1], theme.diverging()[-5]
    return "".join(
        f'<td style="{CELL.format(line=line, fill=right if is_right else wrong)}">'
        f'<strong>{formats.count(number)}</strong><br><span style="font-size:.8rem">{words}</span></td>'
        for number, words, is_right in cells
    )


def _head(align: str) -> str:
    return HEAD.format(align=align)
