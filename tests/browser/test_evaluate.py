"""The page Evaluate in a real browser: from a cell of the matrix to its images, to one of them, and back."""

import re
from typing import Any

import numpy as np
import pytest

from explorer.data.splits import load_split
from explorer.store.checkpoints import load_checkpoint
from tests.browser.marks import NASTY, becomes, box_of, settled

pytestmark = pytest.mark.browser

CELLS = ".st-key-figure-confusion-matrix .mark-rect path"
MARK = ".st-key-figure-confusion-matrix path[stroke-width='3']"
PICTURES = (
    "list => list.map(tile => { const style = getComputedStyle(tile.querySelector('.picture'));"
    " return [style.width, style.height, style.imageRendering, style.backgroundPositionY]; })"
)

ROWS = "all => all.map(one => Number(one.dataset.row))"


@pytest.fixture(scope="module")
def logits(application: Any) -> Any:
    """The logits of the test images, computed without the application's analysis."""
    chosen = load_checkpoint(application.home / "checkpoints" / "nasty.safetensors")
    network = chosen.classifier().network
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    pixels = (load_split("fashion-mnist", "test").images.reshape(-1, 784) / 255 - chosen.metadata.mean) / (
        chosen.metadata.std
    )
    return pixels @ weights["1.weight"].T + weights["1.bias"]


