"""The canvas in a real Chromium, on a small application of its own."""

import json
import time
from textwrap import dedent

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SCRIPT = dedent(
    """
    import json
    import time

    import numpy as np
    import streamlit as st

    from explorer.ui import canvas

    NAMES = ("<img src=x onerror=window.forged=1>", "Trouser", "Pullover")
    COLOURS = ("#4e79a7", "#f28e2b", "#59a14f")


    def draw():
        st.button("rerun")
        slow = st.checkbox("slow")
        if st.button("load"):
            image = np.zeros((28, 28), np.uint8)
            image[4:24, 10:18] = 200
            canvas.load("pad", image)
        if "seeded" in st.query_params and "seeded" not in st.session_state:
            st.session_state.seeded = True
            pixels = np.zeros((280, 280), np.uint8)
            pixels[100:180, 100:180] = 255
            st.session_state["canvas:pad"] = canvas.Drawing(pixels, revision=5)
        pad(slow)


    @st.fragment
    def pad(slow):
        drawing = canvas.current("pad")
        if slow:
            time.sleep(0.7)
        shares = None
        if drawing is not None:
            left = float(drawing.pixels[:, :140].sum() / drawing.pixels.sum())
            shares = (left, 1 - left, 0.0)
        canvas.canvas("pad", bars=canvas.Bars(NAMES, COLOURS, shares, target=1))
        runs = st.session_state.runs = st.session_state.get("runs", 0) + 1
        facts = {"runs": runs, "revision": 0, "ink": 0, "box": None}
        if drawing is not None:
            rows, columns = np.nonzero(drawing.pixels > 127)
            facts |= {"revision": drawing.revision, "ink": int((drawing.pixels > 127).sum())}
            facts |= {"placed": drawing.placed, "peak": int(drawing.pixels.max())}
            if len(rows):
                facts["box"] = [int(v) for v in (columns.min(), rows.min(), columns.max(), rows.max())]
        st.code(json.dumps(facts), language=None)


    def other():
        st.title("Elsewhere")


    st.set_page_config(layout="wide")
    st.navigation([st.Page(draw, title="Pad", default=True), st.Page(other, title="Other")]).run()
    """
)


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

    def until(self, fits, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            facts = self.facts()
            if fits(facts):
                return facts
            self.page.wait_for_timeout(50)
        raise AssertionError(f"The server still says {facts}.")

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

    def press(self, name):
        self.page.locator(f"[data-do={name}]").click()

    def shown(self):
        """Return how many pixels the browser itself shows as ink."""
        return self.surface.evaluate(
            """canvas => {
                const data = canvas.getContext('2d').getImageData(0, 0, 280, 280).data;
                let ink = 0;
                for (let i = 0; i < data.length; i += 4) ink += data[i] > 127;
                return ink;
            }"""
        )

    def wrong(self):
        return self.page.locator(".note.problem").all_inner_texts()


@pytest.fixture
def pad(server, visit):
    pad = Pad(visit(server.url))
    yield pad
    assert visit.errors == []
    assert pad.page.locator("[data-testid=stException]").count() == 0
    assert "Traceback" not in server.output()


def test_a_stroke_arrives_whole_and_moves_the_bars(pad):
    expect(pad.bars.nth(1).locator(".percent")).to_have_text("\u2013")
    pad.stroke((60, 140), (100, 140))
    facts = pad.until(lambda facts: facts["box"] and facts["box"][2] >= 108)
    assert facts["ink"] == pad.shown()
    left, top, right, bottom = facts["box"]
    assert (left, top, right, bottom) == pytest.approx((49, 129, 110, 150), abs=2)
    expect(pad.bars.nth(0).locator(".percent")).to_have_text("100.0%")
    expect(pad.bars.nth(0)).to_have_class("top")
    pad.stroke((180, 60), (220, 60), (220, 200))
    expect(pad.bars.nth(1)).to_have_class("target top")
    assert pad.wrong() == []


def test_ink_on_the_edge_and_beyond_is_kept(pad):
    pad.stroke((5, 5), (5, 330), (330, 330))
    facts = pad.until(lambda facts: facts["ink"] > 0 and facts["ink"] == pad.shown())
    assert facts["box"][0] == 0
    assert facts["box"][3] == 279


def test_names_are_text_not_markup(pad):
    assert pad.bars.nth(0).locator(".text").inner_text().startswith("<img src=x")
    assert pad.page.evaluate("window.forged") is None


def test_a_long_stroke_goes_out_in_few_values_and_the_last_is_complete(pad):
    points = [(40 + 200 * (i % 2), 30 + 3 * i) for i in range(24)]
    pad.stroke(*points, steps=8)
    pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    drawn = pad.page.evaluate("JSON.parse(sessionStorage.getItem('explorer.canvas.pad')).revision")
    facts = pad.until(lambda facts: facts["revision"] == drawn)
    assert facts["revision"] > 2 * facts["runs"]


def test_messages_keep_their_distance(server, visit):
    page = visit("about:blank")
    page.add_init_script(
        """
        window.sent = [];
        const keep = Storage.prototype.setItem;
        Storage.prototype.setItem = function (name, value) {
            if (name === 'explorer.canvas.pad') window.sent.push(performance.now());
            keep.call(this, name, value);
        };
        """
    )
    page.goto(server.url)
    pad = Pad(page)
    for i in range(12):
        pad.stroke((40, 30 + 18 * i), (240, 30 + 18 * i), steps=6)
    pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    moments = page.evaluate("window.sent")
    assert len(moments) >= 4
    # Three intervals together: a single one is blurred by the scheduling of a busy machine.
    assert min(later - earlier for earlier, later in zip(moments, moments[3:], strict=False)) > 270


def test_nothing_is_lost_while_the_server_is_busy(pad):
    pad.page.get_by_text("slow").click()
    pad.page.wait_for_timeout(1000)
    for i in range(8):
        pad.stroke((40, 30 + 30 * i), (240, 30 + 30 * i))
    facts = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown(), seconds=30)
    assert facts["box"][3] >= 240


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


