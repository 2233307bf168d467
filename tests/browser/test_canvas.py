"""The canvas in a real Chromium, on a small application of its own.

Most tests share one page, emptied before each: opening it takes longer than the test.
"""

import json
import time
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from playwright.sync_api import expect

from explorer.ui.canvas import component
from tests.browser.marks import settled

pytestmark = pytest.mark.browser

SCRIPT = dedent(
    """
    import json
    import time

    import numpy as np
    import streamlit as st
    from PIL import Image

    from explorer.data.preparation.pictures import read_picture
    from explorer.data.preparation.steps import average_cells
    from explorer.errors import ImageError
    from explorer.ui import canvas

    NAMES = ("<img src=x onerror=window.forged=1>", "Trouser", "Pullover", "Dress", "Coat")
    COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2")


    def draw():
        st.button("rerun")
        slow = st.checkbox("slow")
        several = st.checkbox("several")
        fenced = st.checkbox("fenced")
        if st.button("forget"):  # as a server that was started anew
            for name in [name for name in st.session_state if name.startswith("canvas")]:
                del st.session_state[name]
        if st.button("load"):
            image = np.zeros((28, 28), np.uint8)
            image[4:24, 10:18] = 200
            canvas.load("pad", image)
        if "seeded" in st.query_params and "seeded" not in st.session_state:
            st.session_state.seeded = True
            pixels = np.zeros((280, 280), np.uint8)
            pixels[100:180, 100:180] = 255
            st.session_state["canvas:pad"] = canvas.Drawing(pixels, revision=5)
        pad(slow, ("one", "<b>two</b>", "three") if several else ("",), fenced)


    def pasted(content):
        picture = read_picture(content)
        st.session_state.pasted = picture.shape
        if min(picture.shape[:2]) < 20:
            raise ImageError("That is too small to be seen.")
        canvas.load("pad", np.array(Image.fromarray(picture).convert("L").resize((28, 28))))


    def wanted():
        st.session_state.wanted = True


    @st.fragment
    def pad(slow, titles, fenced):
        drawing = canvas.current("pad")
        if slow:
            time.sleep(0.7)
        shares = None
        if drawing is not None:
            left = float(drawing.pixels[:, :140].sum() / drawing.pixels.sum())
            shares = (0.7 * left, 0.7 * (1 - left), 0.15, 0.1, 0.05)
        bars = [canvas.Bars(NAMES, COLOURS, shares, target=1, title=title) for title in titles]
        canvas.canvas("pad", bars=bars, on_paste=pasted, on_upload=wanted, fenced=fenced)
        runs = st.session_state.runs = st.session_state.get("runs", 0) + 1
        facts = {"runs": runs, "revision": 0, "ink": 0, "box": None, "cells": "00" * 784}
        facts |= {"pasted": st.session_state.get("pasted"), "wanted": "wanted" in st.session_state}
        facts |= {"changed": canvas.changed("pad")}
        if drawing is not None:
            rows, columns = np.nonzero(drawing.pixels > 127)
            facts |= {"revision": drawing.revision, "ink": int((drawing.pixels > 127).sum())}
            facts |= {"placed": drawing.placed, "peak": int(drawing.pixels.max())}
            facts |= {"strokes": drawing.strokes, "milliseconds": drawing.milliseconds}
            facts |= {"cells": average_cells(drawing.pixels).tobytes().hex()}
            if len(rows):
                facts["box"] = [int(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
        st.code(json.dumps(facts), language=None)


    def other():
        st.title("Elsewhere")


    st.set_page_config(layout="wide")
    st.navigation([st.Page(draw, title="Pad", default=True), st.Page(other, title="Other")]).run()
    """
)

CONTROLS = ["Brush", "Line", "Fill", "Eraser", "Undo", "Redo", "Clear", "Shift left", "Shift right", "Shift up"]
CONTROLS += ["Shift down", "Mirror", "Paste a picture", "Zoom", "Brush width in cells", "Grey level of the ink"]
CONTROLS += ["Soft edge", "Pixels"]
AFRESH = """canvas => {
    const { tool } = canvas.closest('.canvas-tool');
    tool.setPen({ tool: 'brush', size: 2.2, grey: 255, soft: false, cells: false, zoom: false });
    tool.clear();
    tool.drawing.undo = [];
    tool.refresh();
}"""


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    script = tmp_path_factory.mktemp("pad") / "pad.py"
    script.write_text(SCRIPT)
    return serve(script, options=["--client.toolbarMode=minimal"])


