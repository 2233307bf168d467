"""The page Explain in a real browser: a map is enlarged, the lie detector answers, epsilon moves the picture."""

from typing import Any

import pytest

from tests.browser.marks import becomes

pytestmark = pytest.mark.browser

QUERY = "checkpoint=fashion-mnist-mlp&image=23"


def sideways(page: Any) -> bool:
    wide, room = page.get_by_test_id("stMain").evaluate("main => [main.scrollWidth, main.clientWidth]")
    return bool(wide > room)


def test_from_a_map_to_the_lie_detector_to_a_fooled_model(application, visit):
    page = visit(f"{application.url}/explain?{QUERY}&beside=0&methods=input-gradient~integrated-gradients")
    page.set_default_timeout(60_000)
    maps = page.locator("button.tile")
    maps.nth(3).wait_for()
    becomes(page, maps.count, lambda count: count == 4)
    maps.nth(2).click()
    dialog = page.get_by_role("dialog")
    dialog.locator("canvas, svg.marks").first.wait_for()
    dialog.get_by_text("completeness error").first.wait_for()
    dialog.get_by_role("button", name="Close").click()

    page.get_by_role("radio", name="Lie detector").or_(page.get_by_role("button", name="Lie detector")).first.click()
    start = page.locator("button:enabled", has_text="Examine this map")
    verdict = page.get_by_text("The map while the network forgets")
    start.or_(verdict).first.wait_for()
    if start.count():
        start.click()
    verdict.wait_for()
    page.get_by_text("rank correlation").first.wait_for()

    page.get_by_role("radio", name="Fooling").or_(page.get_by_role("button", name="Fooling")).first.click()
    page.get_by_text("The smallest change found").wait_for()
    result = page.get_by_alt_text("Result: ")
    before = result.get_attribute("src")
    slider = page.get_by_role("slider", name="Epsilon, in grey levels")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**epsilon=17**")
    becomes(page, lambda: result.get_attribute("src"), lambda now: now != before)
    assert [error for error in visit.errors if "404" not in error] == []
