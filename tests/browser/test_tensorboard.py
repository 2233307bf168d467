"""The embedded TensorBoard in a real browser."""

import os
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.browser

PAGE = """
import sys
sys.path.insert(0, {root!r})
from explorer.store import runs
from explorer.ui.runs import tensorboard
import streamlit as st
st.set_page_config(layout="wide")
st.title("Runs")
tensorboard.show(runs.list_runs())
"""


@pytest.fixture
def address(home, tmp_path, serve):
    """The panel alone, for one run with events of two epochs."""
    from explorer.store import runs
    from explorer.training.tracking import events, reading

    run = runs.create({"model": "mlp", "dataset": "fashion-mnist", "epochs": 2}, "the *run*")
    file = events.EventFile(reading.folder(run))
    for epoch in (1, 2):
        file.append([events.scalars({"accuracy/validation": 0.4 * epoch, "loss/train": 1 / epoch}, epoch)])
    script = tmp_path / "page.py"
    script.write_text(PAGE.format(root=str(ROOT)))
    shutil.copytree(ROOT / "explorer" / ".streamlit", tmp_path / ".streamlit")
    server = serve(script, env={"EXPLORER_HOME": os.environ["EXPLORER_HOME"]})
    yield server.url
    server.stop()


def test_tensorboard_is_embedded_and_shows_the_scalars(visit, address):
    page = visit(address.replace("127.0.0.1", "localhost"))
    page.set_default_timeout(60_000)
    page.get_by_role("button", name="Open TensorBoard").click()
    link = page.get_by_role("link", name="Open in its own tab")
    link.wait_for()
    assert re.fullmatch(r"http://localhost:\d+/?", link.get_attribute("href"))
    frame = page.frame_locator("iframe")
    frame.get_by_text("accuracy/validation").first.wait_for()
    frame.get_by_text("loss/train").first.wait_for()
    frame.get_by_text(re.compile("the-run-")).first.wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Open TensorBoard").wait_for()
    page.locator("iframe").wait_for(state="detached")


def test_a_browser_behind_a_tunnel_gets_the_curves_instead(visit, address):
    page = visit("about:blank")
    page.set_default_timeout(60_000)
    page.route(lambda url: url.startswith("http") and not url.startswith(address), lambda route: route.abort())
    page.goto(address)
    page.get_by_role("button", name="Open TensorBoard").click()
    page.get_by_text("Your browser does not reach TensorBoard").wait_for()
    page.get_by_text("at epoch 2 it is").first.wait_for()
    assert page.locator("iframe").count() == 0
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Open TensorBoard").wait_for()


def test_the_curves_are_shown_inside_too(visit, address):
    page = visit(address)
    page.set_default_timeout(60_000)
    page.get_by_role("radio", name="Inside").click()
    page.get_by_text("How to read this.").first.wait_for()
    page.get_by_text("at epoch 2 it is").first.wait_for()
    assert page.locator("iframe").count() == 0
