"""Two models side by side in a real browser: clicks, keys, the way back, and a picture to take away."""

import io
from pathlib import Path

import pytest
from PIL import Image

from explorer.ui.kit import theme
from tests.browser.marks import settled

pytestmark = pytest.mark.browser


def test_from_a_cell_to_its_images_and_back(application, visit):
    run_id = application.run_id
    link = f"{application.url}/evaluate?checkpoint={run_id}&with={run_id}&with-epoch=1&section=Two+models"
    page = visit(link, color_scheme="dark")
    cells = page.locator("[class*=st-key-figure-difference-matrix] svg .targets_marks path")
    cells.nth(60).wait_for(timeout=90_000)
    cells.nth(60).click()
    page.get_by_text("Shirt called T-shirt/top by only one: ").wait_for()
    page.wait_for_url("**behind=60**")
    button = page.get_by_role("button", name="only A right")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Only A right: ").wait_for()
    page.wait_for_function("() => location.search.includes('behind=only_a')")
    page.go_back()
    page.get_by_text("Shirt called T-shirt/top by only one: ").wait_for()
    settled(page)
    for _ in range(2):  # a cell that was clicked before can be clicked again
        page.get_by_text("Difference of the matrices").click()
        page.wait_for_function("() => !location.search.includes('compare=')")
        cells.nth(60).click()
        page.wait_for_function("() => location.search.includes('compare=images')")
        page.get_by_text("Shirt called T-shirt/top by only one: ").wait_for()
        settled(page)
    page.get_by_text("Difference of the matrices").click()
    cells.nth(60).wait_for()
    page.get_by_role("button", name="Save").click()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Picture as PNG").click()
    picture = Image.open(io.BytesIO(Path(taken.value.path()).read_bytes()))
    assert picture.format == "PNG"
    ground = "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel((2, 2)))
    assert ground == theme.colour("backgroundColor", "dark")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
