"""Two models on the same images: who is right where, and whether that is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.charts import duel
from explorer.ui.evaluate import choice, images
from explorer.ui.evaluate.scope import Scope, true_names
from explorer.ui.kit import address, checkpoints, state
from explorer.ui.kit.numbers import count, many, percent
from explorer.ui.kit.text import markdown, shorten

if TYPE_CHECKING:
    from explorer.analysis.evaluation.comparison import Comparison


OUTCOMES = {
    "both_right": "both right",
    "only_a": "only A right",
    "only_b": "only B right",
    "both_wrong": "both wrong",
}
"""What may be true of an image, as `Comparison.rows` calls it, and in words."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pair:
    """What both checkpoints of a scope say.

    Attributes
    ----------
    scope : Scope
        One with a second checkpoint.
    """

    scope: Scope

    @cached_property
    def comparison(self) -> "Comparison":
        """Which images each of them gets right."""
        from explorer.analysis.evaluation.comparison import Comparison

        return Comparison.from_predictions(*(judged.results.predictions for judged in self.scope.both))

    @property
    def same(self) -> bool:
        """Whether both are the same weights."""
        a, b = (judged.results.predictions.checkpoint for judged in self.scope.both)
        return a == b

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.comparison.classes)

    def rows(self, which: str) -> Rows:
        """Return the rows of the split behind a mark.

        Parameters
        ----------
        which : str
            An outcome, those that are wrong and surest of it first, for `both_right` those that are least sure; or
            the number of a cell of the confusion matrix (true class times the number of classes plus predicted class):
            the images that one of the two puts there and the other elsewhere, the surest first.
        """
        a, b = (judged.results.predictions for judged in self.scope.both)
        if which in OUTCOMES:
            found = self.comparison.rows(which)  # type: ignore[arg-type]
            least = np.minimum(a.confidence, b.confidence)
            keys = {"both_right": least, "only_a": -b.confidence, "only_b": -a.confidence, "both_wrong": -least}
            return found[np.argsort(keys[which][found], kind="stable")]
        row, column = divmod(int(which), self.size)
        here_a, here_b = a.predicted == column, b.predicted == column
        moved = np.flatnonzero((a.labels == row) & (here_a != here_b))
        sure = np.where(here_a, a.confidence, b.confidence)
        return moved[np.argsort(-sure[moved], kind="stable")]

    def cells(self) -> list[tuple[int, int]]:
        """List the cells in which the two differ, with how many images each, most first."""
        a, b = (judged.results.predictions for judged in self.scope.both)
        differing = a.predicted != b.predicted
        places = [a.labels[differing] * self.size + one.predicted[differing] for one in (a, b)]
        counts = np.bincount(np.concatenate(places), minlength=self.size**2)
        order = np.argsort(-counts, kind="stable")
        return [(int(cell), int(counts[cell])) for cell in order if counts[cell]]

    def recalls(self) -> Sequence[NDArray[np.float64]]:
        """Return the recalls of A and of B, float64, shape (C,); NaN where a class does not occur."""
        return [judged.results.matrix.recall for judged in self.scope.both]


VIEW, BEHIND = "compare", "behind"
"""URL parameters: what is shown, and the mark whose images are."""
MENU = "compare-images"
"""A widget that is there only above images: it has a key of its own, for Streamlit forgets what a widget held that is
no longer shown, and what was held before by its key comes back."""
FIRST_MARK = "only_b"
VIEWS = {"matrix": "Difference of the matrices", "classes": "By class", "images": "Images"}


@st.fragment
def show(scope: Scope) -> None:
    """Show the section."""
    state.follow()
    if scope.b is None:
        _invite()
        return
    pair = Pair(scope)
    names = true_names(scope)
    left, right = st.columns([1, 2.2], gap="large")
    with right:
        view, behind = _choices(pair)
        if view == "matrix":
            _matrix(pair, names, behind)
        elif view == "classes":
            _classes(pair, names, behind)
        else:
            _images(pair, names, behind)
    with left:
        _verdict(pair)
        _agreement(pair, behind if view == "images" else "")


def _choices(pair: Pair) -> tuple[str, str]:
    """Let the user choose what is shown, and return it with the mark whose images are asked for.

    Both are put into the URL at once, so that a click is one step back. The mark comes from the URL, from a click, or
    from the menu above the images, which need not be there.
    """
    names, marks = list(VIEWS), [*OUTCOMES, *map(str, range(pair.size**2))]
    address.adopt(VIEW, names, names[0])
    address.adopt(BEHIND, marks, FIRST_MARK)
    view = st.segmented_control(
        "Show",
        names,
        format_func=lambda name: VIEWS.get(str(name), str(name)),
        required=True,
        wrap=True,
        key=VIEW,
        on_change=address.touched,
        args=(VIEW,),
        label_visibility="collapsed",
    )
    behind = str(st.session_state[BEHIND])
    address.keep({VIEW: view, BEHIND: behind}, {VIEW: names[0], BEHIND: FIRST_MARK})
    return str(view or names[0]), behind