def test_bars_change_without_a_new_element(pad):
    pad.bars.nth(0).evaluate("row => { row.dataset.seen = 'yes'; }")
    pad.surface.evaluate("canvas => { canvas.dataset.seen = 'yes'; }")
    height = pad.page.locator(".layout").bounding_box()["height"]
    pad.stroke((60, 60), (100, 200))
    expect(pad.bars.nth(0).locator(".percent")).to_have_text("100.0%")
    assert pad.bars.nth(0).get_attribute("data-seen") == "yes"
    assert pad.surface.get_attribute("data-seen") == "yes"
    assert pad.page.locator(".layout").bounding_box()["height"] == height


def test_undo_redo_and_clear(pad):
    for name in ("undo", "redo", "clear"):
        assert pad.page.locator(f"[data-do={name}]").get_attribute("aria-disabled") == "true"
    pad.stroke((60, 60), (100, 60))
    one = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())["ink"]
    pad.stroke((60, 200), (200, 200))
    two = pad.until(lambda facts: facts["ink"] > one and facts["ink"] == pad.shown())["ink"]
    pad.press("undo")
    pad.until(lambda facts: facts["ink"] == one)
    pad.press("redo")
    pad.until(lambda facts: facts["ink"] == two)
    pad.press("clear")
    pad.until(lambda facts: facts["ink"] == 0)
    expect(pad.bars.nth(0).locator(".percent")).to_have_text("\u2013")
    pad.press("undo")
    pad.until(lambda facts: facts["ink"] == two)


def test_grey_width_and_eraser(pad):
    pad.page.locator("[data-set=grey]").fill("130")
    pad.page.locator("[data-set=size]").fill("40")
    pad.stroke((40, 100), (240, 100))
    facts = pad.until(lambda facts: facts["box"] and facts["box"][2] >= 255)
    assert facts["peak"] == 130
    assert facts["box"][3] - facts["box"][1] + 1 == pytest.approx(40, abs=1)
    pad.press("eraser")
    pad.page.locator("[data-set=size]").fill("60")
    pad.stroke((0, 100), (279, 100), steps=20)
    pad.until(lambda facts: facts["ink"] == 0 and facts["revision"] == 0)
    expect(pad.page.locator("[data-do=clear]")).to_have_attribute("aria-disabled", "true")