class Pad:
    """What a user does on the page, and what the server says of it."""

    def __init__(self, page):
        self.page = page
        self.surface = page.locator(".stage canvas")
        self.surface.wait_for()
        self.bars = page.locator(".bars li")
        page.locator("code").wait_for()

    def facts(self):
        return json.loads(self.page.locator("code").inner_text())

    def until(self, fits, seconds=90):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            facts = self.facts()
            if fits(facts):
                return facts
            self.page.wait_for_timeout(30)
        raise AssertionError(f"The server still says {facts}.")

    def arrived(self):
        """Return what the server says once it has all that the browser shows, and that as 28x28 grey levels."""
        revision = self.surface.evaluate("canvas => canvas.closest('.canvas-tool').tool.drawing.revision")
        facts = self.until(lambda facts: facts["revision"] == revision)
        return facts, np.frombuffer(bytes.fromhex(facts["cells"]), np.uint8).reshape(28, 28)

    def stroke(self, *points, steps=8, lift=True):
        box = self.surface.bounding_box()
        mouse = self.page.mouse
        (x, y), *others = points
        mouse.move(box["x"] + x, box["y"] + y)
        mouse.down()
        for x, y in others:
            mouse.move(box["x"] + x, box["y"] + y, steps=steps)
        if lift:
            mouse.up()

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, *names):
        for name in names:
            self.button(name).click()

    def pen(self, width=None, grey=None):
        for name, value in (("Brush width in cells", width), ("Grey level of the ink", grey)):
            if value is not None:
                self.page.get_by_label(name).fill(str(value))

    def shown(self):
        """Return how many pixels the browser itself shows as ink."""
        return int((self.screen() > 127).sum())

    def screen(self):
        """Return the grey levels that the browser itself shows."""
        levels = self.surface.evaluate(
            """canvas => {
                const data = canvas.getContext('2d').getImageData(0, 0, 280, 280).data;
                return [...data.filter((_, i) => i % 4 === 0)];
            }"""
        )
        return np.array(levels, np.uint8).reshape(280, 280)

    def wrong(self):
        return self.page.locator(".note.problem").all_inner_texts()


@pytest.fixture(scope="module")
def shared(server, chromium):
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda entry: entry.type == "error" and errors.append(entry.text))
    page.goto(server.url)
    yield Pad(page), errors
    context.close()


@pytest.fixture
def pad(server, shared):
    pad, errors = shared
    pad.surface.evaluate(AFRESH)
    pad.until(lambda facts: facts["revision"] == 0)
    yield pad
    assert errors == []
    assert pad.page.locator("[data-testid=stException]").count() == 0
    assert "Traceback" not in server.output()


# ---- strokes, and the way to the server


def test_a_stroke_arrives_whole_and_moves_the_bars(pad):
    first, second = pad.bars.nth(0), pad.bars.nth(1)
    expect(first.locator(".percent")).to_have_text("\u2013")
    assert first.locator(".text").inner_text().startswith("<img src=x")
    assert pad.page.evaluate("window.forged") is None
    first.evaluate("row => { row.dataset.seen = 'yes'; }")
    height = pad.page.locator(".layout").bounding_box()["height"]
    pad.stroke((60, 140), (100, 140))
    facts = pad.until(lambda facts: facts["box"] and facts["box"][2] >= 108)
    assert facts["ink"] == pad.shown()
    assert facts["box"] == pytest.approx([49, 129, 110, 150], abs=2)
    expect(first.locator(".percent")).to_have_text("70.0%")
    assert first.get_attribute("data-seen") == "yes"
    assert pad.page.locator(".layout").bounding_box()["height"] == height
    ranks = pad.bars.locator(".cell").evaluate_all("cells => cells.map(cell => cell.dataset.rank)")
    assert ranks == ["1", "5", "2", "3", "4"]
    pad.stroke((180, 60), (220, 60), (220, 200))
    expect(second.locator(".cell")).to_have_attribute("data-rank", "1")
    expect(second).to_have_class("target")
    assert pad.wrong() == []


