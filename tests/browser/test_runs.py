"""The page Runs in a real browser: ticking, sorting, what users write, and both sizes and themes."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from explorer.store import runs
from explorer.store.runs import Run, Status
from explorer.training.config import TrainConfig
from tests.browser.marks import asked, becomes, settled

pytestmark = pytest.mark.browser

NASTY = "<img src=x onerror=alert(1)> *b* ![l](http://evil.example/x.png)"
ROW, HEAD = 33, 34


def made(name: str, accuracy: float, batch_size: int) -> Run:
    """Make a finished run of three epochs."""
    run = runs.create(TrainConfig(epochs=3, batch_size=batch_size).model_dump(mode="json"), name)
    curve = (accuracy - 0.1, accuracy - 0.05, accuracy)
    for epoch, value in enumerate(curve, start=1):
        figures = {"train_loss": 0.5, "train_accuracy": value, "validation_loss": 0.6, "validation_accuracy": value}
        run.append_history({"kind": "epoch", "epoch": epoch} | figures)
    best = {"best_epoch": 3, "best_accuracy": accuracy, "curve": curve}
    run.write_status(Status(state="finished", epoch=3, epochs=3, seconds=75.0, **best))
    return run


@pytest.fixture(scope="module")
def started(launch: Callable[..., Any]) -> Iterator[Any]:
    """The application with a home of three runs, best first by name, newest first by id."""
    found = {}

    def fill() -> None:
        for number, (name, accuracy) in enumerate((("middle", 0.8), ("worst", 0.7), ("best", 0.9))):
            run = made(name, accuracy, 16 + number)
            renamed = run.path.with_name(f"20260101-00000{number}-abcdef")
            run.path.rename(renamed)
            found[name] = Run(renamed.name, renamed)

    server = launch(fill)
    server.runs = found
    yield server
    server.stop()


def ready(page: Any) -> None:
    """Wait until the page has its title and nothing on it is still being computed."""
    page.get_by_role("heading", name="Runs", exact=True).wait_for(timeout=90_000)
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=90_000)
    settled(page)


def click(page: Any, row: int, x: float = 16) -> None:
    """Click a line of the table at its tick (or elsewhere); line -1 is the header."""
    y = HEAD / 2 if row < 0 else HEAD + ROW * (row + 0.5)
    page.get_by_test_id("stDataFrame").first.click(position={"x": x, "y": y})


def chosen(page: Any) -> list[str]:
    """Return the ids in the address."""
    return re.split(r"%2C|,", asked(page, "chosen") or "") if asked(page, "chosen") else []


def await_chosen(page: Any, ids: list[str]) -> None:
    """Wait until these runs are chosen, and stay so."""
    becomes(page, lambda: chosen(page), lambda found: found == ids)
    settled(page)
    assert chosen(page) == ids


def test_a_tick_chooses_the_run_of_its_line_also_in_a_sorted_table(started, visit):
    page = visit(f"{started.url}/runs")
    ready(page)
    click(page, 1)
    await_chosen(page, [started.runs["worst"].id])
    page.get_by_role("button", name="Choose none").click()
    await_chosen(page, [])
    click(page, -1, x=330)  # by validation accuracy, the lowest first
    click(page, 2)
    await_chosen(page, [started.runs["best"].id])
    click(page, 0)
    await_chosen(page, [started.runs["best"].id, started.runs["worst"].id])
    page.get_by_text("20.0 points more").wait_for()


def test_filters_that_let_nothing_pass_can_be_taken_off(started, visit):
    page = visit(f"{started.url}/runs")
    ready(page)
    page.get_by_label("Find", exact=True).fill("no such run")
    page.keyboard.press("Enter")
    page.get_by_text("No run passes the filters").wait_for()
    page.get_by_role("button", name="Show all runs").click()
    page.get_by_text("3 runs. Tick").wait_for()
    page.wait_for_function("() => !location.search.includes('runs-find')")


def test_a_new_run_moves_the_lines_but_not_the_choice(started, visit):
    page = visit(f"{started.url}/runs?chosen={started.runs['middle'].id}")
    ready(page)
    page.get_by_text("after 3 epochs").wait_for()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_HOME", str(started.home))
        new = made("new", 0.6, 9)
        new.write_status(new.status.model_copy(update={"state": "queued"}))
        try:
            page.reload()
            ready(page)
            assert chosen(page) == [started.runs["middle"].id]
            page.wait_for_timeout(5000)  # the table is renewed meanwhile
            assert chosen(page) == [started.runs["middle"].id]
            click(page, 2)  # behind the one in the address, which stands first, and the new one
            await_chosen(page, [started.runs["middle"].id, started.runs["best"].id])
            click(page, 2)
            await_chosen(page, [started.runs["middle"].id])
        finally:
            new.path.rename(started.home / "gone")
    page.get_by_text("3 runs, 1 chosen.").wait_for()


def test_what_a_user_writes_is_text_everywhere(started, visit):
    run = started.runs["middle"]
    page = visit(f"{started.url}/runs?chosen={run.id}")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    foreign: list[str] = []
    page.on("request", lambda request: "evil" in request.url and foreign.append(request.url))
    ready(page)
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Name", exact=True).fill(NASTY)
    page.get_by_label("Note", exact=True).fill("=1+1\n" + NASTY)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is saved").wait_for()
    assert json.loads((run.path / "config.json").read_text())["name"] == NASTY
    page.keyboard.press("Escape")
    ids = ",".join(one.id for one in started.runs.values())
    for section, parameter in (("Details", run.id), ("Curves", ids), ("Settings", ids), ("Size and accuracy", ids)):
        page.goto(f"{started.url}/runs?chosen={parameter}&runs-show={section.replace(' ', '%20')}")
        ready(page)
        assert page.get_by_test_id("stException").count() == 0
        assert page.locator("[data-testid=stMain] img[src=x], [data-testid=stMain] img[src*=evil]").count() == 0
    assert dialogs == []
    assert foreign == []
