"""One journey on the page Draw in a real browser: draw, bring nearer, undo, keep, play, and find it again."""

import pytest

from tests.pages import samples

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def application(launch):
    """A home of its own: drawings are collected in it."""
    server = launch(samples.fill)
    yield server
    server.stop()


def stroke(page, *points):
    surface = page.locator(".stage canvas")
    surface.wait_for()
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    (x, y), *others = points
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=6)
    page.mouse.up()


def press(page, key):
    page.locator(f".st-key-{key} button").first.click()


def section(page, name):
    page.get_by_role("radio", name=name, exact=True).click()


def test_a_drawing_is_judged_changed_kept_and_played_with(application, visit):
    from playwright.sync_api import expect

    page = visit(f"{application.url}/draw?checkpoint=small&meant=Bag")
    verdict = page.get_by_text("The model says").first
    stroke(page, (80, 100), (200, 100), (200, 220), (80, 220), (80, 100))
    expect(verdict).to_contain_text("You meant Bag")
    expect(page.get_by_text("means.").first).to_be_visible(timeout=40_000)

    section(page, "Target")
    press(page, "step-many")
    expect(verdict).to_contain_text("That is what you meant")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(verdict).to_contain_text("You meant Bag")

    section(page, "Collect")
    press(page, "collect-keep")
    expect(page.get_by_text("Kept as Bag")).to_be_visible()
    expect(page.locator(".tiles li")).to_have_count(1)

    section(page, "Challenges")
    press(page, "challenge-start")
    expect(page.get_by_text("seconds left")).to_be_visible()
    expect(page.get_by_text("The canvas is empty").first).to_be_visible()
    stroke(page, (80, 60), (200, 60), (200, 240), (80, 240))
    expect(verdict).to_be_visible()
    press(page, "challenge-done")
    expect(page.get_by_text("points.").first).to_be_visible()

    page.reload()
    expect(verdict).to_be_visible()
    expect(page.get_by_role("radio", name="Challenges", exact=True)).to_be_checked()
    assert page.get_by_test_id("stException").count() == 0
    assert [error for error in visit.errors if "404" not in error] == []
    assert "Traceback" not in application.output()


def test_a_picture_of_the_camera_is_put_on_the_canvas(application, visit):
    from playwright.sync_api import expect

    page = visit(f"{application.url}/draw?checkpoint=small", permissions=["camera"])
    expect(page.get_by_text("The canvas is empty").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Start from").click()
    page.get_by_role("radio", name="The camera", exact=True).click()
    take = page.get_by_role("button", name="Take Photo")
    expect(take).to_be_enabled(timeout=40_000)
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    take.click()
    expect(page.get_by_text("The camera's picture")).to_be_visible()
    expect(page.get_by_text("The model says").first).to_be_visible()
    section(page, "Glass box")
    expect(page.get_by_text("Grey", exact=False).first).to_be_visible()
    assert [error for error in visit.errors if "404" not in error] == []
    assert "Traceback" not in application.output()
