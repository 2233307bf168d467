"""Watching a duel: how far both sides are, and their curves racing."""

import streamlit as st

from explorer.studies import duels
from explorer.studies.duels import Duel
from explorer.ui import address, duel_curves, duel_reading, duel_words, formats, messages
from explorer.ui.charts import duel as drawings
from explorer.ui.duel_standing import Standing, is_computed_together, look
from explorer.ui.duel_steering import controls
from explorer.ui.watch_steering import note_started
from explorer.ui.widgets import beside, figure, look_at

__all__ = ["choose", "follow", "watch"]

POLL_SECONDS = 1.0
PLACE = "duel-watch"
"""Key of the container in which the duel that is watched stands."""
OFFERED = 100
"""Duels to choose from, the newest."""
_DUEL = "duel"


def follow(duel: Duel) -> None:
    """Make a duel the one that is watched; before the page shows the choice of duels."""
    note_started(run_id for side in duels.SIDES for run_id in duel.runs[side])
    st.session_state[_DUEL] = duel.id
    address.touched(_DUEL)
    look_at(PLACE)


def choose() -> Duel | None:
    """Let the user choose the duel to watch; at first the one in the URL, else the newest. None without duels."""
    found = {duel.id: duel for duel in duels.list_duels()}
    if _DUEL in st.session_state and st.session_state[_DUEL] not in found:
        del st.session_state[_DUEL]
        st.toast("The duel that was shown has been discarded. Its runs lie in the bin.", icon=":material/delete:")
    if not found:
        return None
    newest, asked = next(iter(found)), address.is_asked(_DUEL)
    unknown = address.adopt(_DUEL, list(found), newest)
    offered = dict.fromkeys([*list(found)[:OFFERED], st.session_state[_DUEL]])
    st.selectbox(
        "Duel",
        list(offered),
        format_func=lambda duel_id: _title(found[duel_id]),
        key=_DUEL,
        on_change=address.touched,
        args=(_DUEL,),
        label_visibility="collapsed",
    )
    if unknown is not None:
        st.toast("The duel in the link is not here; this one is shown instead.", icon=":material/info:")
    duel = found[st.session_state[_DUEL]]
    # What is shown unasked is not written: that would be a step more on the way back.
    address.keep({_DUEL: duel.id}, {} if asked else {_DUEL: newest})
    return duel


def watch(standing: Standing) -> None:
    """Show how a duel goes. Until it is over this part alone is renewed every second.

    A paused one is looked at too: it may be resumed in another tab.
    """
    st.fragment(_watch, run_every=None if standing.is_over else POLL_SECONDS)(standing)


def _watch(before: Standing) -> None:
    with messages.shown():
        standing = look(before.duel)
        if (standing.is_over, standing.is_active) != (before.is_over, before.is_active):
            st.rerun()  # the whole page, once: what stands around this part depends on it
        if not standing.is_over:
            _progress(standing)
        if any(run.status.state != "finished" for run in standing.runs):
            with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
                controls(standing)
                _say_left(standing)
        for problem in duel_words.problems(standing):
            st.warning(problem, icon=":material/warning:")
        _curves(standing)


def _progress(standing: Standing) -> None:
    with st.container(gap="xsmall"):
        for side in duels.SIDES:
            share, text = duel_words.side(standing, side)
            st.progress(min(1.0, share), text=text)


def _say_left(standing: Standing) -> None:
    together = any(is_computed_together(runs) for runs in standing.sides.values())
    if left := duel_words.left(standing, together):
        st.caption(left, width="content")


def _curves(standing: Standing) -> None:
    race = duel_curves.race(standing)
    with beside("duel-curves"):
        figure(
            drawings.accuracy_race(race),
            name="duel-accuracy",
            how_to_read=duel_reading.accuracy(race, standing.seeds),
            table=lambda: duel_curves.table(standing),
            width="stretch",
        )
        figure(
            drawings.loss_race(race),
            name="duel-loss",
            how_to_read=duel_reading.loss(race),
            table=lambda: duel_curves.table(standing),
            width="stretch",
        )


def _title(duel: Duel) -> str:
    time = duel.id[14:20]
    seeds = formats.many(len(duel.runs["a"]), "seed")
    return f"{duel_words.title(duel)} · {seeds} · {time[:2]}:{time[2:4]}:{time[4:]}"
