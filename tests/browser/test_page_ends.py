"""A page that ends early must not be drawn into by the page before, which has renewed itself until a moment ago."""

from typing import Any

import pytest

from tests.browser.marks import becomes

pytestmark = pytest.mark.browser

SCRIPT = """
import time
import streamlit as st
from explorer.ui.kit import messages

@st.fragment(run_every=0.1)
def renewed():
    with st.container():
        st.text("renewed")

with messages.contained():
    end = st.query_params.get("end", "")
    if st.button("Go on"):
        time.sleep(0.8)
        if end == "stop":
            st.error("It ends here.")
            st.stop()
        if end == "fragment":
            st.fragment(lambda: 1 / 0)()
        raise ValueError("the words of an error")
    with st.columns(2)[1], st.container():
        renewed()
"""
FAILED = "This app has encountered an error"
ENDS = {"stop": "It ends here.", "fragment": FAILED, "": FAILED}


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    script = tmp_path_factory.mktemp("ends") / "script.py"
    script.write_text(SCRIPT)
    return serve(script, options=["--client.showErrorDetails=none"])


class Line:
    """The connection of a page, on which what the server sends can be held back."""

    def __init__(self, page: Any) -> None:
        self.held: list[Any] | None = None
        self.asked = 0
        page.route_web_socket("**/_stcore/stream", self._connect)

    def _connect(self, near: Any) -> None:
        far = near.connect_to_server()
        self.send = near.send
        near.on_message(lambda message: self._ask(far, message))
        far.on_message(lambda message: self.send(message) if self.held is None else self.held.append(message))

    def _ask(self, far: Any, message: Any) -> None:
        self.asked += 1
        far.send(message)

    def release(self) -> None:
        held, self.held = self.held or [], None
        for message in held:
            self.send(message)


@pytest.mark.parametrize("end", ENDS)
def test_what_renewed_itself_before_is_not_drawn_into_a_page_that_ended(server, visit, end):
    page = visit("about:blank")
    line = Line(page)
    page.goto(f"{server.url}/?end={end}")
    page.get_by_text("renewed").wait_for()
    line.held = []
    before = line.asked
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(1500)  # the page has not heard of the new run, and asks to be renewed while it goes on
    becomes(page, lambda: line.asked, lambda asked: asked > before + 5)
    line.release()
    page.get_by_text(ENDS[end]).wait_for()
    page.wait_for_timeout(500)
    assert page.get_by_text(ENDS[end]).count() == 1
    assert page.get_by_text("renewed").count() == 0
    assert not [error for error in visit.errors if "node" in error.lower()]
