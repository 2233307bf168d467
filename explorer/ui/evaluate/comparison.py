"""Two models on the same images: who is right where, and whether that is more than chance."""

from functools import partial

import streamlit as st

from explorer.ui import address, controls, listing, state
from explorer.ui.charts import difference
from explorer.ui.evaluate import clickable, comparison_words, images, second
from explorer.ui.evaluate.names import true_names
from explorer.ui.evaluate.pair import OUTCOMES, Pair
from explorer.ui.evaluate.scope import Scope
from explorer.ui.text import markdown, shorten

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
    offered = second.offers(listing.load(), state.selection())
    with st.container(border=True, width=620):
        st.markdown("**Which of two models is better, and where?** Choose a second one, of the same data set.")
        if offered:
            second.choose_here(offered)
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
    heading, reason = comparison_words.verdict(pair)
    a, b = (markdown(shorten(judged.name, 44)) for judged in pair.scope.both)
    st.markdown(f":small[A: **{a}**  \nB: **{b}**]")
    st.markdown(f"**{heading}**  \n:small[{reason}]")


def _agreement(pair: Pair, shown: str) -> None:
    """Show how many images both, one or none gets right, two by two, each a button that leads to its images."""
    with st.container(gap="xsmall"):
        for row in (("both_right", "only_a"), ("only_b", "both_wrong")):
            with st.container(horizontal=True, wrap=False, gap="xsmall"):
                for which in row:
                    label, help = comparison_words.outcome(pair, which)
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
    clickable.figure(
        difference.difference_matrix(change, names, predicted, chosen),
        name="difference-matrix",
        field=difference.FIELD,
        values=range(pair.size**2),
        value=chosen,
        choose=_look_cell,
        how_to_read=comparison_words.matrix(pair, names),
        table=lambda: difference.difference_table(change, names, predicted),
    )


def _classes(pair: Pair, names: tuple[str, ...], behind: str) -> None:
    a, b = pair.recalls()
    row, column = divmod(int(behind), pair.size) if behind.isdigit() else (-1, 0)
    chosen = row if row == column else None
    clickable.figure(
        difference.recall_differences(a, b, names, chosen),
        name="difference-recall",
        field=difference.FIELD,
        values=range(pair.size**2),
        value=None if chosen is None else int(behind),
        choose=_look_cell,
        how_to_read=comparison_words.recalls(pair, names),
        table=lambda: difference.recall_table(a, b, names),
    )


def _images(pair: Pair, names: tuple[str, ...], behind: str) -> None:
    counts = {which: len(pair.rows(which)) for which in OUTCOMES}
    counts |= {str(cell): n for cell, n in pair.cells()}
    counts.setdefault(behind, 0)
    titles = {which: f"{comparison_words.mark(pair, which, names)} ({n:,})" for which, n in counts.items()}
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
        heading=comparison_words.heading(pair, behind, names),
        empty="There is no such image: choose others above.",
    )


def _title(titles: dict[str, str], which: object) -> str:
    return titles.get(str(which), str(which))


def _look(which: str) -> None:
    """Show the images behind a mark, in a callback."""
    controls.put(VIEW, "images")
    controls.put(BEHIND, which)


def _look_menu() -> None:
    controls.put(BEHIND, st.session_state[MENU])


def _look_cell(cell: int | None) -> None:
    if cell is not None:
        _look(str(cell))
