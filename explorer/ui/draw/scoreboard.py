"""The scoreboard: of this session, and of the room for whoever wants to be on it."""

from dataclasses import dataclass

import streamlit as st

from explorer.errors import ExplorerError
from explorer.store import scores
from explorer.ui.draw import predictions
from explorer.ui.draw.predictions import DrawChoices
from explorer.ui.draw.rounds import TITLES, Kind, Round
from explorer.ui.kit import messages
from explorer.ui.kit.numbers import count
from explorer.ui.kit.text import plain, shorten

MOST = 50
SHOWN = 10
_RESULTS = "board:results"
_NAME = "board-name"
_ROOM = "board-room"
_SAID = "board:said"


@dataclass(eq=False)
class Result:
    """One round of this session."""

    round: Round
    kind: Kind
    points: int
    about: str
    published: bool = False


def note(found: Round, kind: Kind, points: int, about: str) -> bool:
    """Put a round on the session's board; return whether it was new."""
    results = _results()
    if any(one.round is found for one in results):
        return False
    results.append(Result(found, kind, points, about))
    del results[:-MOST]
    return True


def _results() -> list[Result]:
    found: list[Result] = st.session_state.setdefault(_RESULTS, [])
    return found


def show(_scene: DrawChoices) -> None:
    """Show both boards."""
    session, room = st.columns(2, gap="large")
    with session:
        _session()
    with room, messages.shown():
        _room()


def _session() -> None:
    results = sorted(_results(), key=lambda one: -one.points)
    st.markdown("**This session**")
    if not results:
        st.caption("Your rounds will stand here. They are forgotten when the page is closed.")
        return
    rows = [
        {"Points": count(one.points), "Challenge": TITLES[one.kind], "What": shorten(one.about, 50)} for one in results
    ]
    _table(rows, "board-session")


def _room() -> None:
    """Show the room's board to those who want it, and let them put their best rounds on it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**The room**", width="content")
        wanted = st.toggle(
            "Take part",
            key=_ROOM,
            help="Shares a board with everybody who uses this server. Only what you publish is on it: the name that "
            "you give, points and the challenge.",
        )
    if not wanted:
        st.caption("Off: nothing of you is stored beyond this session.")
        return
    name, button = st.columns([1.4, 1], vertical_alignment="bottom", gap="small")
    name.text_input("Your name or initials", key=_NAME, max_chars=scores.MAX_NAME)
    fresh = [one for one in _results() if not one.published]
    button.button(
        f"Publish {count(len(fresh))} round{'s' * (len(fresh) != 1)}",
        key="board-publish",
        disabled=not fresh,
        width="stretch",
        on_click=_publish,
    )
    if problem := st.session_state.pop(_SAID, None):
        st.error(problem)
    found = scores.read()
    if not found:
        st.caption("Nobody is on it yet.")
        return
    rows = [
        {
            "Points": count(one.points),
            "Name": plain(one.name),
            "Challenge": TITLES.get(one.challenge, plain(one.challenge)),  # type: ignore[call-overload]
            "What": shorten(one.about, 40),
        }
        for one in found[: 2 * SHOWN]
    ]
    _table(rows, "board-room-table")
    if not _has_published():
        st.caption("Who has published a round may clear the board.")
        return
    with st.popover("Clear the board", icon=":material/delete:"):
        st.caption("All scores of the room are deleted for good.")
        st.button("Delete all scores", key="board-clear", on_click=_clear)


def _table(rows: list[dict[str, str]], key: str) -> None:
    right = st.column_config.TextColumn(alignment="right", width="small")
    st.dataframe(
        rows, hide_index=True, column_config={"Points": right}, height=min(len(rows), SHOWN) * 35 + 38, key=key
    )


def _publish() -> None:
    name = str(st.session_state.get(_NAME, ""))
    try:
        for one in _results():
            if not one.published:
                scores.add(name, one.kind, one.points, one.about)
                one.published = True
    except ExplorerError as error:
        st.session_state[_SAID] = str(error)
    predictions.ask()


def _has_published() -> bool:
    return any(one.published for one in _results())


def _clear() -> None:
    try:
        if _has_published():
            scores.clear()
    except ExplorerError as error:
        st.session_state[_SAID] = str(error)