def test_several_models_stand_side_by_side(pad):
    pad.page.get_by_text("several").click()
    expect(pad.bars.nth(0).locator(".cell")).to_have_count(3)
    assert pad.page.locator(".models .words").all_inner_texts() == ["one", "<b>two</b>", "three"]
    pad.stroke((60, 140), (100, 140))
    expect(pad.bars.nth(0).locator(".percent")).to_have_text(["70.0%"] * 3)
    expect(pad.page.locator(".spoken")).to_contain_text("<b>two</b>: <img")
    tracks = pad.bars.nth(0).locator(".track").all()
    assert len({track.bounding_box()["y"] for track in tracks}) == 1
    colours = [pad.bars.nth(2).locator(".fill").nth(i).evaluate("bar => bar.style.background") for i in range(3)]
    assert colours == ["rgb(89, 161, 79)"] * 3
    pad.page.get_by_text("several").click()
    expect(pad.bars.nth(0).locator(".cell")).to_have_count(1)


def test_ink_on_the_edge_and_beyond_is_kept(pad):
    pad.stroke((5, 5), (5, 330), (330, 330))
    facts = pad.until(lambda facts: facts["ink"] > 0 and facts["ink"] == pad.shown())
    assert facts["box"][0] == 0
    assert facts["box"][3] == 279


def test_a_long_stroke_goes_out_in_few_values_at_a_distance_and_the_last_is_complete(pad):
    pad.surface.evaluate(
        """canvas => {
            const { tool } = canvas.closest('.canvas-tool');
            window.sent = [];
            const keep = Storage.prototype.setItem;
            Storage.prototype.setItem = function (name, value) {
                if (name === 'explorer.canvas.pad') window.sent.push(tool.sentAt);
                keep.call(this, name, value);
            };
        }"""
    )
    before = pad.facts()["runs"]
    pad.stroke(*[(40 + 200 * (i % 2), 30 + 3 * i) for i in range(18)], steps=6)
    facts, _ = pad.arrived()
    assert facts["ink"] == pad.shown()
    assert facts["strokes"] == 1
    assert facts["runs"] - before <= len(pad.page.evaluate("window.sent")) + 1
    for i in range(8):
        pad.stroke((40, 30 + 18 * i), (240, 30 + 18 * i), steps=5)
    pad.arrived()
    moments = pad.page.evaluate("window.sent")
    assert len(moments) >= 4
    assert min(later - earlier for earlier, later in pairwise(moments)) > 99


def test_nothing_is_lost_while_the_server_is_busy(pad):
    slow = pad.page.get_by_text("slow")
    slow.click()
    pad.page.wait_for_timeout(1000)
    for i in range(8):
        pad.stroke((40, 30 + 30 * i), (240, 30 + 30 * i), steps=4)
    facts = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    assert facts["box"][3] >= 240
    assert facts["strokes"] == 8
    pad.stroke((100, 30), (100, 200))
    pad.stroke((200, 30), (200, 200))
    shown = pad.shown()
    pad.page.get_by_role("link", name="Other").click()
    expect(pad.page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    pad.page.get_by_role("link", name="Pad").click()
    pad.surface.wait_for()
    assert pad.shown() == shown
    pad.until(lambda facts: facts["ink"] == shown)


def test_a_rerun_leaves_a_moving_pen_alone(pad):
    pad.stroke((40, 60), (140, 60), lift=False)
    runs = pad.until(lambda facts: facts["ink"])["runs"]
    pad.page.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'rerun').click()")
    pad.until(lambda facts: facts["runs"] > runs)
    box = pad.surface.bounding_box()
    pad.page.mouse.move(box["x"] + 240, box["y"] + 60, steps=8)
    pad.page.mouse.up()
    facts = pad.until(lambda facts: facts["box"] and facts["box"][2] >= 248)
    assert facts["box"][0] <= 31
    assert facts["ink"] == pad.shown()


