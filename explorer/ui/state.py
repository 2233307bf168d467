"""What all pages share (data set, checkpoint, epoch, split), kept in the URL, and the links between pages.

The shared widgets are synchronised with the URL here and not by `bind="query-params"`: that writes the label of
an option into the URL, where a name or a run id belongs, and it makes `st.switch_page` refuse to name the parameter.
Widgets of a single page use `bind`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import streamlit as st

from explorer.paths import ROOT

PageName = Literal["home", "train", "evaluate", "explain", "draw"]
Option = TypeVar("Option")
SHARED = ("dataset", "checkpoint", "epoch", "split")
"""The URL parameters of the sidebar."""

_SEEN = "url:seen"
_PAGE = "url:page"
_TOUCHED = "url:touched"
_LINK = "url:link"
_SELECTION = "selection"


@dataclass(frozen=True)
class Selection:
    """What the sidebar says.

    Attributes
    ----------
    dataset : str
        Name of a data set that exists.
    checkpoint : str or None
        Name or run id of a checkpoint that exists; None where there is none for the data set.
    epoch : int or None
        Epoch of a run; None where it has only one, or for a single checkpoint.
    split : str
        One of the three.
    """

    dataset: str
    checkpoint: str | None
    epoch: int | None
    split: str

    @property
    def reference(self) -> str | None:
        """The checkpoint as `explorer.store.catalog` reads it, the epoch included."""
        return self.checkpoint if self.epoch is None else f"{self.checkpoint}@{self.epoch}"


def selection() -> Selection:
    """Return what the sidebar says in this run of the script."""
    chosen: Selection = st.session_state[_SELECTION]
    return chosen


def page_file(page: PageName) -> str:
    """Return the script of a page."""
    return str(ROOT / "pages" / f"{page}.py")


def page_exists(page: PageName) -> bool:
    """Whether the page is part of this installation."""
    return (ROOT / "pages" / f"{page}.py").is_file()


def go(page: PageName, **parameters: str | int | None) -> None:
    """Open another page. It is for callbacks: `st.button("Explain", on_click=state.go, args=("explain",))`.

    Parameters
    ----------
    page : str
    **parameters
        URL parameters of the target: shared ones that change, and the page's own. Shared ones that are not named
        stay; one that is None is dropped. A new checkpoint brings its own data set and epoch unless they are named.
    """
    query = dict(st.session_state.get(_SEEN, {}))
    if "checkpoint" in parameters:
        query.pop("dataset", None)
        query.pop("epoch", None)
    if "dataset" in parameters:
        query.pop("checkpoint", None)
        query.pop("epoch", None)
    query |= {name: str(value) for name, value in parameters.items() if value is not None}
    for name in [name for name, value in parameters.items() if value is None]:
        query.pop(name, None)
    st.session_state[_LINK] = (page, query)


def follow() -> None:
    """Open the page that a callback asked for; called as soon as the pages are known."""
    if link := st.session_state.pop(_LINK, None):
        page, query = link
        st.switch_page(page_file(page), query_params=query)


def turn_to(page: str) -> None:
    """Note which page is shown; parameters that vanish while it stays mean their defaults (the Back button)."""
    st.session_state[_PAGE] = (page, st.session_state.get(_PAGE, (None, None))[0])


def touched(key: str) -> None:
    """Note, as a widget's `on_change`, that the user has just changed it, so that the URL does not overrule it."""
    st.session_state.setdefault(_TOUCHED, set()).add(key)


def adopt(key: str, options: Sequence[Option], default: Option) -> str | None:
    """Give a shared widget its value before it is shown: the user's choice, else the URL's, else the last one.

    Parameters
    ----------
    key : str
        Of the widget and of the URL parameter.
    options : sequence
        The values allowed; `str` of each is what stands in the URL.
    default
        One of them.

    Returns
    -------
    str or None
        What the URL asks for, where that is not among the options. It is never used, only shown.
    """
    asked, unknown = st.query_params.get(key), None
    is_new = key not in st.session_state
    last = getattr(st.session_state.get(_SELECTION), key, None)
    chosen = st.session_state.get(key, default if last is None else last)
    if key in st.session_state.get(_TOUCHED, set()):
        st.session_state[_TOUCHED].discard(key)
    elif is_new or asked != st.session_state.get(_SEEN, {}).get(key):
        matches = [option for option in options if str(option) == asked]
        if matches:
            chosen = matches[0]
        elif asked is not None:
            unknown = asked
        elif _same_page():
            chosen = default
    st.session_state[key] = chosen if chosen in options else default
    return unknown


def asked_anew(key: str) -> str | None:
    """Return what the URL asks for, if that is new since the last run."""
    asked = st.query_params.get(key)
    return None if asked == st.session_state.get(_SEEN, {}).get(key) else asked


def publish(chosen: Selection, defaults: Selection) -> None:
    """Keep the selection for the pages, and what differs from the defaults in the URL."""
    st.session_state[_SELECTION] = chosen
    differing = {
        name: str(getattr(chosen, name))
        for name in SHARED
        if getattr(chosen, name) not in (None, getattr(defaults, name))
    }
    for name in SHARED:
        if name not in differing and name in st.query_params:
            del st.query_params[name]
    if any(st.query_params.get(name) != value for name, value in differing.items()):
        st.query_params.update(differing)
    st.session_state[_SEEN] = differing


def _same_page() -> bool:
    page, before = st.session_state.get(_PAGE, (None, None))
    return page == before