def test_everything_works_from_the_keyboard(pad):
    page = pad.page
    page.locator("[data-testid=stCheckbox] input").focus()
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                    const find = root => root?.shadowRoot ? find(root.shadowRoot.activeElement) : root;
                    const at = find(document.activeElement);
                    return at.dataset.do || at.dataset.set || at.tagName.toLowerCase();
                }"""
            )
        )
    start = seen.index("canvas")
    assert seen[start:][:8] == ["canvas", "brush", "eraser", "undo", "redo", "clear", "size", "grey"]
    while pad.surface.evaluate("canvas => canvas.getRootNode().activeElement !== canvas"):
        page.keyboard.press("Shift+Tab")
    assert page.locator(".stage").evaluate("stage => getComputedStyle(stage).outlineWidth") == "3px"
    page.keyboard.press("Space")
    dot = pad.until(lambda facts: facts["ink"])
    assert dot["box"] == pytest.approx([134, 134, 155, 155], abs=1)
    page.keyboard.down("Space")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.up("Space")
    pad.until(lambda facts: facts["box"][2] == pytest.approx(205, abs=1) and facts["box"][0] == dot["box"][0])
    expect(page.locator(".spoken")).to_contain_text("Most likely: Trouser")
    page.keyboard.press("Control+z")
    pad.until(lambda facts: facts["box"] == dot["box"])
    page.keyboard.press("Control+Shift+z")
    pad.until(lambda facts: facts["box"][2] > dot["box"][2])
    expect(page.locator(".spoken")).to_contain_text("Most likely: Trouser")
    page.keyboard.press("Shift+ArrowUp")
    expect(page.locator(".spoken")).to_have_text("Row 10, column 20.")


def test_page_switch_and_reload_keep_the_drawing(pad):
    pad.stroke((60, 60), (200, 200))
    ink = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())["ink"]
    pad.page.get_by_role("link", name="Other").click()
    expect(pad.page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    pad.page.get_by_role("link", name="Pad").click()
    pad.surface.wait_for()
    pad.until(lambda facts: facts["ink"] == ink)
    assert pad.shown() == ink
    pad.press("undo")
    pad.until(lambda facts: facts["ink"] == 0)
    pad.press("redo")
    pad.until(lambda facts: facts["ink"] == ink)
    pad.page.reload()
    pad.surface.wait_for()
    pad.until(lambda facts: facts["ink"] == ink)
    assert pad.shown() == ink


def test_a_stroke_just_before_a_page_switch_is_not_lost(pad):
    pad.page.get_by_text("slow").click()
    pad.page.wait_for_timeout(1000)
    pad.stroke((60, 60), (200, 60))
    pad.stroke((60, 200), (200, 200))
    shown = pad.shown()
    pad.page.get_by_role("link", name="Other").click()
    expect(pad.page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    pad.page.get_by_role("link", name="Pad").click()
    pad.surface.wait_for()
    assert pad.shown() == shown
    pad.until(lambda facts: facts["ink"] == shown)


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
    assert pad.shown() == 20 * 8 * 100
    pad.stroke((20, 20), (60, 20))
    assert pad.until(lambda facts: facts["ink"] == pad.shown() > 20 * 8 * 100)["placed"] is True
    pad.press("undo")
    pad.press("undo")
    assert pad.until(lambda facts: facts["ink"] == ink)["placed"] is False


def test_touch_draws_and_does_not_scroll(server, visit):
    page = visit(server.url, viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    pad = Pad(page)
    pad.surface.scroll_into_view_if_needed()
    box = pad.surface.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        spots = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    send("touchStart", (140, 240))
    for y in range(230, 30, -10):
        send("touchMove", (140, y))
    send("touchEnd")
    facts = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    assert facts["box"] == pytest.approx([129, 29, 150, 250], abs=3)
    assert pad.surface.bounding_box() == box
    bars = page.locator(".bars").bounding_box()
    assert bars["y"] > box["y"] + 280
    assert bars["x"] + bars["width"] <= 390
    assert visit.errors == []


def test_pressure_widens_the_line(pad):
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
        }""",
        [box["x"], box["y"]],
    )
    facts = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    left, top, right, bottom = facts["box"]
    assert bottom - top + 1 == pytest.approx(22 * 1.6, abs=2)
    assert 60 - left < right - 220


def test_a_second_finger_changes_nothing(pad):
    pad.stroke((60, 60), (100, 60), lift=False)
    box = pad.surface.bounding_box()
    pad.surface.evaluate(
        """(canvas, [x, y]) => canvas.dispatchEvent(new PointerEvent('pointerdown', {
            pointerId: 77, pointerType: 'touch', bubbles: true, clientX: x + 200, clientY: y + 200,
        }))""",
        [box["x"], box["y"]],
    )
    pad.page.mouse.up()
    facts = pad.until(lambda facts: facts["ink"] and facts["ink"] == pad.shown())
    assert facts["box"][3] < 100


def test_a_forged_value_is_answered_in_one_line(server, visit):
    page = visit("about:blank")
    page.add_init_script("window.btoa = () => 'forged';")
    page.goto(server.url)
    pad = Pad(page)
    pad.stroke((60, 60), (200, 60))
    expect(page.locator(".note.problem")).to_contain_text("cannot be read")
    assert pad.facts()["ink"] == 0
    assert page.locator("[data-testid=stException]").count() == 0


def test_the_script_is_small():
    from explorer.ui.canvas import component

    folder = component._FOLDER
    assert (folder / "canvas.js").stat().st_size < 20_000
