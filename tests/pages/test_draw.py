import numpy as np
import pytest
import torch

from explorer.analysis.predictions import to_pixels
from explorer.data.drawing import prepare_drawing
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint
from explorer.ui.canvas import SIDE, Drawing

KEY = "canvas:draw"


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning)]


@pytest.fixture
def drawing():
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60:220, 100:180] = 255
    return Drawing(pixels, revision=1)


def test_without_a_checkpoint_it_says_what_to_do(open_page):
    app = open_page("draw")
    assert not app.exception
    assert any("No checkpoint for" in text for text in texts(app))


def test_an_empty_canvas_predicts_nothing(open_page, run):
    app = open_page("draw", checkpoint="small")
    assert not app.exception
    assert any("canvas is empty" in text for text in texts(app))
    assert not any("The model says" in text for text in texts(app))


def test_the_drawing_is_predicted_as_the_model_sees_it(open_page, run, drawing):
    app = open_page("draw", checkpoint="small", meant="Bag")
    app.session_state[KEY] = drawing
    app.run()
    assert not app.exception
    classifier = load_checkpoint(imported_folder() / "small.safetensors").classifier()
    image = prepare_drawing(drawing.pixels, "fashion-mnist").image
    with torch.no_grad():
        shares = classifier(to_pixels(image[None])).double().softmax(1)[0]
    classes = load_checkpoint(imported_folder() / "small.safetensors").classes
    said = next(text for text in texts(app) if "The model says" in text)
    assert classes[int(shares.argmax())].replace("/", "") in said.replace("\\", "").replace("/", "")
    assert f"{shares.max():.1%}" in said
    assert f"{shares[classes.index('Bag')]:.1%}" in said or "That is what you meant" in said
    loss = -torch.log(shares[classes.index("Bag")]).item()
    assert f"{loss:.3f}" in said


def test_a_test_image_of_the_target_can_be_edited(open_page, run):
    app = open_page("draw", checkpoint="small", meant="Trouser")
    next(button for button in app.button if button.label == "Start from a test image").click().run()
    assert not app.exception
    shown = app.session_state[KEY].pixels[::10, ::10]
    split = load_split("fashion-mnist", "test")
    (match,) = np.flatnonzero((split.images == shown).all(axis=(1, 2)))[:1]
    assert split.labels[match] == 1
    assert any("The model says" in text for text in texts(app))


def test_ink_too_faint_to_prepare_is_a_message(open_page, run):
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[0, 0] = 1
    app = open_page("draw", checkpoint="small")
    app.session_state[KEY] = Drawing(pixels, revision=1)
    app.run()
    assert not app.exception
