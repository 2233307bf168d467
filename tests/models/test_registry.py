import sys
import textwrap

import pytest
import torch

import models
from explorer.errors import ConfigError
from models import registry
from models.registry import MAX_PARAMETERS, InputShape, build_meta

NEW_FILE = """
    from pydantic import Field
    from torch import nn

    from models.registry import InputShape, Options, register


    class StripesOptions(Options):
        stripes: int = Field(2, ge=1, le=14, description="How many.")


    @register("stripes", title="Stripes", summary="For this test.", options=StripesOptions)
    def build(options: StripesOptions, shape: InputShape) -> nn.Module:
        return nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(options.stripes, shape.classes))
"""


@pytest.fixture
def new_file(tmp_path, monkeypatch):
    """A file that somebody has just put into `models/`."""
    (tmp_path / "stripes_for_a_test.py").write_text(textwrap.dedent(NEW_FILE))
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    registry._discover.cache_clear()
    yield
    registry._REGISTRY.pop("stripes", None)
    sys.modules.pop("models.stripes_for_a_test", None)
    registry._discover.cache_clear()


def test_shipped_architectures_come_simplest_first():
    assert models.names() == ("mlp", "lenet", "cnn", "resnet", "resnet18")


def test_new_file_is_found_without_another_edit(new_file):
    assert models.names()[-1] == "stripes"
    assert models.get("stripes").options.model_fields["stripes"].description == "How many."
    assert models.build("stripes", {"stripes": 1})(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_network_that_cannot_take_an_image_is_refused(new_file):
    with pytest.raises(ConfigError, match="'stripes' cannot be built with these options"):
        models.build("stripes", {"stripes": 3})


@pytest.mark.parametrize("name", models.names())
def test_every_architecture_is_described_for_people(name):
    architecture = models.get(name)
    assert architecture.title
    assert architecture.summary.endswith(".")
    for field in architecture.options.model_fields.values():
        assert field.description.endswith(".")


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("classes", [2, 10])
def test_every_architecture_maps_images_to_finite_logits(name, classes):
    torch.manual_seed(0)
    network = models.build(name, {}, InputShape(classes=classes)).eval()
    logits = network(torch.randn(3, 1, 28, 28))
    assert logits.shape == (3, classes)
    assert torch.isfinite(logits).all()
    assert logits.std() > 0


@pytest.mark.parametrize("name", models.names())
def test_default_options_survive_json(name):
    options = models.get(name).validate({}).model_dump(mode="json")
    assert models.get(name).validate(options).model_dump(mode="json") == options


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("mlp", {"hidden": [0]}, "hidden"),
        ("mlp", {"hidden": [100, -1]}, "hidden"),
        ("mlp", {"hidden": ["many"]}, "hidden"),
        ("mlp", {"hidden": [1.5]}, "hidden"),
        ("mlp", {"hidden": None}, "hidden"),
        ("mlp", {"hidden": [8193]}, "hidden"),
        ("mlp", {"hidden": [1] * 33}, "hidden"),
        ("mlp", {"hidden": [8192, 8192]}, "parameters"),
        ("mlp", {"activation": "step"}, "activation"),
        ("mlp", {"activation": ["relu"]}, "activation"),
        ("mlp", {"dropout": 1.01}, "dropout"),
        ("mlp", {"dropout": -0.01}, "dropout"),
        ("mlp", {"dropout": float("nan")}, "dropout"),
        ("mlp", {"initialisation": "magic"}, "initialisation"),
        ("mlp", {"depth": 3}, "depth"),
        ("lenet", {"features": [32]}, "features"),
        ("lenet", {"features": [32, 64, 128]}, "features"),
        ("lenet", {"features": [0, 64]}, "features"),
        ("lenet", {"dense": 0}, "dense"),
        ("lenet", {"kernel": 29}, "kernel"),
        ("lenet", {"kernel": 14}, "kernel"),
        ("lenet", {"kernel": 28}, "kernel"),
        ("lenet", {"kernel": 0}, "kernel"),
        ("lenet", {"stride": 4}, "stride"),
        ("lenet", {"stride": 0}, "stride"),
        ("lenet", {"padding": 15}, "padding"),
        ("lenet", {"pooling": "min"}, "pooling"),
        ("lenet", {"features": [4096, 4096], "kernel": 3}, "parameters"),
        ("cnn", {"width": 0}, "width"),
        ("cnn", {"width": float("inf")}, "width"),
        ("cnn", {"width": 33}, "width"),
        ("cnn", {"dropout": 2}, "dropout"),
        ("cnn", {"after_first": "after"}, "after_first"),
        ("cnn", {"leave_out": "conv9"}, "leave_out"),
        ("cnn", {"extra_conv": "perhaps"}, "extra_conv"),
        ("resnet", {"width": 0}, "width"),
        ("resnet", {"depth": 2}, "depth"),
        ("resnet", {"depth": 31}, "depth"),
        ("resnet", {"width": 256, "depth": 30}, "parameters"),
        ("resnet18", {"width": 64}, "width"),
    ],
)
def test_impossible_options_are_refused_by_name(name, options, part):
    with pytest.raises(ConfigError) as raised:
        models.build(name, options)
    message = str(raised.value)
    assert part in message
    assert len(message) < 400
    assert "\n" not in message


def test_unknown_option_names_those_that_exist():
    with pytest.raises(ConfigError, match=r"no option 'units'.*hidden.*activation"):
        models.build("mlp", {"units": 3})


def test_unknown_model_names_those_that_exist():
    with pytest.raises(ConfigError, match=r"no model called 'vgg'.*mlp, lenet, cnn"):
        models.get("vgg")


def test_size_is_checked_before_memory_is_taken():
    with pytest.raises(ConfigError, match=f"at most {MAX_PARAMETERS:,}"):
        models.build("mlp", {"hidden": [8192] * 32})


def test_meta_network_has_no_memory():
    network = build_meta("lenet", {})
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}


def test_options_cannot_be_changed_afterwards():
    options = models.get("mlp").validate({})
    with pytest.raises(ValueError, match="frozen"):
        options.hidden = (3,)


def test_descriptions_of_several_errors_name_each_option():
    with pytest.raises(ConfigError, match=r"'kernel'.*'dense'|'dense'.*'kernel'"):
        models.get("lenet").validate({"kernel": -1, "dense": "x"})
