"""The grid of images on the server's side: what is sent, and what a browser may send back."""

import base64
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.ui.kit.tiles import Note, Tile
from explorer.ui.kit.tiles import component as tiles_component
from explorer.ui.kit.tiles.component import valid

NASTY = "<img src=x onerror=alert(1)>"
ROWS = frozenset({3, 7})


@pytest.fixture
def mounted(monkeypatch):
    """What was handed to the browser, and a way to answer for it."""
    state, sent = {}, {}

    def mount(**given):
        sent.update(given)
        return {}

    monkeypatch.setattr(tiles_component, "_mount", mount)
    monkeypatch.setattr(tiles_component.st, "session_state", state)

    def answer(value):
        state[sent["key"]] = {"picked": value}
        sent["on_picked_change"]()

    return sent, answer


def items(*rows, shape=(4, 5)):
    random = np.random.default_rng(0)
    return [Tile(row, random.integers(0, 256, shape, dtype=np.uint8), f"class {row}") for row in rows]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_the_sheet_holds_every_image_as_it_is(mounted, shape):
    shown = items(3, 7, 1, shape=shape)
    tiles_component.tiles("x", shown, scale=4)
    data = json.loads(json.dumps(mounted[0]["data"]))
    assert data["sheet"].startswith("data:image/png;base64,")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["sheet"].partition(",")[2]))))
    np.testing.assert_array_equal(sheet, np.concatenate([item.image for item in shown]))
    assert (data["width"], data["height"]) == (20, 16)
    assert [tile["row"] for tile in data["tiles"]] == [3, 7, 1]


def test_words_go_as_data_and_are_spoken_with_right_and_wrong(mounted):
    image = np.zeros((4, 4), np.uint8)
    notes = (Note("A cat 98.0%", True), Note(NASTY, False), Note("d = 1.00"))
    tiles_component.tiles("x", [Tile(3, image, NASTY, notes), Tile(4, image, "dog", description="a dog\nor not")])
    first, second = mounted[0]["data"]["tiles"]
    assert first["title"] == NASTY
    assert [note["right"] for note in first["notes"]] == [True, False, None]
    assert first["description"] == f"{NASTY}; A cat 98.0%, right; {NASTY}, wrong; d = 1.00"
    assert second["description"] == "a dog or not"
    assert (first["more"], second["more"]) == ("", "a dog or not")


def test_a_click_tells_its_row(mounted):
    picked = []
    assert tiles_component.tiles("x", items(3, 7), on_pick=picked.append) is None
    mounted[1](7)
    assert picked == [7]


@pytest.mark.parametrize("value", [None, "7", 7.0, True, 8, -1, [7], {"row": 7}, math.nan, 10**30])
def test_a_forged_click_is_no_click(mounted, value):
    picked = []
    tiles_component.tiles("x", items(1, 3, 7), on_pick=picked.append)
    mounted[1](value)
    assert picked == []


@settings(max_examples=100, deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_only_rows_of_the_grid_are_valid(value):
    assert valid(value, ROWS) in (None, 3, 7)
    assert (valid(value, ROWS) is not None) == (type(value) is int and value in ROWS)


def test_tiles_that_do_not_fit_are_refused(mounted):
    for wrong, message in (
        (items(3, 3), "row of its own"),
        ([*items(3), *items(4, shape=(2, 2))], "one shape"),
    ):
        with pytest.raises(ValueError, match=message):
            tiles_component.tiles("x", wrong)
    with pytest.raises(ValueError, match="scale"):
        tiles_component.tiles("x", items(3), scale=0)


def page():
    import numpy as np
    import streamlit as st

    from explorer.ui.kit.tiles import Tile, tiles

    tiles("empty", [])
    row = tiles("some", [Tile(3, np.zeros((28, 28), np.uint8), "one")], selected=3)
    st.text(f"clicked: {row}")


def test_a_grid_is_one_element_of_a_page():
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert len(app.get("bidi_component")) == 2
    assert app.text[0].value == "clicked: None"
