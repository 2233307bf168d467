"""The page Draw without a browser: what the server says of what lies on the canvas."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors

from explorer.analysis.drawings.gradient_steps import step_towards
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.data.preparation.pipeline import Normalisation, Steps, prepare_drawing, prepare_photo, read_picture
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint
from explorer.ui.canvas import SIDE, Drawing
from explorer.ui.draw import start
from explorer.ui.draw.predictions import ModelPrediction
from explorer.ui.kit import reference as kit_reference

KEY = "canvas:draw"


class Waiting:
    """A piece of work that is never over."""

    result = problem = None
    is_over = False


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Leave the validation images alone, except where a test asks for them."""
    monkeypatch.setattr(kit_reference, "job", lambda model, dataset: Waiting)


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption, *app.error, *app.warning, *app.info)]


def said(app, part):
    return next((text for text in texts(app) if part in plain(text)), "")


def plain(text):
    return text.replace("\\", "")


def html(app):
    return "".join(element.proto.body for element in app.get("html"))


def parameter(app, name):
    value = app.query_params.get(name)
    return value if isinstance(value, str) or value is None else value[0]


def button(app, key):
    return next(button for button in app.button if button.key == key)


def small():
    return load_checkpoint(imported_folder() / "small.safetensors")


def probabilities(image, reference=None):
    classifier = (reference or small()).classifier()
    with torch.no_grad():
        return classifier(to_pixels(image[None])).double().softmax(1)[0].numpy()


@pytest.fixture
def drawing():
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60:220, 100:180] = 255
    return Drawing(pixels, revision=1)


@pytest.fixture
def drawn(open_page, run, drawing):
    """Open the page with the drawing on the canvas."""

    def start(**parameters):
        app = open_page("draw", checkpoint="small", **parameters)
        app.session_state[KEY] = drawing
        app.run()
        assert not app.exception
        return app

    return start


def image_of(drawing, **steps):
    return prepare_drawing(drawing.pixels, "fashion-mnist", steps=Steps(**steps)).image


def test_without_a_checkpoint_it_says_what_to_do(open_page):
    app = open_page("draw")
    assert not app.exception
    assert said(app, "No checkpoint for")


@pytest.mark.parametrize("part", ["predict", "glass-box", "target", "challenges", "collect"])
def test_an_empty_canvas_predicts_nothing(open_page, run, part):
    app = open_page("draw", checkpoint="small", part=part, meant="Bag")
    assert not app.exception
    assert said(app, "canvas is empty")
    assert not said(app, "The model says")


def test_the_drawing_is_predicted_as_the_model_sees_it(drawn, drawing):
    app = drawn(meant="Bag")
    shares, classes = probabilities(image_of(drawing)), small().classes
    order = np.argsort(-shares)
    verdict = plain(said(app, "The model says"))
    assert f"**{classes[order[0]]}** with {shares[order[0]]:.1%}" in verdict
    assert f"{shares[classes.index('Bag')]:.1%}" in verdict or "That is what you meant" in verdict
    assert f"{-np.log(shares[classes.index('Bag')]):.3f}" in verdict
    three = plain(said(app, "first **"))
    assert [three.index(f"**{classes[k]}** ({shares[k]:.1%})") for k in order[:3]] == sorted(
        three.index(f"**{classes[k]}**") for k in order[:3]
    )


def test_several_models_look_at_the_same_drawing(open_page, drawn, drawing, run):
    assert "gone" in said(open_page("draw", checkpoint="small", models="gone"), "There is no model")
    app = drawn(models=f"{run.id},gone")
    shares = probabilities(image_of(drawing), load_checkpoint(run.weights(2)))
    line = plain(said(app, "Ann's *first*"))
    assert f"**{small().classes[int(shares.argmax())]}** {shares.max():.1%}" in line
    assert parameter(app, "models") == run.id
    (table,) = app.dataframe
    assert table.value["Confidence"].tolist()[1] == f"{shares.max():.1%}"


