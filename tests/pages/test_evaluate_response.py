"""The section Any image: images of the split, uploads good and bad, and the drawing."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from explorer.analysis.evaluation.prediction_files import save_predictions
from explorer.analysis.evaluation.predictions import Predictions, to_pixels
from explorer.data.preparation.pipeline import prepare_drawing
from explorer.data.splits import load_split
from explorer.errors import ImageError
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint
from explorer.ui.canvas import SIDE, Drawing
from explorer.ui.kit import image_picker, reference


def said(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info, *app.error))


def logits(image):
    with torch.no_grad():
        return load_checkpoint(imported_folder() / "small.safetensors").classifier()(to_pixels(image[None]))[0].double()


def encoded(picture, form="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def shoe():
    """A dark shape on a light ground, wider than high, with its mass at the right."""
    pixels = np.full((60, 90), 250, np.uint8)
    pixels[30:50, 10:80] = 20
    pixels[12:30, 60:80] = 20
    return Image.fromarray(pixels)


def test_an_image_of_the_split_stands_beside_its_target(open_page, run):
    split = load_split("fashion-mnist", "test")
    app = open_page("evaluate", checkpoint="small", section="Any image", number="23")
    assert not app.exception
    output, label = logits(split.images[23]), int(split.labels[23])
    shares = output.softmax(0)
    squared = ((shares - functional.one_hot(torch.tensor(label), 10)) ** 2).sum().item()
    assert f"**{squared:.3f}**" in said(app)
    assert f"**{functional.cross_entropy(output, torch.tensor(label)).item():.3f} nats**" in said(app)
    assert f"**{int((output > output[label]).sum()) + 1} of 10**" in said(app)
    table = app.dataframe[0].value
    assert table["Target"].tolist() == [str(int(number == label)) for number in range(10)]
    assert table["Logit"].tolist() == [f"{value:+.2f}" for value in output.tolist()]
    assert table["Probability"].tolist() == [f"{100 * value:.2f}%" for value in shares.tolist()]
    app.segmented_control(key="bars").set_value("logits").run()
    assert not app.exception


def test_another_image_is_one_click_away(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Any image")
    app.button(key="response-wrong").click().run()
    assert not app.exception
    number = app.number_input(key="number").value
    assert app.query_params.get("number", "0") == str(number)
    split = load_split("fashion-mnist", "test")
    assert int(logits(split.images[number]).argmax()) != split.labels[number]
    assert "×" in said(app)


def test_the_drawing_is_judged_as_prepared(open_page, run):
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60:220, 100:180] = 255
    app = open_page("evaluate", checkpoint="small", section="Any image", input="drawing")
    assert "canvas is empty" in said(app)
    app.session_state["canvas:draw"] = Drawing(pixels, revision=1)
    app.run()
    assert not app.exception
    output = logits(prepare_drawing(pixels, "fashion-mnist").image)
    assert app.dataframe[0].value["Logit"].tolist() == [f"{value:+.2f}" for value in output.tolist()]
    assert app.dataframe[0].value["Target"].tolist() == ["–"] * 10
    app.selectbox(key="meant-class").set_value(3).run()
    assert f"**{functional.cross_entropy(output, torch.tensor(3)).item():.3f} nats**" in said(app)


def test_an_upload_is_judged_and_a_bad_one_gives_one_message(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Any image", input="upload")
    assert not app.exception
    app.get("file_uploader")[0].set_value(("shoe.png", encoded(shoe()), "image/png")).run()
    assert not app.exception
    assert "The model says" in said(app)
    app.get("file_uploader")[0].set_value(("<b>x*.png", b"no picture at all", "image/png")).run()
    assert not app.exception
    (error,) = app.error
    assert "is no picture" in error.value
    assert "\\<b\\>" in error.value
    assert "The model says" not in said(app)


def test_two_models_answer_side_by_side(open_page, run):
    app = open_page("evaluate", checkpoint="small", section="Any image", **{"with": run.id})
    assert not app.exception
    assert {"Logit of A", "Logit of B"} <= set(app.dataframe[0].value.columns)


def test_an_epoch_without_weights_answers_for_the_split_and_explains_for_an_upload(open_page, run):
    checkpoint = load_checkpoint(run.weights(1))
    for split in ("validation", "test"):
        found = Predictions.compute(checkpoint, load_split("fashion-mnist", split))
        save_predictions(run.predictions(split, 1), found, full=True)
    run.weights(1).unlink()
    app = open_page("evaluate", checkpoint=run.id, epoch="1", section="Any image")
    assert not app.exception
    assert app.dataframe[0].value["Logit"].tolist() == [f"{value:+.2f}" for value in found.logits[0].tolist()]
    app.segmented_control(key="input").set_value("upload").run()
    app.get("file_uploader")[0].set_value(("shoe.png", encoded(shoe()), "image/png")).run()
    assert not app.exception
    (error,) = app.error
    assert "weights of epoch 1" in error.value


GOOD = {
    "grey": lambda: encoded(shoe()),
    "16 bit": lambda: encoded(Image.fromarray(np.asarray(shoe()).astype(np.uint16) * 257)),
    "alpha": lambda: encoded(Image.merge("LA", (shoe(), Image.new("L", (90, 60), 255)))),
    "transparent ground": lambda: encoded(Image.merge("LA", (shoe(), shoe().point(lambda v: 255 * (v < 128))))),
    "animated": lambda: encoded(shoe(), "GIF", save_all=True, append_images=[Image.new("L", (90, 60), 9)] * 3),
    "palette": lambda: encoded(shoe().convert("P")),
    "colour": lambda: encoded(shoe().convert("RGB"), "JPEG", quality=95),
    "40 megapixels": lambda: encoded(shoe().resize((7746, 5164)), "JPEG", quality=60),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_sensible_picture_shows_the_shoe(name):
    plain = image_picker.prepared(GOOD["grey"](), "x", "fashion-mnist")
    given = image_picker.prepared(GOOD[name](), "x", "fashion-mnist")
    assert given.image.shape == (28, 28)
    assert given.image.dtype == np.uint8
    assert max(given.original.shape) <= 112
    alike = np.corrcoef(given.image.ravel().astype(float), plain.image.ravel().astype(float))[0, 1]
    assert alike > 0.9


def test_the_rotation_of_a_camera_is_applied():
    turned = shoe().rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    given = image_picker.prepared(encoded(turned.convert("RGB"), "JPEG", quality=95, exif=exif), "x", "fashion-mnist")
    plain = image_picker.prepared(encoded(shoe()), "x", "fashion-mnist")
    assert given.original.shape == plain.original.shape
    assert np.corrcoef(given.image.ravel().astype(float), plain.image.ravel().astype(float))[0, 1] > 0.9


def bomb():
    """A small PNG that says it has 900 million pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 9999))
        + chunk(b"IEND", b"")
    )


