"""A real training, watched and steered in two tabs of a real browser."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.queue import steering
from explorer.ui.kit import training_form
from tests.browser.marks import CHARTS_KEPT, watch_charts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CONFIG = {"model": "lenet", "options": {"features": [4, 8], "dense": 32}, "subset": 320, "batch_size": 8}
PATIENCE = 120_000
"""Milliseconds: the machine may be busy."""


@pytest.fixture(scope="module")
def started(launch: Callable[..., Any], supervise: Callable[[Path], None]) -> Iterator[Any]:
    """The application, and a supervisor that ends with the tests."""
    server = launch()
    supervise(server.home)
    yield server
    server.stop()
    for path in (server.home / "runs").glob("*"):
        runs.Run(path.name, path).request_stop()  # a worker outlives its supervisor


@pytest.fixture(autouse=True)
def at_home(started: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at the same runs as the application does, and leave none behind that is still computed."""
    monkeypatch.setenv("EXPLORER_HOME", str(started.home))
    yield
    for run in runs.list_runs():
        if run.status.state in runs.ACTIVE:
            steering.discard(run)


def begin(started: Any, visit: Any, **settings: Any) -> tuple[Any, runs.Run]:
    """Open the page with a configuration, press Start, and return the page and its run."""
    config = TrainConfig(**CONFIG | settings)
    before = {run.id for run in runs.list_runs()}
    page = opened(visit, f"{started.url}/train?{urlencode(training_form.parameters(config))}")
    page.get_by_role("button", name="Start training").click()
    until(lambda: {run.id for run in runs.list_runs()} > before)
    (run,) = [run for run in runs.list_runs() if run.id not in before]
    page.wait_for_url(f"**run={run.id}**")
    progress(page).wait_for()
    return page, run


def opened(visit: Any, url: str) -> Any:
    """Open a page without haste."""
    page = visit("about:blank")
    page.set_default_timeout(PATIENCE)
    page.goto(url, wait_until="commit")
    return page


def progress(page: Any) -> Any:
    return page.get_by_test_id("stProgress")


def standing(page: Any, word: str) -> Any:
    """Return the word that says where the run stands; the sign before it has text of its own."""
    return progress(page).get_by_text(word, exact=True)


def charts(page: Any) -> Any:
    return page.locator("[data-testid=stVegaLiteChart]")


def press(page: Any, key: str) -> None:
    page.locator(f".st-key-{key}").get_by_role("button").click()


def choose(page: Any, view: str) -> None:
    page.locator(".st-key-watch-view").get_by_text(view, exact=True).click()


def until(what: Callable[[], bool], seconds: float = PATIENCE / 1000) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def errors(visit: Any) -> list[str]:
    return [error for error in visit.errors if "404" not in error]


def test_a_run_is_watched_and_steered_in_two_tabs(started, visit):
    first, run = begin(started, visit, epochs=400)
    charts(first).nth(1).locator("svg").wait_for()
    second = opened(visit, f"{started.url}/train?run={run.id}")
    standing(second, "Training").wait_for()
    until(lambda: run.status.epoch >= 1)

    # Epoch after epoch, the same elements in the same places.
    charts(first).nth(1).locator(".mark-symbol path").nth(3).wait_for()
    watch_charts(first)
    epoch = run.status.epoch
    until(lambda: run.status.epoch >= epoch + 3 and first.evaluate("() => window.watched.ticks") > 5)
    assert first.evaluate(CHARTS_KEPT)
    assert len(set(first.evaluate("() => window.watched.places"))) == 1
    assert charts(first).nth(0).locator(".mark-line path").first.get_attribute("d").count("L") > 2

    # What comes with an epoch.
    first.locator("[data-testid=stHtml] img").nth(11).wait_for()
    until(lambda: first.locator("[data-testid=stHtml] img").count() == 12)
    choose(first, "Confusion matrix")
    charts(first).nth(2).locator(".mark-text.role-mark text").nth(99).wait_for()
    until(lambda: _sum(first) == 6000)
    choose(first, "Filters")
    first.get_by_text("First layer: 4 kernels").wait_for()
    until(lambda: first.locator("[data-testid=stHtml] img").count() == 4)

    # Pause here, seen there; resume there, seen here.
    press(first, "watch-pause")
    until(lambda: run.status.state == "stopped")
    standing(second, "Paused").wait_for()
    standing(first, "Paused").wait_for()
    paused = run.status.epoch, run.status.step

    # Another learning rate: noted here, seen there, in force from the epoch that is named.
    first.get_by_role("button", name="Learning rate").last.click()
    box = first.get_by_role("spinbutton", name="From epoch")
    until(lambda: box.input_value() == "0.001")
    box.fill("0.0003")
    box.press("Enter")
    press(first, "watch-rate-change")
    second.get_by_text("0.0003 from epoch").wait_for()
    first.keyboard.press("Escape")
    press(second, "watch-resume")
    standing(first, "Training").wait_for()
    until(lambda: (run.status.epoch, run.status.step) > paused)
    second.get_by_text("Learning rate 0.0003").wait_for()
    changes = [event for event in run.events() if event["kind"] == "learning_rate"]
    assert [(event["epoch"], event["value"]) for event in changes] == [(_next(paused), 0.0003)]

    # Stop and keep.
    press(second, "watch-finish")
    progress(first).get_by_text("you ended it").wait_for()
    progress(second).get_by_text("you ended it").wait_for()
    assert (run.status.state, run.status.reason) == ("finished", "user")
    first.locator(".st-key-to-evaluate").get_by_role("button").wait_for()
    assert errors(visit) == []
    assert first.get_by_test_id("stException").count() == 0


def _next(paused: tuple[int, int]) -> int:
    """Return the first epoch that had not begun when a run stood still."""
    epoch, step = paused
    return epoch + (2 if step else 1)


def _sum(page: Any) -> int:
    texts = charts(page).nth(2).locator(".mark-text.role-mark text").all_text_contents()
    return sum(int(text.replace(",", "")) for text in texts)


def test_a_button_leads_from_the_finished_run_to_its_evaluation(started, visit):
    page, run = begin(started, visit, epochs=1)
    standing(page, "Finished").wait_for()
    press(page, "to-evaluate")
    page.get_by_role("heading", name="Evaluate", exact=True).wait_for()
    page.wait_for_url(f"**checkpoint={run.id}**")
    assert errors(visit) == []


def test_a_run_that_is_discarded_in_one_tab_is_gone_in_the_other(started, visit):
    first, run = begin(started, visit, epochs=400)
    second = opened(visit, f"{started.url}/train?run={run.id}")
    standing(second, "Training").wait_for()
    first.get_by_role("button", name="Discard").click()
    first.get_by_text("goes to the bin").wait_for()
    press(first, "watch-discard")
    first.get_by_text("The run lies in the bin").wait_for()
    second.get_by_text("This run is no longer here").wait_for()
    until(lambda: run.id not in {one.id for one in runs.list_runs()})
    press(second, "watch-newest")
    second.get_by_text("This run is no longer here").wait_for(state="detached")
    for page in (first, second):
        assert page.get_by_test_id("stException").count() == 0
    assert errors(visit) == []
