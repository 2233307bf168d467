import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.errors import ConfigError
from explorer.training.config import TrainConfig
from explorer.training.plan import make_plan

RANGES = {
    "learning_rate": ([1e-9, 100], [0, -1, 100.1]),
    "momentum": ([0, 0.999], [-0.1, 1]),
    "step_epochs": ([1, 10_000], [0, 10_001, 1.5]),
    "step_factor": ([0.01, 1], [0, 1.1]),
    "warmup": ([0.01, 0.99], [0, 1]),
    "weight_decay": ([0, 10], [-0.1, 10.1]),
    "label_smoothing": ([0, 0.99], [-0.1, 1]),
    "batch_size": ([1, 54_000], [0, 54_001, 2.5, "many"]),
    "epochs": ([1, 10_000], [0, 10_001]),
    "subset": ([10, 54_000], [9, 54_001]),
    "shift": ([0, 14], [-1, 15]),
    "erase": ([0, 1], [-0.1, 1.1]),
    "adversarial": ([0, 0.1, 1], [-0.1, 1.1, "much"]),
    "ema": ([0, 0.9999], [-0.1, 1]),
    "seed": ([0, 2**31 - 1], [-1, 2**31]),
    "threads": ([0, 256], [-1, 257]),
    "time_budget": ([None, 0.001, 30 * 86_400], [0, -1, 30 * 86_400 + 1]),
    "patience": ([None, 1, 10_000], [0, -1, 1.5, 10_001]),
    "snapshots": ([0, 100.5, 100_000], [-1, 100_001, "all"]),
    "flip_order": (["random", "alternating"], ["sometimes"]),
    "erase_fill": (["mean", "random"], ["black"]),
    "decay_biases": ([True, False], ["some"]),
    "precision": (["float32", "bf16", "auto"], ["float16"]),
    "flip": ([True, False], ["sometimes", 2]),
    "optimizer": (["sgd", "rprop"], ["lion", "", None]),
    "schedule": (["constant", "one-cycle"], ["linear"]),
    "loss": (["mse", "cross-entropy"], ["hinge"]),
    "device": (["auto", "cpu"], ["tpu"]),
    "initial": (["", "fashion-mnist-lenet"], ["x" * 129]),
    "dataset": (["mnist", "fashion-mnist"], ["cifar", "x" * 65, "../mnist"]),
    "model": (["mlp", "lenet", "cnn", "resnet"], ["vgg", "", "x" * 65]),
    "options": ([{}, {"hidden": [5]}], [[], "hidden", {"depth": 3}, {"hidden": [0]}]),
}


def test_every_field_has_a_range_here():
    assert set(RANGES) == set(TrainConfig.model_fields)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in RANGES for value in RANGES[field][0]])