def test_page_switch_and_reload_keep_the_drawing(pad):
    pad.stroke((60, 60), (200, 200))
    first = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    ink = first["ink"]
    pad.page.get_by_role("link", name="Other").click()
    expect(pad.page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    pad.page.get_by_role("link", name="Pad").click()
    pad.surface.wait_for()
    pad.until(lambda facts: facts["ink"] == ink)
    assert pad.shown() == ink
    pad.press("Undo")
    pad.until(lambda facts: facts["ink"] == 0)
    pad.press("Redo")
    pad.until(lambda facts: facts["ink"] == ink)
    pad.page.reload()
    pad.surface.wait_for()
    facts = pad.until(lambda facts: facts["ink"] == ink)
    assert pad.shown() == ink
    assert (facts["strokes"], facts["milliseconds"]) == (1, first["milliseconds"])


@pytest.mark.parametrize("loaded", [False, True])
def test_a_server_that_has_forgotten_the_drawing_is_told_it(pad, loaded):
    if loaded:
        pad.press("load")
        pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    pad.stroke((60, 60), (200, 200))
    facts = pad.until(lambda facts: facts.get("strokes") == 1 and facts["ink"] == pad.shown())
    pad.page.get_by_role("button", name="forget").click()
    again = pad.until(lambda now: now["runs"] > facts["runs"] and now["revision"] > facts["revision"])
    assert again["ink"] == facts["ink"] == pad.shown()


def test_undo_ends_at_the_start_of_a_round_and_goes_on_after_it(pad):
    pad.stroke((60, 60), (200, 200))
    ink = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())["ink"]
    pad.page.get_by_text("fenced").click()
    pad.press("load")
    start = pad.until(lambda facts: facts.get("placed") and facts["ink"] == pad.shown())["ink"]
    expect(pad.button("Undo")).to_have_attribute("aria-disabled", "true")
    pad.stroke((60, 60), (60, 200))
    pad.until(lambda facts: facts.get("strokes") == 1)
    pad.press("Undo")
    pad.until(lambda facts: facts["ink"] == start)
    expect(pad.button("Undo")).to_have_attribute("aria-disabled", "true")
    pad.page.get_by_text("fenced").click()
    expect(pad.button("Undo")).to_have_attribute("aria-disabled", "false")
    pad.press("Undo")
    pad.until(lambda facts: facts["ink"] == ink)


def test_the_server_puts_its_drawing_back_where_the_browser_has_none(server, visit):
    pad = Pad(visit(f"{server.url}/?seeded=1"))
    assert pad.shown() == 80 * 80
    pad.stroke((20, 20), (60, 20))
    pad.until(lambda facts: facts["revision"] > 5 and facts["ink"] == pad.shown() > 80 * 80)
    assert visit.errors == []


def test_an_image_from_the_server_takes_the_canvas_and_can_be_undone(pad):
    pad.stroke((60, 60), (200, 60))
    ink = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())["ink"]
    pad.page.get_by_role("button", name="load").click()
    facts = pad.until(lambda facts: facts["ink"] == 20 * 8 * 100)
    assert facts["placed"] is True
    assert facts["box"] == [100, 40, 179, 239]
    assert (facts["strokes"], facts["milliseconds"], facts["changed"]) == (0, 0, 0)
    assert pad.shown() == 20 * 8 * 100
    pad.press("Pixels")
    pad.pen(width=1)
    pad.stroke((23, 24), (54, 24))
    facts, _ = pad.arrived()
    assert facts["placed"] is True
    assert (facts["strokes"], facts["changed"]) == (1, 4)
    assert facts["milliseconds"] > 0
    pad.press("Undo", "Undo")
    assert pad.until(lambda facts: facts["ink"] == ink)["placed"] is False


def test_a_forged_value_is_answered_in_one_line(pad):
    pad.page.evaluate("window.real = window.btoa; window.btoa = () => 'forged';")
    pad.stroke((60, 60), (200, 60))
    expect(pad.page.locator(".note.problem")).to_contain_text("cannot be read")
    assert pad.facts()["ink"] == 0
    pad.page.evaluate("window.btoa = window.real")
    pad.stroke((60, 60), (200, 60))
    pad.arrived()
    assert pad.wrong() == []


# ---- the tools


def test_undo_redo_clear_and_the_count_of_strokes(pad):
    for name in ("Undo", "Redo", "Clear"):
        assert pad.button(name).get_attribute("aria-disabled") == "true"
    pad.stroke((60, 60), (100, 60))
    one = pad.arrived()[0]
    pad.stroke((60, 200), (200, 200))
    two = pad.arrived()[0]
    assert (one["strokes"], two["strokes"]) == (1, 2)
    assert two["milliseconds"] > one["milliseconds"] > 0
    pad.press("Undo")
    back = pad.arrived()[0]
    assert (back["ink"], back["strokes"]) == (one["ink"], 1)
    pad.press("Redo")
    again = pad.arrived()[0]
    assert (again["ink"], again["strokes"]) == (two["ink"], 2)
    pad.press("Clear")
    pad.until(lambda facts: facts["ink"] == 0)
    expect(pad.bars.nth(0).locator(".percent")).to_have_text("\u2013")
    pad.press("Undo")
    assert pad.arrived()[0]["strokes"] == 2