def test_a_link_puts_an_image_on_the_canvas_once(open_page, run, drawing):
    app = open_page("draw", checkpoint="small", image="3")
    image = load_split("fashion-mnist", "test").images[3]
    assert np.array_equal(app.session_state[KEY].pixels[::10, ::10], image)
    assert parameter(app, "image") == "3"
    assert "Image 3 of the test split, Trouser" in html(app)
    app.session_state[KEY] = Drawing(drawing.pixels, 9, app.session_state[KEY].generation)
    app.run()
    assert np.array_equal(app.session_state[KEY].pixels, drawing.pixels)
    assert "image" not in app.query_params


def test_the_mean_of_a_class_is_that_of_its_training_images(open_page, run):
    app = open_page("draw", checkpoint="small", image="mean-1")
    train = load_split("fashion-mnist", "train")
    mean = train.images[train.labels == 1].mean(0)
    assert np.abs(app.session_state[KEY].pixels[::10, ::10] - mean).max() <= 0.5


@pytest.mark.parametrize("image", ["10000", "-1", "mean-10", "../x", "", "9" * 5000])
def test_an_image_that_is_not_there_is_said(open_page, run, image):
    app = open_page("draw", checkpoint="small", image=image)
    assert not app.exception
    assert "There is no image" in said(app, "There is no image")
    assert KEY not in app.session_state


def test_a_random_image_of_a_class_can_be_edited(open_page, run):
    app = open_page("draw", checkpoint="small", meant="Trouser")
    app.session_state[start.MENU] = True
    app.run()
    button(app, "start-random").click().run()
    assert not app.exception
    row = int(parameter(app, "image"))
    split = load_split("fashion-mnist", "test")
    assert split.labels[row] == 1
    assert np.array_equal(app.session_state[KEY].pixels[::10, ::10], split.images[row])


def picture(angle=0):
    """A dark garment on light ground, as PNG."""
    pixels = np.full((300, 200, 3), 235, np.uint8)
    pixels[60:260, 40:160] = (40, 60, 120)
    out = io.BytesIO()
    Image.fromarray(pixels).rotate(angle, fillcolor=(235, 235, 235)).save(out, "PNG")
    return out.getvalue()


def upload(app, content):
    app.session_state[start.MENU], app.session_state[start.KIND] = True, start.PHOTO
    app.run()
    return app.file_uploader(key=start.UPLOAD).upload("my *bag*.png", content, "image/png").run()


def test_a_photo_is_prepared_as_the_set_was(open_page, run):
    app = upload(open_page("draw", checkpoint="small", part="glass-box", off="scale"), picture())
    assert not app.exception
    photo, metadata = read_picture(picture()), small()
    on_canvas = prepare_photo(photo, "fashion-mnist").image
    assert np.array_equal(app.session_state[KEY].pixels[::10, ::10], on_canvas)
    normalisation = Normalisation(metadata.mean, metadata.std)
    seen = prepare_photo(photo, "fashion-mnist", Steps(scale=False), normalisation).image
    assert f"{probabilities(seen).max():.1%}" in said(app, "The model says")
    assert "Even ground" in html(app)
    assert "my *bag*.png" in html(app)


def test_a_bad_photo_is_one_message_and_nothing_is_lost(drawn, drawing):
    app = upload(drawn(), b"no picture")
    assert not app.exception
    assert [plain(error.value) for error in app.error] == [
        "my *bag*.png is no picture. Use PNG, JPEG, GIF, BMP, WebP or TIFF."
    ]
    assert np.array_equal(app.session_state[KEY].pixels, drawing.pixels)


@pytest.mark.parametrize(
    ("url", "reaches"),
    [
        ("http://localhost:8501/draw", True),
        ("http://127.0.0.5:8501", True),
        ("http://[::1]:8501", True),
        ("https://lab.example.org", True),
        ("http://192.168.0.7:8501", False),
        ("http://localhost.example.org", False),
        (None, False),
    ],
)
def test_the_camera_needs_https_or_this_machine(url, reaches):
    assert start.reaches_devices(url) is reaches