def test_values_in_the_range_are_taken(field, value):
    config = TrainConfig.parse({field: value})
    assert getattr(config, field) == value or field == "options"


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in RANGES for value in RANGES[field][1]])
def test_values_outside_are_refused_by_name(field, value):
    with pytest.raises(ConfigError) as error:
        TrainConfig.parse({field: value})
    message = str(error.value)
    named = {"dataset": "data set", "model": "model", "options": "option"}.get(field, repr(field))
    assert named in message or field in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("field", "value", "bound"),
    [
        ("batch_size", 0, "greater than or equal to 1"),
        ("batch_size", 60_000, "less than or equal to 54000"),
        ("learning_rate", 0, "greater than 0"),
        ("optimizer", "lion", "'sgd', 'momentum', 'nesterov', 'rmsprop'"),
        ("dataset", "cifar", "fashion-mnist, mnist"),
        ("model", "vgg", "mlp, lenet, cnn, resnet, resnet18"),
        ("device", "tpu", "'auto', 'cpu', 'cuda' or 'mps'"),
    ],
)
def test_errors_say_what_is_allowed(field, value, bound):
    with pytest.raises(ConfigError, match=bound):
        TrainConfig.parse({field: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "field", ["learning_rate", "weight_decay", "momentum", "warmup", "erase", "adversarial", "ema", "time_budget"]
)
def test_numbers_must_be_finite(field, value):
    with pytest.raises(ConfigError, match=field):
        TrainConfig.parse({field: value})


def test_every_wrong_field_is_named():
    with pytest.raises(ConfigError) as error:
        TrainConfig.parse({"epochs": 0, "colour": "red", "seed": -1})
    for name in ("epochs", "colour", "seed"):
        assert repr(name) in str(error.value)


def test_unknown_options_and_wrong_values_of_options_are_named():
    with pytest.raises(ConfigError, match="model 'lenet' has no option 'hidden'"):
        TrainConfig.parse({"model": "lenet", "options": {"hidden": [5]}})
    with pytest.raises(ConfigError, match=r"option 'dropout' of model 'mlp': .*less than or equal to 1"):
        TrainConfig.parse({"options": {"dropout": 1.5}})


def test_nesterov_needs_momentum():
    with pytest.raises(ConfigError, match=r"'momentum' must be greater than 0 for the optimizer 'nesterov'"):
        TrainConfig.parse({"optimizer": "nesterov", "momentum": 0})
    assert TrainConfig.parse({"optimizer": "momentum", "momentum": 0}).momentum == 0


def test_defaults_are_the_published_ones():
    config = TrainConfig()
    assert (config.dataset, config.model, config.optimizer) == ("fashion-mnist", "mlp", "adam")
    assert (config.learning_rate, config.batch_size, config.subset) == (0.001, 64, 54_000)
    assert config.options == {
        "hidden": [100],
        "activation": "relu",
        "dropout": 0.0,
        "batch_norm": False,
        "initialisation": "default",
    }


def test_json_there_and_back():
    config = TrainConfig.parse(
        {"model": "cnn", "options": {"width": 1.5}, "optimizer": "asgd", "time_budget": 1.25, "learning_rate": 0.1}
    )
    assert TrainConfig.parse_json(config.model_dump_json()) == config
    assert TrainConfig.parse(json.loads(json.dumps(config.model_dump(mode="json")))) == config


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "null", "{", '{"epochs": NaN}', '{"learning_rate": 1e999}', "[" * 5000, b"\xff\xfe{}"]
)
def test_documents_that_are_no_configuration(text):
    with pytest.raises(ConfigError) as error:
        TrainConfig.parse_json(text)
    assert str(error.value)[0].isupper()


@given(
    st.dictionaries(st.sampled_from(sorted(RANGES)) | st.text(), st.none() | st.integers() | st.floats() | st.text())
)
def test_anything_is_a_configuration_or_a_config_error(values):
    try:
        config = TrainConfig.parse(values)
    except ConfigError:
        return
    assert TrainConfig.parse_json(config.model_dump_json()) == config


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().epochs = 3


def test_plan_refuses_batch_norm_with_single_images():
    config = TrainConfig.parse({"options": {"batch_norm": True}, "batch_size": 1})
    with pytest.raises(ConfigError, match="'batch_size' of 2 or more"):
        make_plan(config)


def test_plan_refuses_too_large_batches_under_batch_norm_with_an_estimate():
    config = TrainConfig.parse({"model": "resnet18", "batch_size": 54_000})
    with pytest.raises(ConfigError, match=r"54,000 images would take about \d+\.\d GB") as error:
        make_plan(config)
    limit = int(re.search(r"at most (\d+(?:,\d{3})*)", str(error.value))[1].replace(",", ""))
    assert make_plan(TrainConfig.parse({"model": "resnet18", "batch_size": limit})).piece >= limit
    with pytest.raises(ConfigError):
        make_plan(TrainConfig.parse({"model": "resnet18", "batch_size": limit + 1}))


@pytest.mark.parametrize(
    ("subset", "batch", "normalises", "sizes"),
    [
        (10, 1, False, [1] * 10),
        (10, 4, False, [4, 4, 2]),
        (10, 5, True, [5, 5]),
        (13, 4, False, [4, 4, 4, 1]),
        (13, 4, True, [4, 4, 5]),
        (11, 2, True, [2, 2, 2, 2, 3]),
        (10, 54_000, True, [10]),
        (10, 54_000, False, [10]),
    ],
)
def test_batches_of_an_epoch(subset, batch, normalises, sizes):
    options = {"hidden": [4], "batch_norm": normalises}
    plan = make_plan(TrainConfig.parse({"subset": subset, "batch_size": batch, "options": options}))
    assert [end - start for start, end in zip(plan.bounds, plan.bounds[1:], strict=False)] == sizes
    assert plan.steps == len(sizes)
    assert plan.piece >= max(sizes)


def test_plan_cuts_large_batches_and_counts_parameters():
    plan = make_plan(TrainConfig.parse({"model": "lenet", "batch_size": 54_000}))
    assert plan.steps == 1
    assert plan.piece * plan.bytes_per_image <= 512 << 20
    assert plan.piece > 100
    assert plan.parameters == (25 + 1) * 32 + (25 * 32 + 1) * 64 + (4 * 4 * 64 + 1) * 1024 + 1025 * 10