def test_grey_width_soft_edge_and_eraser(pad):
    pad.pen(width=4, grey=130)
    pad.stroke((40, 100), (240, 100))
    facts, _ = pad.arrived()
    assert facts["peak"] == 130
    assert facts["box"][3] - facts["box"][1] + 1 == pytest.approx(40, abs=1)
    pad.press("Soft edge")
    pad.pen(grey=255)
    pad.stroke((40, 200), (240, 200))
    pad.arrived()
    profile = pad.screen()[180:220, 140].astype(int)
    assert profile[18:22].min() > 230
    assert profile[9] == pytest.approx(127, abs=10)
    assert set(np.diff(profile[:19])) <= {12, 13}  # from 0 to 255 over the radius of 20, evenly
    pad.press("Eraser", "Soft edge")
    pad.pen(width=6)
    for y in (100, 190, 210):
        pad.stroke((0, y), (279, y), steps=12)
    pad.until(lambda facts: facts["ink"] == 0 and facts["revision"] == 0)
    expect(pad.button("Clear")).to_have_attribute("aria-disabled", "true")


def test_a_straight_line_follows_the_pen_and_leaves_no_trace_of_the_way(pad):
    pad.press("Line")
    pad.stroke((40, 40), (250, 40), (240, 250), (40, 240))
    facts, cells = pad.arrived()
    assert facts["box"] == pytest.approx([29, 29, 50, 250], abs=1)
    assert cells[10:20, 4].min() == 255
    assert facts["strokes"] == 1
    pad.stroke((100, 40), (240, 180))
    _, cells = pad.arrived()
    assert all(cells[4 + i, 10 + i] > 200 for i in range(14))
    assert cells[15, 12] == 0


def test_a_fill_stops_at_the_outline_and_leaves_no_seam(pad):
    pad.stroke((60, 60), (220, 60), (220, 220), (60, 220), (60, 60))
    pad.press("Fill")
    pad.stroke((140, 140))
    _, cells = pad.arrived()
    assert cells[6:22, 6:22].min() == 255
    assert cells[:4].max() == cells[:, 24:].max() == 0
    pad.pen(grey=100)
    pad.stroke((10, 10))
    _, cells = pad.arrived()
    assert cells[0, 0] == cells[27, 27] == 100
    assert cells[14, 14] == 255
    pad.pen(grey=0)
    pad.stroke((140, 140))
    _, cells = pad.arrived()
    assert cells[14, 14] == 0
    assert cells[0, 0] == 100


def test_pixels_are_shown_and_painted_as_such(pad):
    pad.stroke((63, 67), (140, 67))
    _, cells = pad.arrived()
    assert len(np.unique(cells)) > 2
    pad.press("Pixels")
    assert np.array_equal(pad.screen(), cells.repeat(10, 0).repeat(10, 1))
    expect(pad.page.locator(".grid")).to_be_visible()
    pad.press("Clear")
    pad.pen(width=1, grey=200)
    pad.stroke((139, 131))
    pad.stroke((21, 21), (79, 79))
    _, cells = pad.arrived()
    expected = np.zeros((28, 28), np.uint8)
    expected[13, 13] = 200
    expected[range(2, 8), range(2, 8)] = 200
    assert np.array_equal(cells, expected)
    pad.press("Pixels")
    assert np.array_equal(pad.screen(), expected.repeat(10, 0).repeat(10, 1))
    expect(pad.page.locator(".grid")).to_be_hidden()


