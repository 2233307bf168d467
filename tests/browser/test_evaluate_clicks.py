"""Clicks on the figures of Evaluate in a real browser: bars of pairs, bins, slices; the keyboard does the same."""

import re
from typing import Any

import pytest

from tests.browser.marks import READY

pytestmark = pytest.mark.browser

MODEL = "checkpoint=fashion-mnist-mlp"


def ready(page: Any) -> None:
    """Wait until the page has its chart and nothing on it is still being computed."""
    page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first.wait_for(timeout=90_000)
    page.wait_for_timeout(250)
    page.wait_for_function(READY, timeout=90_000)
    page.wait_for_timeout(250)


def click(page: Any, x: float, y: float) -> None:
    """Click the chart at a share of its width and height."""
    chart = page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first
    box = chart.bounding_box()
    chart.click(position={"x": x * box["width"], "y": y * box["height"]})
    page.wait_for_timeout(400)
    ready(page)


def asked(page: Any, name: str) -> str | None:
    """Return a parameter of the address."""
    found = re.search(rf"[?&]{name}=([^&]*)", page.url)
    return found[1] if found else None


def test_a_bar_filters_and_can_be_clicked_again_after_the_keyboard_chose_another(application, visit):
    page = visit(f"{application.url}/evaluate?{MODEL}&section=Mistakes")
    ready(page)
    click(page, 0.4, 0.3)
    first = asked(page, "mistake-true"), asked(page, "mistake-called")
    assert None not in first
    page.get_by_role("combobox", name="True class", exact=False).first.click()
    page.keyboard.type("Bag")
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    ready(page)
    assert asked(page, "mistake-true") == "8"
    click(page, 0.4, 0.3)
    assert (asked(page, "mistake-true"), asked(page, "mistake-called")) == first
    page.get_by_text("Slices", exact=True).first.click()
    page.wait_for_timeout(400)
    ready(page)
    click(page, 0.4, 0.5)
    assert asked(page, "slice") is not None
    assert [error for error in visit.errors if "404" not in error] == []


def test_a_bin_is_chosen_by_a_click_and_let_go_beside_it(application, visit):
    page = visit(f"{application.url}/evaluate?{MODEL}&section=Calibration")
    ready(page)
    click(page, 0.9, 0.4)
    assert asked(page, "bin") is not None
    click(page, 0.2, 0.3)
    assert asked(page, "bin") is None
    page.get_by_text("Rejection", exact=True).first.click()
    page.wait_for_timeout(400)
    ready(page)
    click(page, 0.5, 0.4)
    assert 20 < int(asked(page, "keep") or 0) < 70
    assert [error for error in visit.errors if "404" not in error] == []
