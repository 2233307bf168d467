"""The form of a new run in a real browser: links, the Back button, presets, and a small screen."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from explorer.training.queue import supervisor
from tests.browser.marks import becomes, settled

pytestmark = pytest.mark.browser

OPTIONS = {"features": [4, 8], "kernel": 3, "dense": 32}
CONFIG = {"model": "lenet", "options": OPTIONS, "optimizer": "momentum", "momentum": 0.5, "batch_size": 128}


@pytest.fixture(scope="module")
def started(launch: Callable[..., Any]) -> Iterator[Any]:
    """The application with an empty home, and nobody who takes runs from the queue."""
    with ExitStack() as stack:
        server = launch(lambda: stack.enter_context(supervisor._lock()))
        yield server
        server.stop()


def address(server: Any, dataset: str = "mnist", /, **config: Any) -> str:
    return f"{server.url}/train?{urlencode({'dataset': dataset, 'config': json.dumps(config)})}"


def ready(page: Any) -> None:
    """Wait until the form is there and what it amounts to has been computed."""
    page.get_by_test_id("stMain").get_by_text(" an epoch.").wait_for(timeout=120_000)
    settled(page)


def number(page: Any, label: str) -> Any:
    return page.get_by_role("spinbutton", name=label, exact=True)


def settle(page: Any, config: dict[str, Any]) -> None:
    """Wait until the URL holds this configuration."""
    page.wait_for_url(lambda url: in_url(url) == config, timeout=60_000)


def in_url(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parse_qs(urlsplit(url).query).get("config", ["{}"])[0])
    return found


def runs(server: Any) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(server.home.glob("runs/*/config.json"))]


def test_a_link_is_shown_followed_and_kept(started, visit):
    from playwright.sync_api import expect

    page = visit(address(started, **CONFIG))
    ready(page)
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("LeNet-like")
    expect(page.get_by_role("combobox", name="Data set", exact=True)).to_have_value("MNIST")
    expect(number(page, "Momentum")).to_have_value("0.5")
    assert in_url(page.url) == CONFIG
    assert runs(started) == []

    number(page, "Learning rate").fill("0.05")
    number(page, "Learning rate").press("Enter")
    settle(page, CONFIG | {"learning_rate": 0.05})
    number(page, "Epochs").fill("3")
    number(page, "Epochs").press("Enter")
    settle(page, CONFIG | {"learning_rate": 0.05, "epochs": 3})

    page.reload()
    ready(page)
    expect(number(page, "Learning rate")).to_have_value("0.05")
    expect(number(page, "Epochs")).to_have_value("3")
    settle(page, CONFIG | {"learning_rate": 0.05, "epochs": 3})

    page.go_back()
    expect(number(page, "Epochs")).to_have_value("10")
    expect(number(page, "Learning rate")).to_have_value("0.05")
    page.go_back()
    expect(number(page, "Learning rate")).to_have_value("0.001")
    expect(number(page, "Momentum")).to_have_value("0.5")
    settle(page, CONFIG)
    assert page.get_by_test_id("stException").count() == 0
    assert [error for error in visit.errors if "404" not in error] == []


def choose(page: Any, title: str) -> None:
    """Fill in a preset of the coursework."""
    page.get_by_role("button", name="Presets, link and file").click()
    page.get_by_role("combobox", name="Preset", exact=True).click()
    page.keyboard.type(title)
    page.get_by_role("option", name=title).click()
    page.get_by_test_id("stPopoverBody").get_by_text("is filled in").wait_for()


def test_a_preset_brings_its_data_set_and_a_link(started, visit):
    from playwright.sync_api import expect

    page = visit(address(started, epochs=3))
    ready(page)
    choose(page, "CNN: batch norm, then dropout")
    expect(page.get_by_role("combobox", name="Data set", exact=True)).to_have_value("Fashion-MNIST")
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value("Small CNN")
    becomes(page, lambda: in_url(page.url), lambda found: found["options"] == {"after_first": "batch-norm-dropout"})
    shown = page.get_by_test_id("stCode").inner_text
    link = becomes(page, shown, lambda text: in_url(text.strip()) == in_url(page.url))
    assert link.startswith(f"{started.url}/train?config=")


def test_a_preset_is_one_step_of_the_history(started, visit):
    from playwright.sync_api import expect

    page = visit(address(started, "fashion-mnist", epochs=3))
    ready(page)
    settle(page, {"epochs": 3})
    choose(page, "Depth: 3 layers of 83")
    settle(page, {"options": {"hidden": [83] * 3}})
    expect(number(page, "Epochs")).to_have_value("10")
    page.go_back()
    expect(number(page, "Epochs")).to_have_value("3")
    settle(page, {"epochs": 3})


def test_a_number_typed_right_before_the_start_counts(started, visit):
    page = visit(address(started, subset=50, epochs=1))
    ready(page)
    number(page, "Learning rate").fill("0.125")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Waiting").first.wait_for()
    (run,) = runs(started)
    assert (run["config"]["learning_rate"], run["config"]["subset"]) == (0.125, 50)
    settle(page, {"learning_rate": 0.125, "epochs": 1, "subset": 50})


def test_nothing_is_wider_than_a_small_screen(started, visit):
    page = visit(address(started, **CONFIG), viewport={"width": 390, "height": 844}, color_scheme="dark")
    ready(page)
    for title in ("Model options", "Batches, schedule and loss", "When to stop", "More"):
        page.get_by_text(title, exact=True).click()
    number(page, "Batch size").wait_for()
    assert page.get_by_test_id("stMain").evaluate(WIDTHS)
    page.get_by_test_id("stMain").evaluate("part => part.scrollTo(0, 0)")
    start = page.get_by_role("button", name="Start training")
    becomes(page, start.bounding_box, lambda box: 0 <= box["y"] <= 844 - box["height"])  # in reach
    page.get_by_role("button", name="Presets, link and file").click()
    page.get_by_role("button", name="Configuration as JSON").wait_for()
    assert page.get_by_test_id("stPopoverBody").evaluate(WIDTHS)
    left, right = page.get_by_test_id("stPopoverBody").evaluate(EDGES)
    assert 0 <= left < right <= 390


WIDTHS = "part => part.scrollWidth <= part.clientWidth"
EDGES = "part => { const box = part.getBoundingClientRect(); return [box.left, box.right]; }"
