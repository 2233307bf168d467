"""The page Inside in a real browser: a mark of the map is clicked, t-SNE runs, a unit is switched off."""

import pytest

from tests.browser.marks import becomes, settled

pytestmark = pytest.mark.browser

MODEL = "checkpoint=fashion-mnist-mlp"
MARKS = ".st-key-figure-embedding g.mark-symbol.images_marks path"


def test_a_mark_of_the_map_leads_to_its_image_and_units_can_be_switched_off(application, visit):
    page = visit(f"{application.url}/inside?{MODEL}&inside=map&map-images=250")
    page.locator(MARKS).first.wait_for(state="attached", timeout=90_000)
    settled(page)
    becomes(page, page.locator(MARKS).count, lambda count: count == 250)
    page.locator(MARKS).last.dispatch_event("click")
    page.get_by_text("Open in Evaluate").wait_for()
    row = page.get_by_text("Open in Evaluate").locator("xpath=ancestor::a").get_attribute("href").split("image=")[1]
    assert row.split("&")[0].isdigit()

    page.get_by_text("t-SNE", exact=True).first.click()
    page.get_by_role("button", name="Compute the map").click()
    page.get_by_text("Only who is next to whom").wait_for(timeout=90_000)
    becomes(page, page.locator(MARKS).count, lambda count: count == 250)

    page.get_by_text("Ablate", exact=True).first.click()
    page.get_by_role("combobox", name="Switch off units, 0 to 511").click()
    page.keyboard.type("17")
    page.keyboard.press("Enter")
    page.get_by_text("Recall without units 0, 17").wait_for()
    page.wait_for_url("**off=0%2C17*")
    assert [error for error in visit.errors if "404" not in error] == []
