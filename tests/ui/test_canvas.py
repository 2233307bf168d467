"""The canvas on the server's side: what a browser sends is checked, kept and given back."""

import base64
import io
import json
import math
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.errors import ImageError
from explorer.ui.canvas import BLANK, SIDE, Bars, Drawing, parse
from explorer.ui.canvas import component as canvas_component
from explorer.ui.canvas.bars import side_by_side
from explorer.ui.canvas.picture import LARGEST_PICTURE, picture_from
from explorer.ui.canvas.value import MOST_MILLISECONDS, MOST_STROKES, encode, from_image


def code(*pairs):
    return base64.b64encode(bytes(np.array(pairs, np.uint8).ravel())).decode()


def forged(**change):
    return encode(Drawing(np.full((SIDE, SIDE), 9, np.uint8), revision=3)) | change


# ---- over the wire


@settings(max_examples=40, deadline=None)
@given(image=arrays(np.uint8, (28, 28)), revision=st.integers(0, 2**53 - 1))
def test_a_drawing_survives_the_wire(image, revision):
    drawing = replace(from_image(image, "0af3", revision), strokes=7, milliseconds=1234)
    back = parse(json.loads(json.dumps(encode(drawing))))
    assert np.array_equal(back.pixels, drawing.pixels)
    assert (back.revision, back.generation, back.placed) == (revision, "0af3", True)
    assert (back.strokes, back.milliseconds) == (7, 1234)


def test_noise_survives_the_wire():
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    assert np.array_equal(parse(encode(Drawing(pixels))).pixels, pixels)


def test_a_parsed_drawing_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        parse(forged()).pixels[0, 0] = 1


