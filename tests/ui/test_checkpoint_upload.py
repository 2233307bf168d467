import pytest
import torch
from safetensors.torch import save
from streamlit.testing.v1 import AppTest
from torch import nn

import models
from explorer.errors import CheckpointError
from explorer.store import catalog
from explorer.store.checkpoints import Metadata, encode_checkpoint, load_checkpoint

TYPE = "application/octet-stream"


def _page():
    from explorer.ui.home.upload import upload_checkpoint

    upload_checkpoint()


@pytest.fixture
def app():
    torch.manual_seed(0)
    return AppTest.from_function(_page, default_timeout=60).run()


def _bring(app, name, data):
    app.file_uploader[0].set_value((name, data, TYPE)).run()
    assert not app.exception
    return app


def _texts(elements):
    return " ".join(str(element.value) for element in elements)


def _widget(elements, label):
    return next(element for element in elements if element.label == label)


def _foreign():
    """A network with names of its own."""
    layers = {"input": nn.Linear(784, 12), "output": nn.Linear(12, 10)}
    return {f"{name}.{part}": t for name, layer in layers.items() for part, t in layer.state_dict().items()}


def test_nothing_is_shown_before_a_file_is_chosen(app):
    assert not app.exception
    assert len(app.file_uploader) == 1
    assert not app.button
    assert not app.error


def test_guessed_shown_and_kept(app):
    weights = _foreign()
    _bring(app, "my *net*.safetensors", save(weights))
    assert _widget(app.selectbox, "Model").value == "mlp"
    assert _widget(app.text_input, "Hidden").value == "12"
    assert "All 4 tensors fit" in _texts(app.markdown)
    renaming = app.dataframe[0].value
    assert list(renaming["In the file"]) == ["input.bias", "input.weight", "output.bias", "output.weight"]
    assert list(renaming["In the model"]) == ["1.bias", "1.weight", "3.bias", "3.weight"]
    assert app.metric[0].value.endswith("%")
    _widget(app.selectbox, "Classes").set_value("mnist").run()
    _widget(app.selectbox, "Normalisation").set_value("None: pixels from 0 to 1").run()
    app.button(key="upload-add").click().run()
    assert not app.exception
    assert "**my\\-net**" in app.success[0].value
    kept = load_checkpoint(catalog.resolve("my-net"))
    assert (kept.dataset, kept.mean, kept.std, kept.options["hidden"]) == ("mnist", 0.0, 1.0, [12])
    assert torch.equal(kept.classifier().network[1].weight, weights["input.weight"])
    assert app.file_uploader[0].value is None


def test_normalisation_of_ones_own(app):
    _bring(app, "x.safetensors", save(_foreign()))
    _widget(app.selectbox, "Normalisation").set_value("Other values").run()
    _widget(app.number_input, "Mean").set_value(0.4)
    _widget(app.number_input, "Standard deviation").set_value(0.2).run()
    app.button(key="upload-add").click().run()
    kept = load_checkpoint(catalog.resolve("x"))
    assert (kept.mean, kept.std) == (0.4, 0.2)


def test_mismatches_are_listed_tensor_by_tensor(app):
    _bring(app, "x.safetensors", save(_foreign()))
    _widget(app.text_input, "Hidden").set_value("13").run()
    assert not app.exception
    assert list(app.dataframe[0].value["Tensor"]) == [
        "1.weight has shape [12, 784] instead of [13, 784]",
        "1.bias has shape [12] instead of [13]",
        "3.weight has shape [10, 12] instead of [10, 13]",
    ]
    assert app.button(key="upload-add").disabled
    assert not app.metric


@pytest.mark.parametrize(
    ("text", "part"), [("12, many", "whole numbers"), ("0", "greater than"), ("9" * 9, "less than")]
)
def test_options_that_are_impossible_give_one_message(app, text, part):
    _bring(app, "x.safetensors", save(_foreign()))
    _widget(app.text_input, "Hidden").set_value(text).run()
    assert not app.exception
    assert len(app.error) == 1
    assert part in app.error[0].value
    assert not any(button.key == "upload-add" for button in app.button)


def test_unknown_weights_can_still_be_compared(app):
    _bring(app, "x.safetensors", save({"a.weight": torch.zeros(3, 3)}))
    assert "fit no model" in _texts(app.markdown)
    assert "a.weight is not part of the model" in list(app.dataframe[0].value["Tensor"])
    _widget(app.selectbox, "Model").set_value("resnet").run()
    assert "0.weight is missing" in list(app.dataframe[0].value["Tensor"])


@pytest.mark.parametrize("data", [b"", b"nonsense", save({"x": torch.tensor([float("nan")])})])
def test_bad_file_gives_one_message_and_saves_nothing(app, data):
    _bring(app, "x.safetensors", data)
    assert len(app.error) == 1
    assert not app.button
    assert catalog.imported() == []


def test_file_is_read_once(app, monkeypatch):
    calls = []

    def read(data, filename):
        calls.append(filename)
        raise CheckpointError("![picture](http://example.org/x.png) :red[no] `code`")

    monkeypatch.setattr("explorer.store.conversion.read_weights", read)
    _bring(app, "x.pt", b"1234")
    app.run()
    app.run()
    assert calls == ["x.pt"]
    assert app.error[0].value.startswith(r"\!\[picture\]\(http\://")


def test_own_checkpoint_needs_no_choices(app):
    network = models.build("mlp", {"hidden": [5]})
    metadata = Metadata(
        format=1, model="mlp", options={"hidden": [5]}, classes=tuple("abcdefghij"), mean=0.1, std=0.2, metrics={"x": 1}
    )
    data = encode_checkpoint(network, metadata)
    _bring(app, "friend.safetensors", data)
    assert not app.selectbox
    app.button(key="upload-add").click().run()
    assert not app.exception
    assert catalog.resolve("friend").read_bytes() == data