def test_the_glass_box_shows_every_step_and_what_it_changes(drawn, drawing):
    app = drawn(part="glass-box", off="crop")
    metadata = small()
    top = int(probabilities(image_of(drawing, crop=False)).argmax())
    assert "cropped" in said(app, "Switched off")
    body = html(app)
    assert "With it" in body
    with_crop = probabilities(image_of(drawing))[top]
    without_scale = probabilities(image_of(drawing, crop=False, scale=False))[top]
    shown = re.findall(rf"(With|Without) it:</b> {metadata.classes[top]} ([0-9.]+%)", body)
    assert ("With", f"{with_crop:.1%}") in shown
    assert ("Without", f"{without_scale:.1%}") in shown
    pills = app.get("button_group")
    assert pills


def test_unknown_steps_in_a_link_are_ignored(open_page, run):
    app = open_page("draw", checkpoint="small", off="crop,launch")
    assert "launch" in said(app, "There is no step")
    assert parameter(app, "off") == "crop"


def test_the_target_says_how_far_it_is_and_a_step_brings_it_nearer(drawn, drawing):
    app = drawn(part="target", meant="Bag")
    image, classes = image_of(drawing), small().classes
    shares = probabilities(image)
    bag = classes.index("Bag")
    values = {metric.label: metric.value for metric in app.metric}
    assert values == {
        "Probability": f"{shares[bag]:.1%}",
        "Loss": f"{-np.log(shares[bag]):.3f}",
        "Rank": f"{1 + (shares > shares[bag]).sum()} of 10",
    }
    expected = step_towards(small().classifier(), image, bag)
    button(app, "step-one").click().run()
    assert not app.exception
    assert np.array_equal(app.session_state[KEY].pixels[::10, ::10], expected.image)
    assert f"{expected.after[bag]:.1%}" in said(app, "1 step taken")
    assert expected.after[bag] > shares[bag]


def test_the_nearest_training_images_are_those_of_scikit_learn(drawn, drawing):
    from explorer.data import catalog
    from explorer.ui.draw import target

    train, image = load_split("fashion-mnist", "train"), image_of(drawing)
    rows = np.flatnonzero(train.labels == 8)
    neighbours = NearestNeighbors(n_neighbors=target.NEAREST).fit(train.images[rows].reshape(len(rows), -1) / 255)
    distances, places = neighbours.kneighbors(image.reshape(1, -1) / 255)
    checksum = catalog.get("fashion-mnist").checksum
    found, away = target._nearest_of(image.tobytes(), checksum, "fashion-mnist", 8)
    assert found == rows[places[0]].tolist()
    assert np.array(away) / 255 == pytest.approx(distances[0])


def test_noise_is_none_of_these_and_a_garment_is(run):
    from explorer.analysis.drawings.out_of_distribution import OutOfDistributionDetector

    test = load_split("fashion-mnist", "test")
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    model = type("Model", (), {"checkpoint": small()})
    learnt = kit_reference._learn(small(), "fashion-mnist", small().classifier())
    assert isinstance(learnt.detector, OutOfDistributionDetector)
    for image, novel in ((noise, True), (test.images[0], False)):
        view = ModelPrediction(np.log(probabilities(image)), model)
        logits = small().classifier()(to_pixels(image[None])).double().detach().numpy()[0]
        assert softmax(logits) == pytest.approx(probabilities(image))
        assert learnt.judge(logits, image).novel is novel
        assert learnt.judge(logits, image) is learnt.judge(logits.copy(), image.copy())
        assert view.predicted == int(logits.argmax())


def test_confidence_is_held_against_the_validation_images():
    confidence = np.r_[np.full(30, 0.85), np.full(5, 0.95), np.full(40, 1.0)]
    found = kit_reference.Known(None, confidence, np.r_[np.arange(30) < 21, np.ones(45, bool)])
    assert found.trust(0.8) == kit_reference.Trust(0.8, 0.9, 21, 30)
    assert found.trust(0.95) is None
    assert found.trust(1.0) == kit_reference.Trust(0.99, 1.0, 40, 40)


def test_ink_too_faint_to_prepare_is_a_message(open_page, run):
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[0, 0] = 1
    app = open_page("draw", checkpoint="small")
    app.session_state[KEY] = Drawing(pixels, revision=1)
    app.run()
    assert not app.exception
