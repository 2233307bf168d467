"""What must hold of every page and section, at two sizes and in both themes: no error, nothing cut, nothing barred."""

import pytest

from tests.browser.marks import settled

pytestmark = pytest.mark.browser

MODEL = "checkpoint=fashion-mnist-mlp"
SERIOUS = {"serious", "critical"}
PLACES = [
    "?{model}",
    "train?{model}",
    "runs?{model}",
    "runs?chosen={run}",
    "runs?runs-view=Bin",
    "duel?{model}",
    "evaluate?{model}&cell=6-0",
    "evaluate?{model}&section=ROC+and+precision-recall&class=Shirt&threshold=0.3&curve=precision-recall&corner=True",
    "evaluate?{model}&section=Mistakes",
    "explain?{model}&image=23&beside=0~1",
    "explain?{model}&image=23&show=fooling",
    "inside?{model}&inside=activations",
    "inside?{model}&inside=units",
    "inside?{model}&inside=output",
    "inside?{model}&inside=ablate&off=3",
    "draw?{model}&image=6",
    "draw?{model}&image=6&part=glass-box",
    "draw?{model}&image=6&part=target&meant=Coat",
    "draw?{model}&image=6&part=challenges",
    "draw?{model}&image=6&part=collect",
]
AXE = {"resultTypes": ["violations"], "rules": {"label-content-name-mismatch": {"enabled": True}}}
SIZES = "part => [part.scrollWidth, part.clientWidth]"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_it_shows_without_errors_or_sideways_scrolling_and_axe_finds_nothing_serious(application, visit, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit("about:blank", viewport={"width": width, "height": 800}, color_scheme=scheme)
    foreign, found = [], []
    page.on("request", lambda request: foreign.append(request.url) if not _own(request.url, application.url) else None)
    for place in PLACES:
        page.goto(f"{application.url}/{place.format(model=MODEL, run=application.run_id)}")
        page.locator("h1").first.wait_for(timeout=90_000)
        settled(page)
        wrong = [name for name in ("stException", "stAlertContentError") if page.get_by_test_id(name).count()]
        scrolled, seen = page.get_by_test_id("stMain").evaluate(SIZES)
        wrong += ["sideways"] if scrolled > seen else []
        violations = Axe().run(page, options=AXE).response["violations"]
        wrong += [
            (one["id"], one["nodes"][0]["html"])
            for one in violations
            if one["impact"] in SERIOUS or one["id"] == "heading-order"
        ]
        found += [(place, one) for one in wrong]
    assert found == []
    assert foreign == []
    assert [error for error in visit.errors if "404" not in error] == []
    assert "Traceback" not in application.output()


def _own(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws"), "data:", "blob:", "about:"))
