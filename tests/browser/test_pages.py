"""The pages in a real browser: what a user sees, at two sizes and in both themes."""

import http.client
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from explorer.paths import ROOT
from tests.browser.marks import becomes, settled

pytestmark = pytest.mark.browser

APP = ROOT / "explorer" / "app.py"
SEEN = "() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] :is(svg, canvas)')].length"


def ready(page: Any, title: str) -> None:
    """Wait until the page has its title and nothing on it is still being computed."""
    page.get_by_role("heading", name=title, exact=True).wait_for(timeout=90_000)
    settled(page)


def test_the_matrix_has_a_readable_number_in_every_cell(application, visit):
    page = visit(f"{application.url}/evaluate?checkpoint=small")
    ready(page, "Evaluate")
    page.wait_for_function(SEEN)
    numbers = page.locator("[data-testid=stVegaLiteChart] .mark-text.role-mark text")
    becomes(page, numbers.count, lambda count: count == 100)
    assert sum(int(text.replace(",", "")) for text in numbers.all_text_contents()) == 10_000
    assert all(float(size.removesuffix("px")) >= 9 for size in numbers.evaluate_all(FONT_SIZES))


FONT_SIZES = "texts => texts.map(text => getComputedStyle(text).fontSize)"


def test_the_roc_curves_and_their_areas_are_drawn(application, visit):
    page = visit(f"{application.url}/evaluate?checkpoint=small&section=ROC+and+precision-recall")
    ready(page, "Evaluate")
    page.wait_for_function(SEEN)
    lines = page.locator("[data-testid=stVegaLiteChart] .mark-line path")
    becomes(page, lines.count, lambda count: count == 13)
    labels = page.locator("[data-testid=stVegaLiteChart] .role-legend-label text")
    legend = becomes(page, labels.all_text_contents, lambda found: len(found) == 12)
    assert all(re.fullmatch(r".+ 0\.\d{4} \(0\.\d{4}–[01]\.\d{4}\)", label) for label in legend)


def test_a_mistake_leads_to_its_explanation_and_back(application, visit):
    page = visit(f"{application.url}/evaluate?checkpoint={application.run_id}&split=validation&section=Mistakes")
    ready(page, "Evaluate")
    first = page.locator(".tiles button").first
    row = first.get_attribute("data-row")
    first.click()
    page.get_by_role("dialog").get_by_role("link", name="Explain").click()
    ready(page, "Explain")
    page.wait_for_url(f"**checkpoint={application.run_id}**")
    page.wait_for_url("**split=validation**")
    page.wait_for_url(re.compile(rf"image={row}\b"))
    page.go_back()
    ready(page, "Evaluate")
    page.locator(f".tiles button[data-row='{row}']").first.wait_for()
    assert page.locator(".tiles button").first.get_attribute("data-row") == row


def test_the_choice_survives_the_menu_and_a_reload(application, visit):
    page = visit(f"{application.url}/?checkpoint={application.run_id}&epoch=1&split=train")
    ready(page, "Fashion-MNIST Explorer")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Evaluate").click()
    page.get_by_text("on 54,000 train images").wait_for(timeout=90_000)
    page.wait_for_url(f"**checkpoint={application.run_id}**")
    page.wait_for_url("**epoch=1**")
    page.reload()
    page.get_by_text("on 54,000 train images").wait_for(timeout=90_000)
    page.get_by_text("Epoch", exact=True).wait_for()
    page.locator("[role=slider][aria-valuetext='1 ●'], [type=range][aria-valuetext='1 ●']").wait_for()


def test_the_back_button_undoes_a_choice(application, visit):
    page = visit(f"{application.url}/evaluate?checkpoint=small")
    ready(page, "Evaluate")
    page.get_by_test_id("stSidebar").get_by_text("Validation", exact=True).click()
    page.get_by_text("on 6,000 validation images").wait_for()
    page.wait_for_url("**split=validation**")
    page.go_back()
    page.get_by_text("on 10,000 test images").wait_for()
    page.wait_for_url(lambda url: "split" not in url)


def test_maps_have_whole_number_scale_and_the_image_is_crisp(application, visit):
    page = visit(f"{application.url}/explain?checkpoint=small&image=7")
    ready(page, "Explain")
    image = page.locator("[data-testid=stHtml] img").first
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    assert image.evaluate("image => image.width") % 28 == 0
    page.locator(".tiles .picture").nth(3).wait_for()
    styles = page.locator(".tiles .picture").evaluate_all(
        "all => all.map(getComputedStyle).map(style => [style.imageRendering, parseFloat(style.width) % 28])"
    )
    assert styles == [["pixelated", 0]] * len(styles)


def test_another_theme_is_drawn_in_its_own_colours(application, visit):
    texts = {}
    for scheme in ("light", "dark"):
        page = visit(f"{application.url}/evaluate?checkpoint=small", color_scheme=scheme)
        ready(page, "Evaluate")
        page.wait_for_function(SEEN)
        cell = page.locator("[data-testid=stVegaLiteChart] .mark-rect path").nth(1)
        texts[scheme] = cell.get_attribute("fill")
    assert texts["light"] != texts["dark"]


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The application as the README starts it, from another folder, with nothing but a port on the command line."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(APP), f"--server.port={port}", "--server.headless=true"]
    folder = tmp_path_factory.mktemp("elsewhere")
    log = (folder / "log.txt").open("wb")
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "EXPLORER_HOME": str(folder / "home")},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_the_configuration_beside_the_script_is_read_from_any_folder(plain_server, visit):
    port, _ = plain_server
    page = visit(f"http://localhost:{port}")
    ready(page, "Fashion-MNIST Explorer")
    start = page.locator("[class*=st-key-start-draw] button").first
    assert start.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(176, 58, 10)"
    page.get_by_text("64MB per file").wait_for()


def test_only_this_machine_is_served(plain_server):
    port, _ = plain_server
    foreign = _outer_address()
    if foreign is None:
        pytest.skip("This machine has no address but its own.")
    with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
        socket.create_connection((foreign, port), timeout=3).close()


def _handshake(port, host, origin=None):
    """Ask for a session as a browser does that knows the server by the name `host`; return the status of the answer."""
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    headers = {"Host": f"{host}:{port}", "Origin": origin or f"http://{host}:{port}", "Upgrade": "websocket"}
    connection = http.client.HTTPConnection("localhost", port, timeout=20)
    try:
        connection.request("GET", "/_stcore/stream", headers=headers | {"Connection": "Upgrade"} | key)
        return connection.getresponse().status
    finally:
        connection.close()


FOREIGN = "rebound.example", "localhost.rebound.example", "127.0.0.1.rebound.example", "192.168.1.20", "0.0.0.0"


def test_a_page_from_elsewhere_whose_name_leads_here_gets_no_session(plain_server):
    port, _ = plain_server
    own = "localhost", "LOCALHOST", "127.0.0.1", "[::1]"
    assert {host: _handshake(port, host) for host in own} == dict.fromkeys(own, 101)
    assert {host: _handshake(port, host) for host in FOREIGN} == dict.fromkeys(FOREIGN, 403)
    assert _handshake(port, "localhost", "http://rebound.example") == 403


def test_a_classroom_is_served_under_the_name_that_the_readme_says(serve):
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if "--server.address" in line)
    port = urlsplit(serve(APP, options=shlex.split(line)[3:], seconds=120).url).port
    assert [_handshake(port, host) for host in ("192.168.1.20", "localhost", "rebound.example")] == [101, 101, 403]


def _outer_address() -> str | None:
    """Return an address of this machine that others could reach; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address
