"""What all pages share (data set, checkpoint, epoch, split), and the links between pages."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from explorer.paths import ROOT
from explorer.ui.kit import address

PageName = Literal["home", "train", "runs", "duel", "evaluate", "explain", "inside", "draw"]
NEED_WEIGHTS = ("explain", "inside", "draw")
"""Pages that compute with the model, so that an epoch's predictions are not enough."""
SHARED = ("dataset", "checkpoint", "epoch", "split")
"""The URL parameters of the sidebar."""

_LINK = "state:link"
_SELECTION = "state:selection"

_STARTED = "watch:started"


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


def previous() -> Selection | None:
    """Return what the sidebar said in the run before, while it is being built; None in the first one."""
    said: Selection | None = st.session_state.get(_SELECTION)
    return said


def publish(chosen: Selection, defaults: Selection) -> None:
    """Keep the selection for the pages, and what differs from the defaults in the URL."""
    st.session_state[_SELECTION] = chosen
    address.keep(asdict(chosen), asdict(defaults))


def page_file(page: PageName) -> str:
    """Return the script of a page."""
    return str(ROOT / "pages" / f"{page}.py")


def page_exists(page: PageName) -> bool:
    """Whether the page is part of this installation."""
    return (ROOT / "pages" / f"{page}.py").is_file()


def link(page: PageName, label: str, **parameters: str | int) -> None:
    """Show a link to another page; it can be opened in a new tab.

    Parameters
    ----------
    page : str
    label : str
        Markdown.
    **parameters
        URL parameters of the target: shared ones that change, and the page's own. Shared ones that are not named
        stay, but a new checkpoint brings its own data set and epoch, and a new data set its own checkpoint.
    """
    st.page_link(page_file(page), label=label, query_params=_query(parameters))


def go(page: PageName, **parameters: str | int) -> None:
    """Open another page in a callback: `st.button("Explain", on_click=state.go, args=("explain",))`.

    The parameters are those of `link`.
    """
    st.session_state[_LINK] = (page, _query(parameters))


def follow() -> None:
    """Open the page that a callback asked for; called as soon as the pages are known."""
    if asked := st.session_state.pop(_LINK, None):
        page, query = asked
        address.forget_written()
        st.switch_page(page_file(page), query_params=query)


def _query(parameters: Mapping[str, str | int]) -> dict[str, str]:
    query = {name: value for name, value in address.written().items() if name in SHARED}
    if "checkpoint" in parameters:
        query.pop("dataset", None)
        query.pop("epoch", None)
    if "dataset" in parameters:
        query.pop("checkpoint", None)
        query.pop("epoch", None)
    return query | {name: str(value) for name, value in parameters.items()}


def note_started(ids: Iterable[str]) -> None:
    """Remember that this session has started runs, so that it may discard them without being asked twice."""
    st.session_state.setdefault(_STARTED, set()).update(ids)


def may_discard(key: str, ids: Iterable[str]) -> bool:
    """Whether this session has started all of these runs; else whether the user says so, by a box shown here."""
    return st.session_state.get(_STARTED, set()).issuperset(ids) or st.checkbox(
        "It was not started in this window and may be somebody else's. Discard it nevertheless.", key=key
    )