full = [(255, 0)] * (SIDE * SIDE // 255)
rest = SIDE * SIDE % 255

FORGERIES = {
    "nothing": None,
    "a number": 7,
    "not a number": math.nan,
    "a string": "code",
    "a list": [1, 2, 3],
    "an empty object": {},
    "no code": {"revision": 1, "generation": "", "placed": False},
    "code is a list": forged(code=[1, 2]),
    "code is NaN": forged(code=math.nan),
    "code is empty": forged(code=""),
    "code is no base64": forged(code="<script>alert(1)</script>"),
    "code is not ASCII": forged(code="\u00e9" * 40),
    "one pixel short": forged(code=code(*full, (rest - 1, 0))),
    "one pixel too many": forged(code=code(*full, (rest + 1, 0))),
    "half a pair": forged(code=base64.b64encode(b"\x01\x02\x03").decode()),
    "runs of no length": forged(code=code((0, 0), *full, (rest, 0))),
    "enormous": forged(code="A" * 10**7),
    "revision is text": forged(revision="3"),
    "revision is a fraction": forged(revision=1.5),
    "revision is NaN": forged(revision=math.nan),
    "revision is true": forged(revision=True),
    "revision is negative": forged(revision=-1),
    "revision is beyond JavaScript": forged(revision=2**53),
    "generation is a number": forged(generation=1),
    "generation is markup": forged(generation="<b>"),
    "generation is long": forged(generation="a" * 33),
    "placed is a number": forged(placed=1),
    "no strokes": {name: value for name, value in forged().items() if name != "strokes"},
    "strokes are text": forged(strokes="3"),
    "strokes are NaN": forged(strokes=math.nan),
    "strokes are a fraction": forged(strokes=2.5),
    "strokes are true": forged(strokes=True),
    "strokes are negative": forged(strokes=-1),
    "strokes are huge": forged(strokes=MOST_STROKES + 1),
    "no milliseconds": {name: value for name, value in forged().items() if name != "milliseconds"},
    "milliseconds are NaN": forged(milliseconds=math.nan),
    "milliseconds are infinite": forged(milliseconds=math.inf),
    "milliseconds are a list": forged(milliseconds=[5]),
    "milliseconds are negative": forged(milliseconds=-1),
    "milliseconds are huge": forged(milliseconds=MOST_MILLISECONDS + 1),
}


@pytest.mark.parametrize("value", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_value_is_refused(value):
    with pytest.raises(ImageError, match="cannot be read"):
        parse(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["code", "revision", "generation", "placed", "strokes", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(value=json_values)
def test_any_json_is_refused_or_a_drawing(value):
    try:
        drawing = parse(value)
    except ImageError:
        return
    assert drawing.pixels.shape == (SIDE, SIDE)


@pytest.mark.parametrize("image", [np.zeros((27, 28), np.uint8), np.zeros((28, 28)), np.zeros((28, 28, 3), np.uint8)])
def test_only_a_finished_image_is_put_on_the_canvas(image):
    with pytest.raises(ImageError, match="28 x 28"):
        from_image(image, "", 1)


# ---- bars


@pytest.mark.parametrize(
    "change",
    [
        {"colours": ("#112233",)},
        {"colours": ("red", "url(x)")},
        {"probabilities": (0.5,)},
        {"probabilities": (0.5, math.nan)},
        {"probabilities": (1.5, -0.5)},
        {"target": 2},
        {"target": -1},
    ],
)
def test_bars_that_do_not_fit_are_refused(change):
    parts = {
        "classes": ("a", "b"),
        "colours": ("#112233", "#445566"),
        "probabilities": (0.2, 0.8),
        "target": 1,
    }
    with pytest.raises(ValueError, match=r"classes|Colours"):
        Bars(**(parts | change))


def test_bars_take_numpy_numbers():
    shares = np.array([0.25, 0.75])
    bars = Bars(("a", "b"), ("#112233", "#445566"), shares)
    assert json.loads(json.dumps(vars(bars)))["probabilities"] == [0.25, 0.75]


def test_bars_of_several_models_go_side_by_side():
    one = Bars(("a", "b"), ("#112233", "#445566"), (0.25, 0.75), target=1, title="one")
    two = replace(one, probabilities=None, title="two")
    sent = json.loads(json.dumps(side_by_side([one, two])))
    assert [each["title"] for each in sent] == ["one", "two"]
    assert [each["probabilities"] for each in sent] == [[0.25, 0.75], None]
    assert side_by_side(one) == side_by_side([one])
    assert side_by_side(None) == side_by_side([]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": ("a", "c")}, "share their classes"),
        ({"colours": ("#112233", "#445567")}, "colours"),
        ({"target": 0}, "target"),
        ({"title": ""}, "title each"),
    ],
)
def test_bars_that_cannot_be_compared_are_refused(change, words):
    one = Bars(("a", "b"), ("#112233", "#445566"), (0.25, 0.75), target=1, title="one")
    with pytest.raises(ValueError, match=words):
        side_by_side([one, replace(one, **change)])


def test_five_models_are_too_many():
    one = Bars(("a",), ("#112233",), title="one")
    assert len(side_by_side([one] * 4)) == 4
    with pytest.raises(ValueError, match="At most 4"):
        side_by_side([one] * 5)


# ---- a pasted picture


def png(width=30, height=20):
    file = io.BytesIO()
    Image.new("RGBA", (width, height), (9, 8, 7, 255)).save(file, "PNG")
    return file.getvalue()


def in_base64(content):
    return base64.b64encode(content).decode()


def head(width, height, signature=b"\x89PNG\r\n\x1a\n"):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return in_base64(signature + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))


@pytest.mark.parametrize("size", [(1, 1), (512, 3), (512, 512)])
def test_a_pasted_picture_survives_the_wire(size):
    content = png(*size)
    assert picture_from(json.loads(json.dumps(in_base64(content)))) == content


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        math.nan,
        True,
        [png().hex()],
        {"picture": in_base64(png())},
        png(),
        "",
        "\u00e9" * 40,
        "<script>alert(1)</script>",
        in_base64(png())[:-1] + "!",
        in_base64(png()[:20]),
        in_base64(b"GIF89a" + png()),
        head(512, 512, b"\x89PNG\n\r\x1a\n"),
        head(513, 4),
        head(4, 100_000),
        head(0, 4),
        in_base64(png() + b"0" * LARGEST_PICTURE),
    ],
)
def test_a_forged_picture_is_refused(value):
    with pytest.raises(ImageError, match="cannot be read"):
        picture_from(value)


# ---- in a session


def page():
    import numpy as np
    import streamlit as st

    from explorer.ui import canvas

    if st.button("load"):
        canvas.load("pad", np.full((28, 28), 50, np.uint8))
    if st.button("empty"):
        canvas.load("pad", None)
    bars = canvas.Bars(("<b>one</b>", "two"), ("#112233", "#445566"), (0.25, 0.75), target=0)
    drawing = canvas.canvas("pad", bars=bars, on_paste=print, on_upload=print)
    st.text("blank" if drawing is None else f"{drawing.pixels.mean():.0f} {drawing.revision} {drawing.placed}")


def run(**state):
    test = AppTest.from_function(page)
    for name, value in state.items():
        test.session_state[name] = value
    return test.run()


def test_a_new_canvas_is_blank():
    test = run()
    assert not test.exception
    assert test.text[0].value == "blank"


def test_the_session_keeps_the_drawing():
    kept = Drawing(np.full((SIDE, SIDE), 77, np.uint8), revision=5)
    assert run(**{"canvas:pad": kept}).text[0].value == "77 5 False"


def test_what_is_no_drawing_in_the_session_counts_as_blank():
    assert run(**{"canvas:pad": "nonsense"}).text[0].value == "blank"


def test_load_puts_an_image_on_the_canvas_and_takes_it_off():
    test = run(**{"canvas:pad": Drawing(np.full((SIDE, SIDE), 77, np.uint8), revision=5)})
    test.button[0].click().run()
    assert test.text[0].value == "50 6 True"
    generation = test.session_state["canvas:pad"].generation
    test.button[0].click().run()
    assert test.session_state["canvas:pad"].generation not in ("", generation)
    test.button[1].click().run()
    assert test.text[0].value == "blank"