def _invite() -> None:
    """Say what this section is for, with the choice right here."""
    offered = choice.offers(checkpoints.load(), state.selection())
    with st.container(border=True, width=620):
        st.markdown("**Which of two models is better, and where?** Choose a second one, of the same data set.")
        if offered:
            choice.choose_here(offered)
        else:
            st.markdown("There is no other checkpoint of this data set yet: train one, or bring one of your own.")
            with st.container(horizontal=True):
                st.button("Train a model", on_click=state.go, args=("train",), key="compare-train")
                st.button("Bring a checkpoint", on_click=state.go, args=("home",), key="compare-home")
        st.caption(
            "You will see where their confusion matrices differ, the images that only one of them gets right, and by "
            "McNemar’s test whether the difference is more than chance."
        )


def _verdict(pair: Pair) -> None:
    heading, reason = verdict(pair)
    a, b = (markdown(shorten(judged.name, 44)) for judged in pair.scope.both)
    st.markdown(f":small[A: **{a}**  \nB: **{b}**]")
    st.markdown(f"**{heading}**  \n:small[{reason}]")


def _agreement(pair: Pair, shown: str) -> None:
    """Show how many images both, one or none gets right, two by two, each a button that leads to its images."""
    with st.container(gap="xsmall"):
        for row in (("both_right", "only_a"), ("only_b", "both_wrong")):
            with st.container(horizontal=True, wrap=False, gap="xsmall"):
                for which in row:
                    label, help = outcome(pair, which)
                    st.button(
                        label,
                        key=f"agreement-{which}",
                        type="primary" if which == shown else "secondary",
                        width="stretch",
                        help=help,
                        on_click=_look,
                        args=(which,),
                    )


def _matrix(pair: Pair, names: tuple[str, ...], behind: str) -> None:
    change, predicted = pair.comparison.matrix_difference, pair.comparison.classes
    chosen = int(behind) if behind.isdigit() else None
    images.figure(
        duel.difference_matrix(change, names, predicted, chosen),
        name="difference-matrix",
        field=duel.FIELD,
        values=range(pair.size**2),
        value=chosen,
        choose=_look_cell,
        how_to_read=matrix(pair, names),
        table=lambda: duel.checkpoint_difference_table(change, names, predicted),
    )


def _classes(pair: Pair, names: tuple[str, ...], behind: str) -> None:
    a, b = pair.recalls()
    row, column = divmod(int(behind), pair.size) if behind.isdigit() else (-1, 0)
    chosen = row if row == column else None
    images.figure(
        duel.recall_differences(a, b, names, chosen),
        name="difference-recall",
        field=duel.FIELD,
        values=range(pair.size**2),
        value=None if chosen is None else int(behind),
        choose=_look_cell,
        how_to_read=recalls(pair, names),
        table=lambda: duel.recall_table(a, b, names),
    )


def _images(pair: Pair, names: tuple[str, ...], behind: str) -> None:
    counts = {which: len(pair.rows(which)) for which in OUTCOMES}
    counts |= {str(cell): n for cell, n in pair.cells()}
    counts.setdefault(behind, 0)
    titles = {which: f"{mark(pair, which, names)} ({n:,})" for which, n in counts.items()}
    st.session_state[MENU] = behind
    st.selectbox(
        "Which images",
        list(titles),
        format_func=partial(_title, titles),
        key=MENU,
        label_visibility="collapsed",
        on_change=_look_menu,
    )
    images.show(
        pair.scope,
        pair.rows(behind),
        key="compare",
        heading=heading_text(pair, behind, names),
        empty="There is no such image: choose others above.",
    )


def _title(titles: dict[str, str], which: object) -> str:
    return titles.get(str(which), str(which))


def _look(which: str) -> None:
    """Show the images behind a mark, in a callback."""
    address.put(VIEW, "images")
    address.put(BEHIND, which)


def _look_menu() -> None:
    address.put(BEHIND, st.session_state[MENU])


def _look_cell(cell: int | None) -> None:
    if cell is not None:
        _look(str(cell))


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


def heading_text(pair: Pair, which: str, names: Sequence[str]) -> str:
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
