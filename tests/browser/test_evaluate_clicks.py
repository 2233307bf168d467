"""Clicks on the figures of Evaluate in a real browser: bars of pairs, bins, slices; the keyboard does the same."""

from typing import Any

import pytest

from tests.browser.marks import asked, becomes, box_of, settled

pytestmark = pytest.mark.browser

MODEL = "checkpoint=fashion-mnist-mlp"


def ready(page: Any) -> None:
    """Wait until the page has its chart and nothing on it is still being computed."""
    page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first.wait_for(timeout=90_000)
    settled(page)


def click(page: Any, x: float, y: float) -> None:
    """Click the chart at a share of its width and height."""
    chart = page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first
    box = box_of(page, chart)
    chart.click(position={"x": x * box["width"], "y": y * box["height"]})


def pair(page: Any) -> tuple[str | None, str | None]:
    """Return the classes of the pair that is asked for."""
    return asked(page, "mistake-true"), asked(page, "mistake-called")


def test_a_bar_filters_and_can_be_clicked_again_after_the_keyboard_chose_another(application, visit):
    page = visit(f"{application.url}/evaluate?{MODEL}&section=Mistakes")
    ready(page)
    click(page, 0.4, 0.3)
    first = becomes(page, lambda: pair(page), lambda found: None not in found)
    ready(page)
    page.get_by_role("combobox", name="True class", exact=False).first.click()
    page.keyboard.type("Bag")
    page.keyboard.press("Enter")
    becomes(page, lambda: asked(page, "mistake-true"), lambda found: found == "8")
    ready(page)
    click(page, 0.4, 0.3)
    becomes(page, lambda: pair(page), lambda found: found == first)
    page.get_by_text("Slices", exact=True).first.click()
    page.wait_for_url("**mistakes=**")
    ready(page)
    click(page, 0.4, 0.5)
    page.wait_for_url("**slice=**")
    assert [error for error in visit.errors if "404" not in error] == []


def test_a_bin_is_chosen_by_a_click_and_let_go_beside_it(application, visit):
    page = visit(f"{application.url}/evaluate?{MODEL}&section=Calibration")
    ready(page)
    click(page, 0.9, 0.4)
    page.wait_for_url("**bin=**")
    ready(page)
    click(page, 0.2, 0.3)
    page.wait_for_url(lambda url: "bin=" not in url)
    page.get_by_text("Rejection", exact=True).first.click()
    page.wait_for_url("**calibration=**")
    ready(page)
    click(page, 0.5, 0.4)
    becomes(page, lambda: int(asked(page, "keep") or 0), lambda keep: 20 < keep < 70)
    assert [error for error in visit.errors if "404" not in error] == []
