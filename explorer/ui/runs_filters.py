"""The filters of the page Runs. They stand in the URL; so do the runs that are chosen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.store.runs import RUN_ID
from explorer.store.summaries import Summary
from explorer.ui import address, runs_words
from explorer.ui.text import markdown, plain, shorten

FIND, STATE, DATASET, MODEL, TAG = "runs-find", "runs-state", "runs-dataset", "runs-model", "runs-tag"
CHOSEN = "chosen"
_FIRST = "runs:first"
MAX_IN_URL = 20
"""Browsers cut longer addresses; more runs than that stay chosen in this session only."""


@dataclass(frozen=True)
class Filters:
    """Which runs are shown; what is empty or None lets all pass."""

    find: str = ""
    state: str | None = None
    dataset: str | None = None
    model: str | None = None
    tag: str | None = None

    def matches(self, run: Summary) -> bool:
        """Whether a run is shown: every word of `find` stands in its name, note, tags or id."""
        text = "\n".join((run.name, run.note, *run.tags, run.id)).casefold()
        return (
            all(word in text for word in self.find.casefold().split())
            and self.state in (None, state_of(run))
            and self.dataset in (None, run.dataset)
            and self.model in (None, run.model)
            and (self.tag is None or self.tag in run.tags)
        )


def state_of(run: Summary) -> str:
    """Return the state by which a run is filtered."""
    return "damaged" if run.problem else run.status.state


def show(found: Sequence[Summary]) -> Filters:
    """Show the filters and return what they say."""
    states = {state_of(run): runs_words.state(run) for run in found}
    datasets = {run.dataset: runs_words.dataset(run.dataset) for run in found}
    models = {run.model: run.model for run in found}
    tags = {tag: tag for run in found for tag in run.tags}
    with st.container(horizontal=True, gap="small"):
        return Filters(
            _text(),
            _choice(STATE, "State", "All states", states),
            _choice(DATASET, "Data set", "All data sets", datasets),
            _choice(MODEL, "Model", "All models", models),
            _choice(TAG, "Tag", "All tags", tags),
        )


def clear() -> None:
    """Let all runs pass again; as a callback."""
    for key in (STATE, DATASET, MODEL, TAG):
        st.session_state[key] = None
        address.touched(key)
    st.session_state[FIND] = ""
    address.touched(FIND)


def chosen() -> tuple[str, ...]:
    """Return the ids of the chosen runs, in the order in which they were chosen; they may not exist."""
    asked = address.is_new(CHOSEN)
    _adopt(CHOSEN)
    ids = tuple(dict.fromkeys(part for part in st.session_state[CHOSEN].split(",") if RUN_ID.fullmatch(part)))
    if asked:
        st.session_state[_FIRST] = ids
    address.keep({CHOSEN: ",".join(ids) if len(ids) <= MAX_IN_URL else None}, {CHOSEN: ""})
    return ids


def first() -> tuple[str, ...]:
    """Return the runs that a link has chosen: they stand first, as nobody would look for them further down."""
    return tuple(st.session_state.get(_FIRST, ()))


def choose(ids: Iterable[str]) -> None:
    """Choose other runs; in a callback."""
    st.session_state[CHOSEN] = ",".join(ids)
    address.touched(CHOSEN)


def _text() -> str:
    _adopt(FIND)
    value = st.text_input(
        "Find",
        key=FIND,
        placeholder="Name, note, tag, id",
        icon=":material/search:",
        label_visibility="collapsed",
        width=200,
        on_change=address.touched,
        args=(FIND,),
    )
    address.keep({FIND: value}, {FIND: ""})
    st.session_state[_last(FIND)] = value
    return str(value)


def _choice(key: str, title: str, anything: str, titles: Mapping[str, str]) -> str | None:
    names = sorted(filter(None, titles))
    unknown = address.adopt(key, [None, *names], None)
    value = st.selectbox(
        title,
        names,
        index=None,
        format_func=lambda name: titles.get(str(name), str(name)),
        placeholder=anything,
        key=key,
        label_visibility="collapsed",
        width=142,
        on_change=address.touched,
        args=(key,),
    )
    address.keep({key: value}, {})
    if unknown is not None:
        st.caption(f"There is no run with the {title.lower()} “{markdown(shorten(plain(unknown)))}”.")
    return value


def _adopt(key: str) -> None:
    """Give free text its value; `address.adopt` knows only choices, so these are the ones that there are."""
    known = [st.session_state.get(key, ""), st.query_params.get(key, ""), st.session_state.get(_last(key), ""), ""]
    address.adopt(key, known, "")


def _last(key: str) -> str:
    return f"{key}:last"