# ---- what arrives, in a stand-in for the session


@pytest.fixture
def session(monkeypatch):
    state = {}
    monkeypatch.setattr(canvas_component.st, "session_state", state)

    def send(value):
        state["canvas-widget:pad"] = {"drawing": value}
        canvas_component._receive("pad")
        return canvas_component._stored("pad"), state.get("canvas-problem:pad")

    return state, send


def sent(grey, revision, generation=""):
    return encode(Drawing(np.full((SIDE, SIDE), grey, np.uint8), revision, generation))


def test_a_sent_drawing_is_kept(session):
    drawing, problem = session[1](sent(40, 2))
    assert drawing.pixels.max() == 40
    assert problem is None


def test_a_forged_value_keeps_the_last_good_drawing_and_says_so(session):
    _, send = session
    send(sent(40, 2))
    drawing, problem = send({"code": "zzz"})
    assert drawing.pixels.max() == 40
    assert "cannot be read" in problem
    assert send(sent(41, 3))[1] is None


def test_a_stroke_on_a_picture_that_was_replaced_is_dropped(session):
    state, send = session
    state["canvas:pad"] = from_image(np.full((28, 28), 50, np.uint8), "aa", 4)
    assert send(sent(40, 9))[0].pixels.max() == 50
    assert send(sent(60, 5, "aa"))[0].pixels.max() == 60


def test_an_older_revision_does_not_return(session):
    _, send = session
    send(sent(40, 5))
    assert send(sent(30, 4))[0].pixels.max() == 40


def test_a_new_session_takes_what_the_browser_still_holds(session):
    assert session[1](sent(40, 12, "bb"))[0].generation == "bb"


def test_a_missing_value_is_answered_not_raised(session):
    state, _ = session
    canvas_component._receive("pad")
    assert canvas_component._stored("pad") is BLANK
    assert "cannot be read" in state["canvas-problem:pad"]


@pytest.mark.parametrize("value", [None, 7, "text", [1, 2]])
def test_a_state_of_another_shape_is_refused(session, value):
    state, send = session
    send(sent(40, 2))
    state["canvas-widget:pad"] = value
    canvas_component._receive("pad")
    assert canvas_component._stored("pad").pixels.max() == 40
    assert "cannot be read" in state["canvas-problem:pad"]


def test_cells_are_counted_against_the_image_that_was_loaded(session):
    _, send = session
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    canvas_component.load("pad", image)
    start = canvas_component._stored("pad")
    assert canvas_component.changed("pad") == 0
    pixels = start.pixels.copy()
    pixels[:20, :30] = 255 - pixels[:20, :30]
    pixels[205, 205] ^= 1  # a hundredth of a cell by one grey level: the model sees the same
    send(encode(replace(start, pixels=pixels, revision=9)))
    assert canvas_component.changed("pad") == 6


def test_cells_are_counted_against_the_empty_canvas(session):
    _, send = session
    assert canvas_component.changed("pad") == 0
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[100:110, 100:130] = 9
    send(encode(Drawing(pixels, revision=1)))
    assert canvas_component.changed("pad") == 3
    canvas_component.load("pad", None)
    assert canvas_component.changed("pad") == 0


def test_a_later_change_of_the_loaded_array_does_not_move_the_start(session):
    image = np.full((28, 28), 50, np.uint8)
    canvas_component.load("pad", image)
    image[0] = 60
    assert canvas_component.changed("pad") == 0


def test_the_start_is_unknown_to_a_new_session(session):
    session[1](sent(40, 12, "bb"))
    assert canvas_component.changed("pad") is None


def test_a_pasted_picture_reaches_the_page(session):
    state, got = session[0], []
    state["canvas-widget:pad"] = {"picture": in_base64(png()), "drawing": None}
    canvas_component._paste("pad", got.append)
    assert got == [png()]
    assert "canvas-problem:pad" not in state


def test_a_forged_picture_does_not_reach_the_page_and_says_so(session):
    state, got = session[0], []
    state["canvas-widget:pad"] = {"picture": "forged"}
    canvas_component._paste("pad", got.append)
    assert got == []
    assert "cannot be read" in state["canvas-problem:pad"]


def test_what_the_page_finds_wrong_with_a_picture_is_shown(session):
    state, _ = session
    state["canvas-widget:pad"] = {"picture": in_base64(png())}

    def refuse(_content):
        raise ImageError("Only one shade.")

    canvas_component._paste("pad", refuse)
    assert state["canvas-problem:pad"] == "Only one shade."
    canvas_component._paste("pad", None)
    assert state["canvas-problem:pad"] == "Only one shade."
    canvas_component._paste("pad", lambda _content: None)
    assert "canvas-problem:pad" not in state