def test_shifts_by_one_pixel_and_mirrors(pad):
    pad.press("Pixels")
    pad.pen(width=1)
    pad.stroke((5, 5), (5, 45))
    pad.stroke((5, 45), (35, 45))
    _, start = pad.arrived()
    moves = {"Shift right": ((0, 0), (1, 0)), "Shift down": ((1, 0), (0, 0)), "Shift up": ((0, 1), (0, 0))}
    moves |= {"Shift left": ((0, 0), (0, 1))}
    before = start
    for name, (rows, columns) in moves.items():
        pad.press(name)
        _, cells = pad.arrived()
        padded = np.pad(before, (rows, columns))
        expected = padded[rows[1] : rows[1] + 28, columns[1] : columns[1] + 28]
        assert np.array_equal(cells, expected), name
        before = cells
    assert np.array_equal(before, start)
    pad.press("Mirror")
    facts, cells = pad.arrived()
    assert np.array_equal(cells, start[:, ::-1])
    assert facts["strokes"] == 2
    pad.press("Shift right")
    pad.arrived()
    assert pad.screen()[:40, 270:].sum() == 0
    pad.press("Undo")
    _, cells = pad.arrived()
    assert np.array_equal(cells, start[:, ::-1])


def test_pressure_widens_the_line_and_a_second_finger_changes_nothing(pad):
    box = pad.surface.bounding_box()
    pad.surface.evaluate(
        """(canvas, [x, y]) => {
            const fire = (type, dx, pressure) => canvas.dispatchEvent(new PointerEvent(type, {
                pointerId: 1, pointerType: 'pen', pressure, bubbles: true, clientX: x + dx, clientY: y + 100,
            }));
            canvas.setPointerCapture = () => {};
            fire('pointerdown', 60, 0.1);
            fire('pointermove', 140, 0.1);
            fire('pointermove', 220, 1);
            fire('pointerup', 220, 0);
            delete canvas.setPointerCapture;
        }""",
        [box["x"], box["y"]],
    )
    left, top, right, bottom = pad.arrived()[0]["box"]
    assert bottom - top + 1 == pytest.approx(22 * 1.6, abs=2)
    assert 60 - left < right - 220
    pad.press("Clear")
    pad.stroke((60, 60), (100, 60), lift=False)
    pad.surface.evaluate(
        """(canvas, [x, y]) => canvas.dispatchEvent(new PointerEvent('pointerdown', {
            pointerId: 77, pointerType: 'touch', bubbles: true, clientX: x + 200, clientY: y + 200,
        }))""",
        [box["x"], box["y"]],
    )
    pad.page.mouse.up()
    facts, _ = pad.arrived()
    assert facts["box"][3] < 100


# ---- keyboard, touch, clipboard


def test_everything_works_from_the_keyboard(pad):
    page, focus = pad.page, "root => { const at = root.getRootNode().activeElement; return at && at.ariaLabel; }"
    page.get_by_role("button", name="load").focus()
    page.keyboard.press("Tab")
    assert pad.surface.evaluate(focus) == "Drawing area, 28 by 28 cells"
    assert page.locator(".stage").evaluate("stage => getComputedStyle(stage).outlineWidth") == "3px"
    expect(page.locator(".ring")).to_be_visible()
    seen = []
    for _ in CONTROLS:
        page.keyboard.press("Tab")
        seen.append(pad.surface.evaluate(focus))
    assert seen == CONTROLS
    assert page.get_by_label("Pixels").evaluate("button => getComputedStyle(button).outlineWidth") == "3px"
    pad.surface.focus()
    page.keyboard.press("Space")
    dot, _ = pad.arrived()
    assert dot["box"] == pytest.approx([134, 134, 155, 155], abs=1)
    page.keyboard.down("Space")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Space")
    pad.until(lambda facts: facts["box"][2] == pytest.approx(205, abs=1) and facts["box"][0] == dot["box"][0])
    expect(page.locator(".spoken")).to_contain_text("Most likely: Trouser")
    for undo, redo in (("Control+z", "Control+Shift+z"), ("Meta+z", "Control+y")):
        page.keyboard.press(undo)
        pad.until(lambda facts: facts["box"] == dot["box"])
        page.keyboard.press(redo)
        pad.until(lambda facts: facts["box"][2] > dot["box"][2])
    settled(page)  # what is said of the drawing does not come later
    page.keyboard.press("Shift+ArrowUp")
    expect(page.locator(".spoken")).to_have_text("Row 10, column 20.")
    page.keyboard.press("Delete")
    pad.until(lambda facts: facts["ink"] == 0)
    for key, name in {"l": "Line", "f": "Fill", "e": "Eraser", "s": "Soft edge", "p": "Pixels", "b": "Brush"}.items():
        page.keyboard.press(key)
        expect(pad.button(name)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".spoken")).to_have_text("Brush on")
    page.keyboard.press("s")
    pad.pen(width=1)
    pad.surface.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Alt+ArrowLeft")
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("m")
    _, cells = pad.arrived()
    assert np.argwhere(cells).tolist() == [[10, 27 - 18]]
    page.keyboard.press("l")
    page.keyboard.down("Space")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.up("Space")
    _, cells = pad.arrived()
    assert np.argwhere(cells[9]).ravel().tolist() == [15, 16, 17, 18, 19]


