import numpy as np
import torch

from explorer.analysis.attribution import input_gradient
from explorer.analysis.predictions import to_pixels
from explorer.data.splits import load_split
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import load_checkpoint
from explorer.ui import cache, state


def test_the_page_shows_image_prediction_and_three_maps(open_page, run):
    app = open_page("explain", checkpoint="small")
    assert not app.exception
    assert app.title[0].value == "Explain"
    classifier = load_checkpoint(imported_folder() / "small.safetensors").classifier()
    split = load_split("fashion-mnist", "test")
    with torch.no_grad():
        predicted = int(classifier(to_pixels(split.images[:1])).argmax())
    names = load_checkpoint(imported_folder() / "small.safetensors").classes
    text = "\n".join(element.value for element in (*app.markdown, *app.subheader))
    assert f"**{names[int(split.labels[0])]}**" in text
    assert f"Which pixels speak for {names[predicted]}?" in text
    files = {button.key for button in app.get("download_button")}
    assert {"file-input-gradient.csv", "file-integrated-gradients.csv", "file-occlusion.csv"} <= files


def test_random_and_mistake_choose_images(open_page, run):
    app = open_page("explain", checkpoint="small")
    app.button[_button(app, "A mistake")].click().run()
    assert not app.exception
    row = app.number_input(key="image").value
    predictions = cache.predictions(state.Selection("fashion-mnist", "small", None, "test"))
    assert not predictions.correct[row]
    seen = {app.button[_button(app, "Random")].click().run().number_input(key="image").value for _ in range(4)}
    assert len(seen) > 1


def test_an_image_beyond_a_smaller_split_is_brought_back(open_page, run):
    app = open_page("explain", checkpoint="small")
    app.number_input(key="image").set_value(9_999).run()
    app.segmented_control(key="split").set_value("validation").run()
    assert not app.exception
    assert app.number_input(key="image").value == 5_999


def test_the_target_can_be_any_class(open_page, run):
    app = open_page("explain", checkpoint="small")
    app.selectbox(key="target").set_value("Bag").run()
    assert not app.exception
    assert app.subheader[0].value == "Which pixels speak for Bag?"


def test_the_map_is_that_of_the_method(run):
    selection = state.Selection("fashion-mnist", "small", None, "test")
    found = cache.attribution(selection, 3, "input-gradient", 5)
    classifier = load_checkpoint(imported_folder() / "small.safetensors").classifier()
    pixels = to_pixels(load_split("fashion-mnist", "test").images[3:4])
    np.testing.assert_allclose(
        found, input_gradient.attribute(classifier, pixels, torch.tensor([5]))[0, 0].numpy(), rtol=1e-6
    )
    weights = classifier.network[1].weight[5].detach().numpy().reshape(28, 28) / float(classifier.std)
    np.testing.assert_allclose(found, weights, rtol=1e-4, atol=1e-7)


def _button(app, label):
    return [button.label for button in app.button].index(label)