def rows_of(logits: Any, true: int, predicted: int) -> list[int]:
    """Return the rows of a cell, the most confident first."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    labels = load_split("fashion-mnist", "test").labels
    rows = np.flatnonzero((labels == true) & (logits.argmax(axis=1) == predicted))
    return rows[np.argsort(-shares[rows].max(axis=1), kind="stable")].tolist()


def ready(page: Any) -> None:
    """Wait until the matrix is drawn and nothing is still being computed."""
    page.locator(CELLS).first.wait_for(state="attached", timeout=90_000)
    settled(page)


def tiles(page: Any) -> Any:
    """Return the buttons of the gallery."""
    return page.locator(".st-key-matrix-panel .tiles button")


def await_rows(page: Any, rows: list[int]) -> None:
    """Wait until the gallery shows these rows."""
    becomes(page, lambda: tiles(page).evaluate_all(ROWS), lambda shown: shown == rows)


def centre(page: Any, element: Any) -> tuple[float, float]:
    """Return the middle of an element on the screen."""
    box = box_of(page, element)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def await_mark(page: Any, true: int, predicted: int) -> None:
    """Wait until one cell of the matrix is outlined, this one."""
    where = pytest.approx(centre(page, page.locator(CELLS).nth(10 * true + predicted)), abs=1)
    becomes(page, page.locator(MARK).count, lambda count: count == 1)
    becomes(page, lambda: centre(page, page.locator(MARK)), lambda found: found == where)


def choose(page: Any, field: str, name: str) -> None:
    """Choose in a field by the keyboard."""
    page.locator(f".st-key-{field} input").click()
    page.keyboard.type(name)
    page.keyboard.press("Enter")


def test_the_matrix_follows_what_is_chosen_beside_it(application, logits, visit):
    run_id = application.run_id
    page = visit(f"{application.url}/evaluate?checkpoint=small&with={run_id}")
    ready(page)
    page.locator(CELLS).nth(10 * 6 + 0).click()
    page.wait_for_url(re.compile(r"cell=6-0"))
    settled(page)
    choose(page, "cell", "Shirt → Coat")
    page.wait_for_url(re.compile(r"cell=6-4"))
    await_mark(page, 6, 4)
    page.locator(CELLS).nth(10 * 6 + 0).click()  # a cell that was clicked before
    page.wait_for_url(re.compile(r"cell=6-0"))
    await_mark(page, 6, 0)
    await_rows(page, rows_of(logits, 6, 0)[:24])

    title = page.locator(".st-key-figure-confusion-matrix .role-title-text")
    becomes(page, title.text_content, lambda text: text.endswith("(A)"))
    page.locator(".st-key-matrix-of").get_by_text("B", exact=True).click()
    becomes(page, title.text_content, lambda text: text.endswith("(B)"))
    await_mark(page, 6, 0)

    outlines = page.locator(".st-key-figure-confusion-matrix .mark-rect path[stroke-width='1.5']")
    before = becomes(page, outlines.count, lambda count: count > 0) and outlines.first.get_attribute("d")
    choose(page, "class", "Bag")
    page.wait_for_url(re.compile(r"class=Bag"))
    becomes(page, lambda: outlines.first.get_attribute("d"), lambda drawn: drawn != before)
    assert [error for error in visit.errors if "404" not in error] == []


def test_from_a_cell_to_its_images_to_one_of_them_and_back(application, logits, visit):
    page = visit(f"{application.url}/evaluate?checkpoint=small")
    ready(page)
    page.locator(CELLS).nth(10 * 4 + 2).click()
    page.wait_for_url(re.compile(r"cell=4-2"))
    await_rows(page, rows_of(logits, 4, 2)[:24])
    page.locator(CELLS).nth(10 * 6 + 0).click()
    page.wait_for_url(re.compile(r"cell=6-0"))
    expected = rows_of(logits, 6, 0)
    await_rows(page, expected[:24])
    await_mark(page, 6, 0)
    named = page.locator(".st-key-cell input").input_value
    becomes(page, named, lambda found: found.startswith("Shirt → T-shirt/top"))
    styles = tiles(page).evaluate_all(PICTURES)
    assert styles == [["84px", "84px", "pixelated", f"{-84 * k}px"] for k in range(24)]
    assert page.get_by_role("button", name=re.compile(r"^Shirt ×\s*T-shirt.top \d+\.\d%\s*, wrong$")).count()

    tiles(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Nearest training images").wait_for()
    page.wait_for_url(re.compile(rf"image={expected[1]}\b"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(rf"image={expected[2]}\b"))
    dialog.get_by_text(f"3 of {len(expected)}").wait_for()
    settled(page)
    link = page.url
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "image=" not in url)
    dialog.wait_for(state="detached")
    await_rows(page, expected[:24])

    page.goto(link)
    dialog.get_by_text(f"3 of {len(expected)}").wait_for(timeout=90_000)
    dialog.get_by_role("button", name="Edit it on the canvas").click()
    page.get_by_role("heading", name="Draw", exact=True).wait_for()
    page.get_by_text("The image from Evaluate").wait_for()
    page.get_by_role("dialog").wait_for(state="detached")
    page.wait_for_url(lambda url: "image=" not in url)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_names_are_text_and_nothing_is_cut_at_any_size(application, logits, visit, width, scheme):
    page = visit(
        f"{application.url}/evaluate?checkpoint=nasty&cell=6-0&errors=True",
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    ready(page)
    await_rows(page, rows_of(logits, 6, 0)[:24])
    assert tiles(page).first.inner_text().startswith(NASTY)
    numbers = page.locator(".st-key-figure-confusion-matrix .mark-text.role-mark text")
    becomes(page, numbers.count, lambda count: count == 100)
    assert sum(int(text.replace(",", "")) for text in numbers.all_text_contents()) == 10_000
    sizes = numbers.evaluate_all(
        "all => all.map(one => [one.getBBox().width, parseFloat(getComputedStyle(one).fontSize)])"
    )
    room = page.locator(CELLS).first.bounding_box()["width"]
    assert all(size >= 9 and taken <= room for taken, size in sizes)
    tiles(page).first.click()
    page.get_by_role("dialog").get_by_text("Nearest training images").wait_for()
    settled(page)
    for place in (page.get_by_test_id("stMain"), page.get_by_role("dialog")):
        wide, seen = place.evaluate("part => [part.scrollWidth, part.clientWidth]")
        assert wide <= seen
    assert page.get_by_test_id("stException").count() == 0
    assert page.locator("img[src=x]").count() == 0
    assert dialogs == []
    assert [error for error in visit.errors if "404" not in error] == []