def test_a_phone_draws_zooms_and_does_not_scroll(server, visit):
    page = visit("about:blank", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined });")
    page.goto(server.url)
    pad = Pad(page)
    pad.surface.scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)

    def drag(box, *points):
        scale = box["width"] / 280
        spots = [{"x": box["x"] + x * scale, "y": box["y"] + y * scale} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": spots[:1]})
        for spot in spots:
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [spot]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(500)  # right after a quick drag the browser takes a tap for the end of a fling

    box = pad.surface.bounding_box()
    drag(box, *[(140, y) for y in range(240, 30, -10)])
    facts, _ = pad.arrived()
    assert facts["box"] == pytest.approx([129, 29, 150, 250], abs=3)
    assert pad.surface.bounding_box() == box
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    bars = page.locator(".bars").bounding_box()
    assert bars["y"] > box["y"] + 280
    pad.button("Zoom").tap()
    page.wait_for_timeout(500)
    large = pad.surface.bounding_box()
    assert large["width"] == large["height"] > 340
    assert large["x"] + large["width"] <= 390
    drag(large, *[(x, 140) for x in range(40, 240, 10)])  # the page's header may cover the upper edge
    pad.until(lambda facts: facts["box"] == pytest.approx([29, 29, 241, 250], abs=3), seconds=30)
    assert pad.surface.bounding_box() == large
    for control in page.locator(".tools button, .tools input").all():
        area = control.bounding_box()
        assert area["height"] >= 32
        assert area["width"] >= 32
    assert len({row.bounding_box()["y"] for row in page.locator(".tools .row").all()}) == 3

    paste = pad.button("Paste a picture")
    assert "HTTPS" in paste.get_attribute("title")
    paste.tap()
    expect(page.locator(".note.problem")).to_contain_text("Press Ctrl+V on the canvas, or upload")
    pad.until(lambda facts: facts["wanted"])
    assert pad.wrong() != []
    assert visit.errors == []


COPY = """async ([width, height]) => {
    const sheet = Object.assign(document.createElement('canvas'), { width, height });
    const context = sheet.getContext('2d');
    context.fillRect(0, 0, width, height);
    context.fillStyle = 'white';
    context.fillRect(0, 0, width / 2, height);
    const blob = await new Promise(done => sheet.toBlob(done));
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
}"""


def test_a_picture_is_pasted_in_two_ways_and_scaled_down(pad):
    page = pad.page
    page.evaluate(COPY, [1600, 800])
    pad.press("Paste a picture")
    facts = pad.until(lambda facts: facts["pasted"] and facts["ink"])
    assert facts["pasted"][:2] == [256, 512]
    assert facts["placed"] is True
    cells = np.frombuffer(bytes.fromhex(facts["cells"]), np.uint8).reshape(28, 28)
    assert cells[:, :13].min() > 250
    assert cells[:, 15:].max() < 5
    page.evaluate(COPY, [12, 12])
    pad.surface.focus()
    page.keyboard.press("Control+v")
    pad.until(lambda facts: facts["pasted"][:2] == [12, 12])
    expect(page.locator(".note.problem")).to_have_text("That is too small to be seen.")
    assert np.array_equal(pad.screen()[::10, ::10], cells)
    page.evaluate("navigator.clipboard.writeText('words')")
    for way in (lambda: pad.press("Paste a picture"), lambda: page.keyboard.press("Control+v")):
        pad.stroke((140, 140))
        pad.until(lambda facts: pad.wrong() == [])
        way()
        expect(page.locator(".note.problem")).to_contain_text("no picture in the clipboard")


def test_the_script_is_small():
    folder: Path = component._FOLDER
    assert sum(path.stat().st_size for path in folder.glob("*.js")) < 22_000
