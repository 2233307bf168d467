"""The page Explain: its sections, what stands in the URL, and what is said where something is wrong."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import models
from explorer.analysis.adversarial.attacks import Attack
from explorer.analysis.attribution import METHODS, Target, grad_cam, input_gradient
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.data.splits import Split, load_split
from explorer.paths import SHIPPED_CHECKPOINTS, home
from explorer.store import catalog
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import FORMAT, Metadata, load_checkpoint, save_checkpoint
from explorer.store.runs import Status, create
from explorer.ui.canvas import SIDE, Drawing
from explorer.ui.explain import adversarial, gradients
from explorer.ui.kit import background, cache, state

SELECTION = state.Selection("fashion-mnist", "small", None, "test")
FEW = 60


@pytest.fixture
def classifier(run):
    return load_checkpoint(imported_folder() / "small.safetensors").classifier()


@pytest.fixture
def split():
    return load_split("fashion-mnist", "test")


@pytest.fixture
def few(monkeypatch, split):
    """The first images alone, for what computes with all of them."""
    small = Split(split.dataset, split.name, split.images[:FEW], split.labels[:FEW], split.indices[:FEW])
    monkeypatch.setattr(gradients, "load_split", lambda *_: small)
    return small


@pytest.fixture(autouse=True)
def afresh():
    background.kept.clear()


def said(app):
    parts = (*app.markdown, *app.caption, *app.info, *app.error, *app.warning)
    return "\n".join(element.value for element in parts)


def logits(classifier, image):
    with torch.no_grad():
        return classifier(to_pixels(image[None]))[0].double()


def convolutional(folder, name="convolutional", poison=False):
    """Save a small network with convolutions, untrained."""
    torch.manual_seed(0)
    network = models.build("lenet", {})
    if poison:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter[:] = 1e25
    classes = load_checkpoint(imported_folder() / "small.safetensors").classes
    options = models.get("lenet").options().model_dump(mode="json")
    save_checkpoint(
        folder / f"{name}.safetensors",
        network,
        Metadata(
            format=FORMAT,
            model="lenet",
            options=options,
            classes=classes,
            mean=0.286,
            std=0.353,
            config={"dataset": "fashion-mnist"},
        ),
    )


def test_the_page_shows_image_prediction_and_maps(open_page, run, classifier, split):
    app = open_page("explain", checkpoint="small")
    assert not app.exception
    assert app.title[0].value == "Explain"
    names = load_checkpoint(imported_folder() / "small.safetensors").classes
    output = logits(classifier, split.images[0]).softmax(0)
    predicted = int(output.argmax())
    assert f"**{names[int(split.labels[0])]}**" in said(app)
    assert f"**{names[predicted]}** {float(output[predicted]):.1%}" in said(app)
    assert f"Which pixels speak for {names[predicted]}?" in said(app)
    assert {button.key for button in app.get("download_button")} == {
        f"file-maps.{kind}" for kind in ("csv", "svg", "png")
    }


def test_it_says_how_to_read_each_method_that_is_shown(open_page, run, classifier, split):
    app = open_page("explain", checkpoint="small", methods="input-gradient~occlusion~input-x-gradient")
    (listed,) = (caption.value for caption in app.caption if caption.value.startswith("- **"))
    lines = listed.splitlines()
    assert [line.split(":**")[0] for line in lines] == ["- **Input gradient", "- **Input × gradient", "- **Occlusion"]
    target = logits(classifier, split.images[0]).argmax()[None]
    gradient = input_gradient.attribute(classifier, to_pixels(split.images[:1]), target)[0, 0]
    row, column = divmod(int(gradient.abs().argmax()), 28)
    assert f"row {row}, column {column}" in lines[0]


def test_random_and_mistake_choose_images(open_page, run, split):
    app = open_page("explain", checkpoint="small")
    app.button(key="mistake").click().run()
    assert not app.exception
    row = app.number_input(key="image").value
    predictions = cache.predictions(SELECTION)
    assert not predictions.correct[row]
    assert app.query_params["image"] == str(row)
    seen = {app.button(key="random").click().run().number_input(key="image").value for _ in range(4)}
    assert len(seen) > 1
    app.selectbox(key="of-class").set_value(8).run()
    assert split.labels[app.button(key="random").click().run().number_input(key="image").value] == 8
    row = app.button(key="mistake").click().run().number_input(key="image").value
    assert split.labels[row] == 8
    assert not predictions.correct[row]


def test_an_image_beyond_a_smaller_split_is_brought_back(open_page, run):
    app = open_page("explain", checkpoint="small")
    app.number_input(key="image").set_value(9_999).run()
    app.segmented_control(key="split").set_value("validation").run()
    assert not app.exception
    assert app.number_input(key="image").value == 5_999


def test_a_link_brings_image_target_methods_and_options(open_page, run):
    link = {
        "image": "23",
        "target": "8",
        "against": "5",
        "methods": "occlusion~smoothgrad",
        "options": '{"occlusion":{"window":6}}',
        "beside": "3~7",
    }
    app = open_page("explain", checkpoint="small", **link)
    assert not app.exception
    assert app.number_input(key="image").value == 23
    assert "Which pixels speak for Bag rather than Sandal?" in said(app)
    assert app.multiselect(key="beside-several").value == ["3", "7"]
    assert app.number_input(key="option-occlusion-window").value == 6
    for name, value in link.items():
        assert app.query_params[name] == value, name


@pytest.mark.parametrize(
    "link",
    [
        {"image": "-1", "beside": "1~x~99999999", "target": "77", "against": "__import__"},
        {"methods": "rm~grad-cam", "options": '{"occlusion":{"window":9999},"x":1,"smoothgrad":[]}'},
        {"options": "[" * 5000, "show": "<script>", "of": "nothing", "input": "../../etc"},
        {"show": "fooling", "epsilon": "1e9", "method": "cw", "towards": "12"},
        {"show": "all-images", "trials": "../../etc/passwd", "gradient-of": "99", "files": "exe"},
    ],
)
def test_a_nonsensical_link_falls_back_to_the_defaults(open_page, run, link):
    app = open_page("explain", checkpoint="small", **link)
    assert not app.exception
    assert not app.error


def test_images_are_kept_beside_and_taken_away(open_page, run):
    app = open_page("explain", checkpoint="small", methods="input-gradient")
    for row in (4, 9):
        app.number_input(key="image").set_value(row).run()
        app.button(key="keep-beside").click().run()
        assert app.button(key="keep-beside").disabled
    app.number_input(key="image").set_value(11).run()
    assert app.query_params["beside"] == "4,9"
    assert "the class below each image" in said(app)
    app.multiselect(key="beside-several").set_value(["9"]).run()
    assert not app.exception
    assert app.query_params["beside"] == "9"


def test_of_two_equal_classes_the_next_one_is_taken_and_that_is_said(open_page, run):
    app = open_page("explain", checkpoint="small", target="8", against="8")
    assert not app.exception
    assert "Bag rather than" in said(app)
    assert "Both are the same class here" in said(app)


def test_methods_that_do_not_suit_the_model_are_named_with_the_reason(open_page, run):
    app = open_page("explain", checkpoint="small", methods="grad-cam")
    assert not app.exception
    assert "Not for this model:" in said(app)
    assert "Grad-CAM" in said(app)
    reasons = next(one for one in app.caption if "Not for this model" in one.value).help
    assert "needs maps from a convolution" in reasons
    assert "grad-cam" not in app.query_params.get("methods", "")


def test_a_network_with_convolutions_has_a_choice_of_layers(open_page, run):
    convolutional(imported_folder())
    app = open_page("explain", checkpoint="convolutional", methods="grad-cam~layer-activation")
    assert not app.exception
    layers = app.selectbox(key="option-grad-cam-layer")
    assert len(layers.options) > 2
    app.selectbox(key="option-grad-cam-layer").select_index(1).run()
    assert not app.exception
    assert "grad-cam" in app.query_params["options"]


def test_options_that_contradict_each_other_are_said(open_page, run):
    app = open_page("explain", checkpoint="small", methods="occlusion")
    app.number_input(key="option-occlusion-stride").set_value(9).run()
    assert not app.exception
    assert "would leave gaps" in said(app)


def test_the_drawing_is_explained_and_an_empty_canvas_says_what_to_do(open_page, run):
    app = open_page("explain", checkpoint="small", input="drawing")
    assert "canvas is empty" in said(app)
    pixels = np.zeros((SIDE, SIDE), np.uint8)
    pixels[60:220, 100:180] = 255
    app.session_state["canvas:draw"] = Drawing(pixels, revision=1)
    app.run()
    assert not app.exception
    assert "Which pixels speak for" in said(app)
    app.segmented_control(key="show").set_value("fooling").run()
    assert not app.exception
    assert "smallest change" in said(app)


def test_outputs_that_are_no_numbers_give_one_message(open_page, run):
    convolutional(imported_folder(), "broken", poison=True)
    app = open_page("explain", checkpoint="broken")
    assert not app.exception
    (error,) = app.error
    assert "not finite numbers" in error.value


def test_a_class_mean_is_computed_on_demand(open_page, run, classifier, split):
    app = open_page("explain", checkpoint="small", of="class", methods="input-gradient", **{"mean-class": "8"})
    assert not app.exception
    assert "first 20 images of Bag" in said(app)
    app.button(key="start-class-mean").click().run()
    assert not app.exception
    rows = np.flatnonzero(split.labels == 8)[:20]
    aim = torch.full((20,), 8)
    mean = input_gradient.attribute(classifier, to_pixels(split.images[rows]), aim).mean(dim=0)[0]
    row, column = divmod(int(mean.abs().argmax()), 28)
    assert f"row {row}, column {column}" in said(app)


def test_the_lie_detector_gives_a_verdict_with_its_numbers(open_page, run):
    app = open_page("explain", checkpoint="small", show="lie-detector", methods="input-gradient~occlusion")
    assert not app.exception
    if "start-examination" in {button.key for button in app.button}:
        app.button(key="start-examination").click().run()
    assert not app.exception
    keys = {button.key for button in app.get("download_button")}
    assert {"file-deletion.csv", "file-insertion.csv", "file-randomisation.csv"} <= keys
    assert "rank correlation" in said(app)
    app.button(key="start-examine-all").click().run()
    assert not app.exception
    verdicts = app.dataframe[0].value
    assert verdicts["Method"].tolist() == ["Input gradient", "Occlusion"]
    words = {"follows the model", "no better than chance on this image", "does not depend on the weights"}
    assert {verdict[2:] for verdict in verdicts["Verdict"]} <= words


def test_fooling_finds_the_smallest_change_and_shows_it(open_page, run, classifier, split):
    app = open_page("explain", checkpoint="small", show="fooling", image="23")
    assert not app.exception
    assert "smallest change found" in said(app)
    app.button(key="show-smallest").click().run()
    assert not app.exception
    level = app.slider(key="epsilon").value
    assert app.query_params.get("epsilon", "16") == str(level)
    before = Attack("fgsm").run(classifier, split.images[23][None], epsilon=max(0, level - 2) / 255)
    after = Attack("fgsm").run(classifier, split.images[23][None], epsilon=level / 255)
    assert after.flipped[0]
    assert not before.flipped[0]
    app.segmented_control(key="method").set_value("pgd").run()
    app.selectbox(key="towards").set_value(8).run()
    assert not app.exception


def test_accuracy_under_attack_is_computed_on_demand(open_page, run, classifier, monkeypatch):
    monkeypatch.setattr(adversarial, "COUNTS", {"20": "20 images"})
    app = open_page("explain", checkpoint="small", show="fooling", attacked="many", **{"with": run.id})
    assert not app.exception
    app.button(key="start-accuracy-under-attack").click().run()
    assert not app.exception
    assert "file-accuracy-under-attack.csv" in {button.key for button in app.get("download_button")}
    assert "of 20 images" in said(app)


def test_defending_fills_in_the_form_of_training(open_page, run):
    app = open_page("explain", checkpoint="small", show="fooling")
    app.button(key="defend").click().run()
    assert not app.exception
    assert app.title[0].value == "Train"
    assert app.slider(key="train-adversarial").value == pytest.approx(adversarial.SAMPLE_EPSILON)


def test_a_run_that_was_trained_against_attacks_is_offered_for_comparison(open_page, run):
    attacked = {"initial": "small", "adversarial": 0.1}
    made = create({"model": "mlp", "dataset": "fashion-mnist", "epochs": 1} | attacked, "*Hardened*")
    made.write_status(Status(state="finished", epoch=1, epochs=1, best_epoch=1))
    app = open_page("explain", checkpoint="small", show="fooling")
    assert not app.exception
    (link,) = [one.proto for one in app.get("page_link") if "Compare with" in one.proto.label]
    assert link.label == r"Compare with \*Hardened\*"
    assert f"with={made.id}" in link.query_string


def test_all_gradients_are_computed_ranked_and_written(open_page, run, classifier, few):
    app = open_page("explain", checkpoint="small", show="all-images", files="csv~parquet")
    assert not app.exception
    app.button(key="start-gradients").click().run()
    assert not app.exception
    pixels = to_pixels(few.images).requires_grad_()
    torch.nn.functional.cross_entropy(classifier(pixels), torch.tensor(few.labels), reduction="sum").backward()
    deviation = pixels.grad[:, 0].double().std(dim=0, correction=0).flatten()
    expected = deviation.argsort(descending=True, stable=True)[:10].tolist()
    highest = app.dataframe[0].value
    assert [int(value) for value in highest["Input"]] == expected
    assert [
        28 * int(row) + int(column) for row, column in zip(highest["Row"], highest["Col."], strict=True)
    ] == expected
    files = sorted((home() / "gradients").iterdir())
    assert [path.suffix for path in files] == [".csv", ".parquet"]
    table = pd.read_csv(files[0])
    np.testing.assert_allclose(table["g_406"], pixels.grad[:, 0, 14, 14], atol=1e-6)
    assert {button.key for button in app.get("download_button")} >= {"gradients-csv-0", "gradients-parquet-0"}


def test_several_trials_have_a_mean_and_a_spread(open_page, run, few):
    app = open_page("explain", checkpoint=run.id, show="all-images", trials=f"{run.id}@1~{run.id}@2~small", files="")
    assert not app.exception
    app.button(key="start-gradients").click().run()
    assert not app.exception
    trials = app.dataframe[1].value
    assert trials["Trial"].tolist()[-2:] == ["Mean", "Spread"]
    assert len(trials) == 5
    highest = [float(value) for value in trials["Highest"][:3]]
    assert float(trials["Highest"].iloc[-1]) == pytest.approx(np.std(highest, ddof=1), rel=0.3)
    assert not list((home() / "gradients").iterdir())


def test_the_map_is_that_of_the_method(run, classifier, split):
    found = cache.attribution(SELECTION, 3, "input-gradient", 5)
    pixels = to_pixels(split.images[3:4])
    np.testing.assert_allclose(
        found, input_gradient.attribute(classifier, pixels, torch.tensor([5]))[0, 0].numpy(), rtol=1e-6
    )
    weights = classifier.network[1].weight[5].detach().numpy().reshape(28, 28) / float(classifier.std)
    np.testing.assert_allclose(found, weights, rtol=1e-4, atol=1e-7)


def test_options_and_margins_reach_the_method_and_its_completeness(run, classifier, split):
    options = {"n_steps": 8, "baseline": "mean"}
    found = cache.explained(SELECTION, split.images[3], "integrated-gradients", 5, 2, options)
    start = torch.tensor(load_split("fashion-mnist", "train").images.mean(axis=0) / 255).float()[None, None]
    pixels = to_pixels(split.images[3:4])
    aim = Target(torch.tensor([5]), torch.tensor([2]))
    direct = METHODS["integrated-gradients"].attribute(classifier, pixels, aim, n_steps=8, baseline=start)
    np.testing.assert_allclose(found.values, direct[0, 0], atol=1e-5)
    with torch.no_grad():
        margins = [float(classifier(one)[0, 5] - classifier(one)[0, 2]) for one in (pixels, start)]
    assert found.gained == pytest.approx(margins[0] - margins[1], abs=1e-4)
    assert found.error == pytest.approx(0, abs=1e-3)


def test_an_empty_grad_cam_says_what_was_erased_and_offers_the_signed_map(open_page, monkeypatch, split):
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", SHIPPED_CHECKPOINTS)
    options = {"grad-cam": {"layer": "network.3"}}
    query = {"checkpoint": "fashion-mnist-cnn", "methods": "grad-cam", "options": json.dumps(options)}
    app = open_page("explain", **query)
    assert not app.exception
    model = load_checkpoint(SHIPPED_CHECKPOINTS / "fashion-mnist-cnn.safetensors").classifier()
    pixels = to_pixels(split.images[:1])
    signed = grad_cam.attribute(model, pixels, model(pixels).argmax(1), layer="network.3", positive_only=False)
    assert float(signed.max()) < 0
    ends = [f"{float(end):.2g}".replace("-", "−") for end in (signed.min(), signed.max())]
    assert f"ran from {ends[0]} to {ends[1]}" in said(app)
    app.button(key="signed-grad-cam").click().run()
    assert not app.exception
    assert "signed-grad-cam" not in {button.key for button in app.button}
    assert json.loads(app.query_params["options"]) == {"grad-cam": {"layer": "network.3", "positive_only": False}}
    refused = open_page("explain", show="lie-detector", **query)
    assert not refused.exception
    assert any("Nothing to examine" in info.value for info in refused.info)


def test_unknown_methods_in_a_link_are_named(open_page, run):
    app = open_page("explain", checkpoint="small", methods="occlusion~umap~<b>x")
    assert not app.exception
    assert "There is no method “umap”, “\\<b\\>x”; the others are shown" in said(app)
    app = open_page("explain", checkpoint="small", methods="umap")
    assert "the usual ones are shown" in said(app)
    app = open_page("explain", checkpoint="small", methods="occlusion")
    assert "There is no method" not in said(app)
