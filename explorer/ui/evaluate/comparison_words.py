"""What the comparison of two checkpoints comes to. Markdown, names escaped."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.ui.evaluate.pair import OUTCOMES, Pair
from explorer.ui.formats import count, many, percent
from explorer.ui.text import markdown

ORDER = {
    "both_right": "the least sure first",
    "only_a": "B’s surest mistakes first",
    "only_b": "A’s surest mistakes first",
    "both_wrong": "the surest mistakes first",
}


def verdict(pair: Pair) -> tuple[str, str]:
    """Say in one line which is better, and in another why (exact McNemar test)."""
    if pair.same:
        return (
            "A and B are the same weights.",
            "So they agree on every image. Choose another second model, or an epoch.",
        )
    said = pair.comparison.verdict()
    finding = f"A and B are {said.finding}" if said.better is None else said.finding
    return f"{finding}.", f"{said.counts}. {_upper(said.test)}."


def outcome(pair: Pair, which: str) -> tuple[str, str]:
    """Return a button's label for an outcome, and its help."""
    n, whole = len(pair.rows(which)), pair.comparison.n
    label = f"**{count(n)}** {OUTCOMES[which]}"
    return label, f"{percent(n / whole if whole else None)} of the images: show them, {ORDER[which]}."


def mark(pair: Pair, which: str, names: Sequence[str]) -> str:
    """Name the images behind a mark, without their number, as plain text."""
    if which in OUTCOMES:
        return _upper(OUTCOMES[which])
    row, column = divmod(int(which), pair.size)
    if row == column:
        return f"{names[row]}: found by only one"
    return f"{names[row]} called {pair.comparison.classes[column]} by only one"


def heading(pair: Pair, which: str, names: Sequence[str]) -> str:
    """Write the heading of the images behind a mark."""
    n = len(pair.rows(which))
    order = f", {ORDER.get(which, 'the surest first')}" if n > 1 else ""
    return f"{markdown(mark(pair, which, names))}: {many(n, 'image')}{order}"


def matrix(pair: Pair, names: Sequence[str]) -> str:
    """Explain the difference of the matrices by its largest cells."""
    change = pair.comparison.matrix_difference
    text = (
        "Every cell is a number of images, B less A. On the framed diagonal stand the hits, where more is better; "
        "everywhere else errors, where fewer is better. "
    )
    hit, error = _largest(np.diag(np.diag(change))), _largest(change - np.diag(np.diag(change)))
    parts = []
    if hit:
        row, _, value = hit
        parts.append(f"B finds {_more(value)} of {markdown(names[row])} than A")
    if error:
        row, column, value = error
        called = markdown(pair.comparison.classes[column])
        parts.append(f"calls {_more(value)} of {markdown(names[row])} {called}")
    if not parts:
        return text + "Here no cell differs."
    return f"{text}The largest changes: {' and '.join(parts)}. Click a cell for its images."


def recalls(pair: Pair, names: Sequence[str]) -> str:
    """Explain the bars of the classes by the longest."""
    a, b = pair.recalls()
    gaps = np.nan_to_num(b - a)
    k = int(np.abs(gaps).argmax()) if len(gaps) else 0
    text = "A bar to the right: B finds more images of the class than A; to the left: fewer. "
    if not gaps.any():
        return text + "Here both find as many of every class."
    return (
        f"{text}The longest is {markdown(names[k])}: A finds {percent(float(a[k]))} of them, B {percent(float(b[k]))}. "
        "A class has fewer images than the whole split, so chance moves its bar further. Click a bar for the images "
        "that only one of the two gets right."
    )


def _largest(change: NDArray[np.int64]) -> tuple[int, int, int] | None:
    """Return row, column and value of the cell furthest from zero; None where all are zero."""
    if not change.any():
        return None
    row, column = np.unravel_index(np.abs(change).argmax(), change.shape)
    return int(row), int(column), int(change[row, column])


def _more(value: int) -> str:
    return f"{count(abs(value))} {'more' if value > 0 else 'fewer'}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
