"""A real duel in a real browser: filled in, fought, steered and judged."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from explorer.experiments import duels
from explorer.store import runs
from explorer.training.config import TrainConfig
from explorer.training.queue import requests, steering
from explorer.ui.experiments import progress
from tests.browser.marks import CHARTS_KEPT, becomes, settled, watch_charts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SMALL = TrainConfig.parse({"options": {"hidden": [16]}, "subset": 500, "epochs": 2, "learning_rate": 0.01})
NAME = "small one"
PATIENCE = 120_000
"""Milliseconds: the machine may be busy."""


@pytest.fixture(scope="module")
def started(launch: Callable[..., Any], supervise: Callable[[Path], None]) -> Iterator[Any]:
    """The application with a run to take the settings of, and a supervisor that ends with the tests."""
    server = launch(lambda: requests.stop(runs.create(SMALL.model_dump(mode="json"), NAME)))
    supervise(server.home)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def at_home(started: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look at the same duels as the application does, and leave none behind that is still computed."""
    monkeypatch.setenv("EXPLORER_HOME", str(started.home))
    yield
    for run in runs.list_runs():
        if run.status.state in runs.ACTIVE:
            steering.discard(run)


def opened(visit: Any, url: str, **options: Any) -> Any:
    page = visit("about:blank", **options)
    page.set_default_timeout(PATIENCE)
    page.goto(url, wait_until="commit")
    page.get_by_role("heading", name="Duel", exact=True).wait_for()
    return page


def until(what: Callable[[], bool], seconds: float = PATIENCE / 1000) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def press(page: Any, key: str) -> None:
    page.locator(f".st-key-{key}").get_by_role("button").click()


def errors(visit: Any) -> list[str]:
    return [error for error in visit.errors if "404" not in error]


def states(duel: duels.Duel) -> set[str]:
    return {run.status.state for side in duels.SIDES for run in duel.side(side)}


def test_a_duel_is_filled_in_fought_and_judged(started, visit):
    page = opened(visit, f"{started.url}/duel")
    page.get_by_text("A duel compares two values of one setting").wait_for()
    page.get_by_role("button", name="Fill in from").click()
    page.locator(".st-key-duel-run").get_by_role("combobox").click()
    page.get_by_role("option").filter(has_text=NAME).click()
    page.get_by_text(f"The settings of {NAME} are filled in").wait_for()
    page.keyboard.press("Escape")
    slider = page.locator(".st-key-duel-seeds").get_by_role("slider")
    for seeds in (4, 3, 2):
        slider.press("ArrowLeft")
        page.get_by_text(f"The {seeds} seeds are computed at once").wait_for()
    press(page, "duel-start")
    page.wait_for_url("**duel=duel-*")
    page.locator("[data-testid=stDataFrame]").wait_for()
    (duel,) = duels.list_duels()
    assert states(duel) == {"finished"}
    assert duel.side("a")[0].config == SMALL.model_dump(mode="json")
    found = duels.difference(duel)
    assert found.n == 2
    said = page.get_by_test_id("stAlert").inner_text()
    figures = [float(text) for text in re.findall(r"\d+\.\d\d", said)]
    assert min(abs(figure - 100 * abs(found.mean)) for figure in figures) < 0.0101  # that of the two means shown
    assert all(progress.points(abs(end), "") in said for end in (found.low, found.high))
    assert ("is better by" in said) == found.is_distinguishable
    page.wait_for_function("() => document.querySelectorAll('[data-testid=stVegaLiteChart] svg').length === 3")
    becomes(page, page.get_by_test_id("stProgress").count, lambda count: count == 0)
    assert errors(visit) == []


def test_a_running_duel_changes_in_place_and_is_steered(started, visit):
    config = SMALL.model_copy(update={"epochs": 400, "batch_size": 4})
    duel = duels.start(config, "optimizer", "sgd", 2)
    page = opened(visit, f"{started.url}/duel?duel={duel.id}")
    page.wait_for_function("() => document.querySelectorAll('[data-testid=stVegaLiteChart] svg').length === 2")
    until(lambda: all(run.status.epoch >= 1 for side in duels.SIDES for run in duel.side(side)))
    page.get_by_test_id("stProgress").first.get_by_text("best accuracy").wait_for()
    settled(page)
    page.wait_for_timeout(1500)  # the charts are drawn a little later
    watch_charts(page)
    page.wait_for_function("() => window.watched.ticks >= 4")
    assert page.evaluate(CHARTS_KEPT)
    assert len(set(page.evaluate("() => window.watched.places"))) == 1
    press(page, "duel-pause")
    page.locator(".st-key-duel-resume").wait_for()
    assert states(duel) == {"stopped"}
    press(page, "duel-resume")
    page.locator(".st-key-duel-pause").wait_for()
    until(lambda: states(duel) == {"running"})
    page.locator(".st-key-duel-finish").get_by_role("button", disabled=False).click()
    page.locator("[data-testid=stDataFrame]").wait_for()
    assert states(duel) == {"finished"}
    assert errors(visit) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_shows_without_errors_and_without_sideways_scrolling(started, visit, width, scheme):
    page = opened(visit, f"{started.url}/duel", viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for()
    settled(page)
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stAlertContentError").count() == 0
    wide, room = page.get_by_test_id("stMain").evaluate("main => [main.scrollWidth, main.clientWidth]")
    assert wide <= room
    assert errors(visit) == []
