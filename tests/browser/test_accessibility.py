"""What axe-core says of the pages."""

import pytest

from tests.browser.marks import settled

pytestmark = pytest.mark.browser

MODEL = "checkpoint=fashion-mnist-mlp"
SERIOUS = {"serious", "critical"}
PLACES = [
    "evaluate?{}&cell=6-0",
    "explain?{}&image=23",
    "inside?{}&inside=units",
    "draw?{}&image=6",
    "draw?{}&image=6&part=glass-box",
    "draw?{}&image=6&part=target&meant=Coat",
    "draw?{}&image=6&part=challenges",
    "draw?{}&image=6&part=collect",
]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_nothing_serious_is_found(application, visit, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("about:blank", viewport={"width": width, "height": 800}, color_scheme=scheme)
    found = []
    for place in PLACES:
        page.goto(f"{application.url}/{place.format(MODEL)}")
        page.locator("h1").first.wait_for(timeout=90_000)
        settled(page)
        violations = Axe().run(page).response["violations"]
        found += [(place, one["id"], one["nodes"][0]["html"]) for one in violations if one["impact"] in SERIOUS]
    assert found == []