BAD = {
    "text": (lambda: b"hello", "is no picture"),
    "nothing": (lambda: b"", "is no picture"),
    "bomb": (bomb, "pixels"),
    "1x1": (lambda: encoded(Image.new("L", (1, 1))), "1 x 1 pixels"),
    "plain": (lambda: encoded(Image.new("L", (50, 50), 128)), "one single shade"),
    "cut off": (lambda: encoded(Image.effect_noise((90, 90), 80))[:900], "damaged"),
    "40 megapixels, not a JPEG": (lambda: encoded(Image.new("1", (8000, 5000))), "million pixels"),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_every_other_gives_one_message(name):
    content, message = BAD[name]
    with pytest.raises(ImageError, match=message):
        image_picker.prepared(content(), "x", "fashion-mnist")


@pytest.mark.parametrize("page", ["evaluate", "explain"])
def test_an_upload_that_is_none_of_these_is_said_to_be(open_page, run, page):
    small = load_checkpoint(imported_folder() / "small.safetensors")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8))
    garment = Image.fromarray(load_split("fashion-mnist", "test").images[0])
    app = open_page(page, checkpoint="small", section="Any image", input="upload")
    for picture, strange in ((noise, True), (garment, False)):
        app.get("file_uploader")[0].set_value(("picture.png", encoded(picture), "image/png")).run()
        reference.job(small, "fashion-mnist").wait(60)
        app.run()
        assert not app.exception
        assert ("None of these?" in said(app)) is strange
        assert ("looks like something the model knows" in said(app)) is not strange


def test_a_part_of_a_picture_is_judged_as_if_it_were_all():
    noise = np.zeros((200, 300), np.uint8)
    noise[150:, 200:] = 255  # something else beside the shoe
    part = np.full((200, 200), 255, np.uint8)
    part[60:140, 40:150] = 30
    whole = np.concatenate([part, noise], axis=1)
    given = image_picker.prepared(encoded(Image.fromarray(whole)), "x", "fashion-mnist", (0, 200, 0, 200))
    alone = image_picker.prepared(encoded(Image.fromarray(part)), "x", "fashion-mnist")
    assert np.array_equal(given.image, alone.image)
    assert np.array_equal(given.original, alone.original)
    assert not np.array_equal(
        image_picker.prepared(encoded(Image.fromarray(whole)), "x", "fashion-mnist").image, alone.image
    )


@pytest.mark.parametrize(
    ("rows", "columns", "box"),
    [
        ((0, 100), (0, 100), (0, 50, 0, 400)),
        ((10, 60), (25, 75), (5, 30, 100, 300)),
        ((100, 100), (0, 0), (42, 50, 0, 8)),
    ],
)
def test_the_box_is_that_of_the_sliders_and_never_too_small(monkeypatch, rows, columns, box):
    picture = np.zeros((50, 400), np.uint8)
    keys = image_picker._edges(picture)
    monkeypatch.setattr(image_picker.st, "session_state", dict(zip(keys, (rows, columns), strict=True)))
    assert image_picker.cropped(picture) == box
