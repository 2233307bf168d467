"""The page Inside: every section with small networks, its numbers against PyTorch, its links and its bad input."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import models
from explorer.analysis.evaluation.predictions import to_pixels
from explorer.data import catalog
from explorer.data.splits import load_split
from explorer.errors import CheckpointError
from explorer.store.catalog import imported_folder
from explorer.store.checkpoints import FORMAT, Metadata, load_checkpoint, save_checkpoint
from explorer.store.runs import Status, create
from explorer.ui import canvas
from explorer.ui.inside import choices, results
from explorer.ui.inside.results import InspectedModel
from explorer.ui.kit import drawing
from explorer.ui.kit.state import Selection

SECTIONS = ("filters", "activations", "weights", "units", "output", "map", "ablate", "save")
LENET = {"features": [3, 4], "dense": 12}


def save(path, name, options, seed=0):
    torch.manual_seed(seed)
    network, spec = models.build(name, options), catalog.get("fashion-mnist")
    fields = {"format": FORMAT, "model": name, "options": options, "classes": spec.classes}
    config = {"dataset": "fashion-mnist"}
    save_checkpoint(path, network, Metadata(**fields, mean=spec.mean, std=spec.std, config=config))


@pytest.fixture
def lenet(alone):
    save(imported_folder() / "tiny.safetensors", "lenet", LENET)
    return load_checkpoint(imported_folder() / "tiny.safetensors").classifier()


@pytest.fixture
def quick(monkeypatch):
    """Small samples."""
    monkeypatch.setattr(results, "SIZES", (40, 60))


def said(app):
    text = "\n".join(one.value for one in (*app.markdown, *app.caption, *app.info, *app.success))
    return text + "\n".join(re.sub("<[^>]*>", " ", one.proto.body) for one in app.get("html"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"hidden": []}),
        ("mlp", {"hidden": [6, 5], "batch_norm": True, "activation": "sigmoid"}),
        ("lenet", LENET),
        ("cnn", {"width": 0.3, "after_first": "batch-norm"}),
        ("resnet", {"width": 2, "depth": 3}),
    ],
    ids=["softmax", "mlp", "lenet", "cnn", "resnet"],
)
def test_every_section_serves_every_architecture(open_page, alone, quick, name, options):
    save(imported_folder() / "tiny.safetensors", name, options)
    app = open_page("inside", checkpoint="tiny")
    for section in SECTIONS:
        app.segmented_control(key="inside").set_value(section).run()
        assert not app.exception
        assert not app.error
        assert len(said(app)) > 70
        assert app.query_params.get("inside", SECTIONS[0]) == section


def test_kernels_are_paged_and_a_network_without_convolutions_says_so(open_page, run, lenet, monkeypatch):
    from explorer.ui.inside import filters

    monkeypatch.setattr(filters, "PAGE", 10)
    app = open_page("inside", checkpoint="tiny", layer="3", kernels="2")
    assert "2 of 12 kernels" in said(app)
    app.selectbox(key="kernel-of").set_value(1).run()
    assert "3 of 12" not in said(app)
    assert "3 kernels" in said(app)
    app.segmented_control(key="scale").set_value("own").run()
    assert "a scale of its own" in said(app)
    app = open_page("inside", checkpoint="small")
    assert "no convolution" in said(app)
    assert "10 pictures of weights" in said(app)


def test_activations_are_named_with_shapes_and_the_drawing_can_be_seen(open_page, lenet):
    app = open_page("inside", checkpoint="tiny", inside="activations", image="5")
    assert "convolution 5x5, 3 maps (0) → 3 × 24 × 24, before the activation" in said(app)
    assert "ReLU (1) → 3 × 24 × 24, after the activation" in said(app)
    split = load_split("fashion-mnist", "test")
    with torch.no_grad():
        logits = lenet(to_pixels(split.images[5:6]))[0].numpy()
    best = catalog.get("fashion-mnist").classes[int(logits.argmax())]
    assert f"The highest output is that of {best}" in said(app).replace("\\", "")
    app.selectbox(key="maps-of").set_value("4").run()
    assert "Each picture is one map" in said(app)
    app.segmented_control(key="picture").set_value("drawing").run()
    assert choices.EMPTY in [one.value for one in app.info]
    app.session_state[f"canvas:{drawing.CANVAS}"] = canvas.value.from_image(split.images[0], "ab", 1)
    app.run()
    assert not app.exception
    assert "The image on its way" in said(app) or "Each picture is one map" in said(app)


def test_of_a_deep_network_the_layers_after_an_activation_are_shown_together(open_page, alone):
    save(imported_folder() / "tiny.safetensors", "resnet", {"width": 2, "depth": 9})
    app = open_page("inside", checkpoint="tiny", inside="activations")
    assert not app.exception
    assert 10 < said(app).count(", after the activation") < 20
    assert "before the activation" not in said(app)
    assert "choose any under *Layer*" in said(app)


def test_one_strong_weight_leaves_the_others_their_colours():
    from explorer.ui.inside import filters

    weights = np.random.default_rng(0).normal(size=(64, 1, 28, 28)).astype(np.float32)
    weights[3, 0, 5, 5] = 40
    end = filters._end(weights)
    assert (np.abs(weights) <= end).mean() == pytest.approx(0.99, abs=1e-4)
    assert end < 3
    only = np.zeros((1, 1, 28, 28), np.float32)
    only[0, 0, 0, 0] = 2
    assert filters._end(only) == 2


def test_random_keeps_to_the_class(open_page, lenet):
    app = open_page("inside", checkpoint="tiny", inside="activations")
    app.selectbox(key="image-class").set_value(8).run()
    labels = load_split("fashion-mnist", "test").labels
    for _ in range(3):
        app.button(key="inside-random").click().run()
        assert labels[app.number_input(key="image").value] == 8


def test_one_output_is_pytorchs(open_page, lenet):
    app = open_page("inside", checkpoint="tiny", inside="output", image="3", layer="3", unit="2", row="1", column="7")
    assert not app.exception
    pixels = to_pixels(load_split("fashion-mnist", "test").images[3:4])
    with torch.no_grad():
        value = lenet.network[:4]((pixels - lenet.mean) / lenet.std)[0, 2, 1, 7].item()
    text = said(app).replace("−", "-")
    assert f"PyTorch computes {value:.6f}" in text
    assert f"{max(value, 0):.3f}" in text
    assert "sum over 3 input maps" in text
    app.number_input(key="unit").set_value(0).run()
    assert app.query_params["column"] == "7"


def test_ablation_counts_what_is_lost(open_page, lenet, quick):
    app = open_page("inside", checkpoint="tiny", inside="ablate", **{"units-of": "8", "off": "1,3,99,x,-2"})
    assert not app.exception
    assert app.multiselect(key="off-8").value == [1, 3]
    subject = InspectedModel(Selection("fashion-mnist", "tiny", None, "test"), load_checkpoint(_tiny()))
    part, _ = results.sample(subject.images_key, 60)
    hidden = []
    with torch.no_grad():
        values = (to_pixels(part.images) - lenet.mean) / lenet.std
        dense = lenet.network[:9](values)
        hidden = dense.clone()
        hidden[:, [1, 3]] = 0
        before, after = (lenet.network[9:](one).argmax(1).numpy() for one in (dense, hidden))
    shown = {one.label: one.value for one in app.metric}
    assert shown["Accuracy before"] == f"{(before == part.labels).mean():.1%}"
    assert shown["Accuracy after"] == f"{(after == part.labels).mean():.1%}"
    lost = int(((before == part.labels) & (after != part.labels)).sum())
    assert shown["Right before, wrong now"] == str(lost)
    app.button(key="inside-turns").click().run()
    assert not app.exception
    assert "can go without any loss" in said(app)
    assert "Of 60 images" in said(app)
    app.select_slider(key="ablated-images").set_value(40).run()
    app.button(key="inside-turns").click().run()
    assert "Of 40 images" in said(app)
    assert [one.key for one in app.button if one.key == "inside-stop-turns"] == []


def test_ablation_begins_with_an_example_and_a_link_may_hold_nothing(open_page, lenet, quick):
    app = open_page("inside", checkpoint="tiny", inside="ablate", **{"units-of": "8"})
    assert app.multiselect(key="off-8").value == [0]
    assert "Accuracy after" in [one.label for one in app.metric]
    app.multiselect(key="off-8").set_value([]).run()
    assert not app.exception
    assert list(app.metric) == []
    again = open_page("inside", checkpoint="tiny", inside="ablate", **{"units-of": "8", "off": app.query_params["off"]})
    assert again.multiselect(key="off-8").value == []


def test_what_is_saved_is_listed(open_page, lenet):
    app = open_page("inside", checkpoint="tiny", inside="save")
    assert not app.exception
    table = app.dataframe[0].value
    state = lenet.network.state_dict()
    assert table["Name"].tolist() == list(state)
    assert table["Values"].tolist() == [tensor.numel() for tensor in state.values()]
    first = [name for name in state if name.split(".")[0] == next(iter(state)).split(".")[0]]
    assert table["Name"][table["First layer"]].tolist() == first


def _tiny():
    return imported_folder() / "tiny.safetensors"


def test_the_map_is_laid_out_by_pca_at_once_and_by_tsne_when_asked(open_page, lenet, quick):
    app = open_page("inside", checkpoint="tiny", inside="map")
    assert "of the variance" in said(app)
    assert "Each of the 60 marks" in said(app)
    app.toggle(key="thumbnails").set_value(True).run()
    assert not app.exception
    app.segmented_control(key="map").set_value("tsne").run()
    assert "neighbours stay neighbours" in said(app)
    app.button(key="inside-tsne").click().run()
    assert not app.exception
    assert "Only who is next to whom" in said(app)
    app.number_input(key="map-seed").set_value(1).run()
    assert app.query_params["map-seed"] == "1"
    assert app.button(key="inside-tsne"), "another layout is asked for"


def test_units_are_listed_with_their_strongest_images(open_page, lenet, quick):
    app = open_page("inside", checkpoint="tiny", inside="units", unit="2")
    assert "Map 2: the images with its highest values" in said(app)
    assert "receptive field" in said(app)
    app.segmented_control(key="units").set_value("idle").run()
    (table,) = app.dataframe
    assert table.value["Units"].tolist() == [3, 4, 12]
    assert "of 19 units fail" in said(app)


def test_weights_move_over_the_epochs_of_a_run(open_page, run, alone):
    app = open_page("inside", checkpoint=run.id, inside="weights", weights="epochs")
    assert not app.exception
    assert "2 epochs are kept" in said(app)
    app = open_page("inside", checkpoint="small", inside="weights", weights="epochs")
    assert "Only one epoch" in said(app)
    assert "7,840 weights; their mean is" in said(app)


def test_what_is_wrong_is_said_and_nothing_raises(open_page, run):
    broken = create({"model": "lenet", "dataset": "fashion-mnist", "epochs": 1}, "broken")
    save(broken.weights(1), "lenet", LENET)
    content = bytearray(broken.weights(1).read_bytes())
    content[-4:] = np.float32(np.nan).tobytes()
    broken.weights(1).write_bytes(bytes(content))
    broken.write_status(Status(state="finished", epoch=1, epochs=1, best_epoch=1))
    with pytest.raises(CheckpointError, match="NaN"):
        load_checkpoint(broken.weights(1)).classifier()
    app = open_page("inside", checkpoint=broken.id)
    for section in SECTIONS:
        app.segmented_control(key="inside").set_value(section).run()
        assert not app.exception
        assert any("NaN" in one.value for one in app.error), section


@pytest.mark.parametrize(
    "parameters",
    [
        {"inside": "nothing"},
        {"layer": "../../etc", "unit": "-1", "row": "999", "column": "x", "kernels": "0", "inside": "output"},
        {"image": "99999999", "picture": "x", "maps-of": "<b>", "inside": "activations"},
        {"off": "9" * 5000, "units-of": "1e3", "ablated-images": "-7", "inside": "ablate"},
        {"map": "umap", "map-images": "1", "inside": "map"},
        {"weights-of": "x", "weights": "y", "inside": "weights"},
        {"units": "z", "unit": "1.5", "inside": "units"},
    ],
    ids=str,
)
def test_a_forged_link_never_raises(open_page, lenet, quick, parameters):
    app = open_page("inside", checkpoint="tiny", **parameters)
    assert not app.exception
    assert not app.error


def test_an_empty_split_is_said_to_be_empty(open_page, lenet, monkeypatch):
    full = load_split("fashion-mnist", "test")
    empty = replace(full, images=full.images[:0], labels=full.labels[:0], indices=full.indices[:0])
    monkeypatch.setattr("explorer.ui.inside.results.load_split", lambda dataset, split: empty)
    app = open_page("inside", checkpoint="tiny", inside="activations")
    for section in ("activations", "units", "output", "map", "ablate"):
        app.segmented_control(key="inside").set_value(section).run()
        assert not app.exception
        assert "holds no images" in said(app)


def test_without_a_checkpoint_the_page_says_what_to_do(open_page):
    app = open_page("inside")
    assert not app.exception
    assert app.button(key="empty-train")
