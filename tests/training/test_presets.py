"""The presets: each can be trained, and together they cover what the coursework names."""

import json
import struct

import pytest

import models
from explorer.store import catalog, checkpoints
from explorer.training import presets as module
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan
from explorer.training.presets import COURSEWORK, SHIPPED, assignments, presets

ALL = presets()
COURSE = {preset.name: TrainConfig.parse(preset.config) for preset in ALL if preset.group == COURSEWORK}


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
def test_every_preset_can_be_trained(preset):
    assert make_plan(TrainConfig.parse(preset.config)).steps >= 1
    assert json.loads(json.dumps(preset.config)) == preset.config


def test_names_titles_and_summaries():
    assert len({preset.name for preset in ALL}) == len({preset.title for preset in ALL}) == len(ALL)
    assert {preset.group for preset in ALL} == {COURSEWORK, SHIPPED}
    for preset in ALL:
        assert len(preset.title) <= 45
        assert preset.summary.endswith((".", "?"))
        assert len(preset.summary) < 160


def test_every_preset_answers_a_question_and_every_question_has_presets():
    questions = [question for assignment in assignments() for question in assignment.questions]
    assert len(assignments()) == 5
    assert all(question.presets for question in questions)
    assert {name for question in questions for name in question.presets} == set(COURSE)
    (optimizers,) = [one for one in questions if one.title == "3. Six optimizers"]
    assert [COURSE[name].optimizer for name in optimizers.presets] == [
        *("sgd", "momentum", "nesterov", "rmsprop", "adam", "nadam"),
    ]
    (dropout,) = [one for one in questions if one.title == "5. Dropout"]
    assert [COURSE[name].options["dropout"] for name in dropout.presets] == [0, 0.25, 0.5, 0.9, 1]


def picked(field, **same):
    """Return the values of a field or option over the coursework's presets that agree with the given ones."""
    values = [config.model_dump() | config.options for config in COURSE.values()]
    return {
        tuple(one[field]) if isinstance(one[field], list) else one[field]
        for one in values
        if field in one and all(one[name] == value for name, value in same.items())
    }


def test_depth_is_compared_at_equal_numbers_of_weights():
    baseline = make_plan(COURSE["baseline"]).parameters
    assert baseline == 784 * 100 + 100 + 100 * 10 + 10
    depths = {}
    for name, config in COURSE.items():
        if name.startswith("depth-"):
            depths[len(config.options["hidden"])] = make_plan(config).parameters
    assert set(depths) == {2, 3, 5, 8}
    assert all(abs(count / baseline - 1) < 0.01 for count in depths.values())


def test_a_comparison_changes_nothing_but_its_subject():
    baseline = COURSE["baseline"].model_dump()
    allowed = {
        "optimizer": {"optimizer", "learning_rate", "weight_decay", "batch_size", "epochs"},
        "activation": {"options"},
        "depth": {"options"},
        "units": {"options"},
    }
    for name, config in COURSE.items():
        kind = name.partition("-")[0]
        if kind in allowed:
            values = config.model_dump()
            assert {field for field in values if values[field] != baseline[field]} <= allowed[kind], name


def test_every_optimizer_and_activation_can_be_compared():
    optimizers = TrainConfig.model_fields["optimizer"].annotation.__args__
    assert picked("optimizer", model="mlp") == set(optimizers)
    assert picked("activation", model="mlp") >= {"relu", "tanh", "sigmoid", "leaky-relu", "identity"}
    assert picked("loss") == {"cross-entropy", "mse"}


def test_batch_mini_batch_and_single_images():
    assert picked("batch_size", model="mlp", optimizer="sgd") == {1, 64, 54_000}
    assert make_plan(COURSE["batch-whole"]).steps == 1
    assert make_plan(COURSE["batch-single"]).steps == 54_000
    assert len({COURSE[name].epochs for name in ("batch-whole", "batch-mini", "batch-single")}) == 1


def test_the_small_network_is_varied_as_asked():
    base = COURSE["cnn"]
    assert (base.model, base.batch_size, base.epochs, base.learning_rate) == ("cnn", 64, 10, 0.01)
    assert picked("dropout", model="cnn") >= {0.0, 0.25, 0.5, 0.9, 1.0}
    assert picked("batch_size", model="cnn") == {8, 64, 512}
    assert picked("width", model="cnn") == {0.5, 1.0, 2.0}
    assert picked("learning_rate", model="cnn", optimizer="momentum") >= {0.001, 0.01, 0.1}
    assert picked("optimizer", model="cnn") == {"momentum", "sgd", "adam", "rmsprop"}
    assert picked("after_first", model="cnn") == {
        *("nothing", "batch-norm", "batch-norm-dropout", "dropout-batch-norm"),
    }
    assert picked("epochs", model="cnn", dataset="mnist") >= {10, 20}
    assert picked("epochs", model="cnn", dataset="fashion-mnist") >= {10, 20}
    (extra,) = [config.options for config in COURSE.values() if config.options.get("extra_conv")]
    assert extra["leave_out"] not in ("nothing", "conv1")


