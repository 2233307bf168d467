"""The point on a ROC curve in a real browser: dragged with the mouse, moved with the keyboard."""

from typing import Any

import pytest

from tests.browser.marks import becomes, box_of, settled

pytestmark = pytest.mark.browser

QUERY = "checkpoint=fashion-mnist-mlp&section=ROC+and+precision-recall&class=Shirt"
FIGURE = ".st-key-figure-roc-curves"
SERVERS, DRAGGED = f"{FIGURE} g.layer_2_marks path", f"{FIGURE} g.layer_3_marks path"


def ready(page: Any) -> None:
    page.locator(f"{FIGURE} g.mark-line").first.wait_for(state="attached", timeout=90_000)
    settled(page)


def middle(page: Any, marks: str) -> tuple[float, float]:
    box = box_of(page, page.locator(marks).first)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def says(page: Any) -> str:
    return str(page.get_by_text("images of Shirt are found").first.inner_text())


def test_the_point_is_dragged_along_its_curve_and_slider_table_and_address_follow(application, visit):
    page = visit(f"{application.url}/evaluate?{QUERY}", viewport={"width": 1280, "height": 1000})
    ready(page)
    before, (x, y) = says(page), middle(page, SERVERS)
    assert before.startswith("From 0.50 on")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=6)
    near = becomes(page, lambda: middle(page, DRAGGED), lambda at: abs(at[0] - x) + abs(at[1] - y) > 20)
    assert says(page) == before
    page.mouse.up()
    page.wait_for_url("**threshold=0.*")
    page.get_by_text("now called Shirt").wait_for()
    settled(page)
    becomes(page, page.locator(DRAGGED).count, lambda count: count == 0)
    assert middle(page, SERVERS) == pytest.approx(near, abs=1.5), "where it was let go, to the pixel"
    assert page.evaluate("getSelection().toString()") == ""
    slider = page.get_by_role("slider", name="Threshold for Shirt")
    value = slider.get_attribute("aria-valuetext")
    assert says(page).startswith(f"From {value} on")

    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("no longer called Shirt").wait_for()
    settled(page)
    slider.press("ArrowRight")
    settled(page)
    reached = slider.get_attribute("aria-valuetext")  # the place that was dragged to is a stop between two others
    assert float(reached) > float(value)
    becomes(page, lambda: says(page), lambda said: said.startswith(f"From {reached} on"))
    becomes(page, lambda: middle(page, SERVERS), lambda at: at != pytest.approx(near, abs=0.01))
    assert [error for error in visit.errors if "404" not in error] == []
