"""Sessions spoken to without a browser: what no page would send, and more of them than anyone has windows."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

pytestmark = pytest.mark.browser


@dataclass
class Session:
    """One session of the application; after each run of a page, its elements and the errors on it."""

    socket: Any
    elements: list[Any] = field(default_factory=list)

    def run(self, page: str, *states: WidgetState) -> list[str]:
        """Run a page with these values of widgets, and return what it says is wrong."""
        message = BackMsg()
        message.rerun_script.page_name = page
        message.rerun_script.widget_states.widgets.extend(states)
        self.socket.send(message.SerializeToString())
        self.elements = []
        while True:
            received = ForwardMsg.FromString(self.socket.recv(timeout=60))
            if received.WhichOneof("type") == "delta":
                self.elements.append(received.delta.new_element)
            if received.WhichOneof("type") == "script_finished":
                break
        kinds = [one.WhichOneof("type") for one in self.elements]
        wrong = [one.exception.message for one in self.elements if one.WhichOneof("type") == "exception"]
        return wrong if "heading" in kinds else [*wrong, f"no title among {kinds}"]

    def ids(self, kind: str) -> list[str]:
        """Return the ids of the widgets of a kind."""
        return [getattr(one, kind).id for one in self.elements if one.WhichOneof("type") == kind]


@contextmanager
def opened(application: Any) -> Iterator[Session]:
    """Open a session and close it again."""
    url = application.url.replace("http", "ws")
    with connect(f"{url}/_stcore/stream", subprotocols=["streamlit"], max_size=None, proxy=None) as socket:
        yield Session(socket)


@pytest.fixture
def session(application):
    with opened(application) as session:
        yield session


DEEP = "[" * 100_000
STATES = "{", DEEP + "]" * 100_000, '{"drawing": ' + DEEP + "]" * 100_000 + "}"


def test_a_component_value_that_cannot_be_read_counts_as_none(session):
    assert session.run("draw") == []
    (canvas,) = [one for one in session.ids("bidi_component") if "canvas" in one]
    for value in STATES:
        trigger = f"$$STREAMLIT_INTERNAL_KEY_{canvas}__events"
        assert session.run("draw", WidgetState(id=canvas, json_value=value)) == []
        assert session.run("draw", WidgetState(id=trigger, json_trigger_value=value)) == []
        assert session.run("draw", WidgetState(id=canvas, json_value=json.dumps({"drawing": None}))) == []


def test_a_choice_in_a_chart_that_cannot_be_read_counts_as_none(session):
    assert session.run("evaluate") == []
    charts = [one for one in session.elements if one.WhichOneof("type") == "vega_lite_chart"]
    chosen = next(one.vega_lite_chart.id for one in charts if one.vega_lite_chart.id)
    for value in STATES:
        assert session.run("evaluate", WidgetState(id=chosen, string_value=value)) == []


def test_a_class_that_comes_at_once_is_answered(application):
    def visit(number):
        with opened(application) as session:
            return session.run("runs" if number % 2 else "train") + session.run("evaluate")

    with ThreadPoolExecutor(30) as students:
        assert list(students.map(visit, range(30))) == [[]] * 30