def test_the_large_networks():
    assert picked("batch_size", model="resnet18") == {64, 256, 512}
    assert picked("learning_rate", model="resnet18") == {0.01}
    assert picked("epochs", model="resnet18") == {50}
    lenet = COURSE["lenet-mnist"]
    assert (lenet.dataset, lenet.optimizer) == ("mnist", "adam")
    assert (lenet.options["features"], lenet.options["kernel"], lenet.options["dense"]) == ([32, 64], 5, 1024)
    assert lenet.options["activation"] == "relu"
    assert COURSE["lenet"].dataset == "fashion-mnist"
    for option in ("features", "kernel", "stride", "padding", "pooling", "activation"):
        assert len(picked(option, model="lenet")) > 1, option


def test_weights_go_from_one_set_to_the_other():
    moved = {(catalog_dataset(config.initial), config.dataset) for config in COURSE.values() if config.initial}
    assert moved == {("fashion-mnist", "mnist"), ("mnist", "fashion-mnist")}
    fine = COURSE["fine-tune-mnist"]
    assert fine.learning_rate == pytest.approx(COURSE["cnn"].learning_rate / 100)


def catalog_dataset(name):
    return checkpoints.load_checkpoint(catalog.resolve(name)).dataset


def test_recipes_are_those_in_the_checkpoints():
    recipes = {preset.title: preset.config for preset in ALL if preset.group == SHIPPED}
    assert set(recipes) == {path.stem for path in catalog.shipped()}
    for path in catalog.shipped():
        own = checkpoints.load_checkpoint(path).config
        for name in ("dataset", "model", "optimizer", "learning_rate", "epochs", "ema", "seed"):
            assert recipes[path.stem][name] == own[name]
        assert (
            models.get(own["model"]).validate(own["options"]).model_dump(mode="json") == recipes[path.stem]["options"]
        )
    assert recipes["fashion-mnist-resnet"]["initial"] == ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of shipped checkpoints with a copy of one."""
    (source,) = [path for path in catalog.shipped() if path.stem == "fashion-mnist-cnn"]
    (tmp_path / "good.safetensors").write_bytes(source.read_bytes())
    monkeypatch.setattr(catalog, "SHIPPED_CHECKPOINTS", tmp_path)
    return tmp_path


def rewrite(path, change):
    """Change what a checkpoint says of itself."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    document = json.loads(header["__metadata__"]["explorer"])
    change(document)
    header["__metadata__"]["explorer"] = json.dumps(document)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def recipe():
    return [preset for preset in presets() if preset.group == SHIPPED]


def test_unknown_fields_of_a_recipe_are_dropped(folder):
    rewrite(folder / "good.safetensors", lambda document: document["config"].update(later=1))
    (preset,) = recipe()
    assert "later" not in preset.config
    assert preset.config["epochs"] == 30
    assert "90.8%" in preset.summary


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["config"].update(epochs="many"),
        lambda document: document["config"].update(dataset="gone"),
        lambda document: document.update(config={"options": []}),
        lambda document: document.update(config={}),
    ],
)
def test_a_recipe_that_makes_no_sense_is_left_out(folder, change):
    rewrite(folder / "good.safetensors", change)
    assert recipe() == []


def test_damaged_files_are_passed_over(folder):
    (folder / "bad.safetensors").write_bytes(b"\x00" * 100)
    (folder / "folder.safetensors").mkdir()
    assert [preset.title for preset in recipe()] == ["good"]
    (folder / "good.safetensors").unlink()
    assert recipe() == []
    assert not any(preset.config.get("initial") for preset in presets())


def test_a_file_is_read_again_only_when_it_has_changed(folder, monkeypatch):
    recipe()
    read = []
    load = module.load_checkpoint
    monkeypatch.setattr(module, "load_checkpoint", lambda path: read.append(path) or load(path))
    recipe()
    assert read == []
    rewrite(folder / "good.safetensors", lambda document: document["config"].update(epochs=31, later=2))
    assert [preset.config["epochs"] for preset in recipe()] == [31]
    assert len(read) == 1
